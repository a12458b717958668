"""Group commit of draws: requests that arrive while a transaction is under way share the next one.

One writer thread per process with a connection of its own, started lazily, so after the web server's fork.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import queue
import threading
import time
import uuid
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

import psycopg
from django.conf import settings
from django.db import connections

from coupons.drawing.facts import forget
from coupons.drawing.together import Answer, Ask, Result, write_together
from coupons.errors import DRAW_BUSY
from huigou.errors import Refusal

log = logging.getLogger(__name__)

WAIT_S = 15  # a phone's patience; the draw itself may still be written, and the retry gets its answer


class Batcher:
    """Collects asks and lets one writer thread answer them together."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Ask, Future[Result]]] = queue.SimpleQueue()
        self._pid = os.getpid()
        self._conn: psycopg.Connection | None = None
        threading.Thread(target=self._run, name="draw-writer", daemon=True).start()

    def submit(self, ask: Ask) -> Future[Result]:
        """Hand in an ask; the future holds an Answer or a Refusal once the transaction is committed."""
        future: Future[Result] = Future()
        self._queue.put((ask, future))
        return future

    def _run(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < settings.DRAW_BATCH_MAX:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            self._answer(batch)

    def _answer(self, batch: list[tuple[Ask, Future[Result]]]) -> None:
        try:
            results = self._write([ask for ask, _ in batch])
        except Exception as broken:  # the writer must outlive whatever one batch does
            log.exception("a batch of %d draws failed", len(batch))
            self._close()
            for _, future in batch:
                future.set_exception(broken)
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)

    def _write(self, asks: list[Ask]) -> list[Result]:
        """Write, once more on a fresh connection when the old one has died before it could commit anything."""
        try:
            return write_together(self._connection(), asks)
        except psycopg.OperationalError:
            # Retrying is safe even if the commit went through unheard: the same turn gets the same answer.
            self._close()
            time.sleep(0.05)
            return write_together(self._connection(), asks)

    def _connection(self) -> psycopg.Connection:
        if self._conn is None or self._conn.closed:
            self._conn = connect()
        return self._conn

    def _close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
        connections.close_all()


def connect() -> psycopg.Connection:
    """Open a plain psycopg connection with the default database's parameters, in autocommit."""
    params = connections["default"].get_connection_params()
    for django_only in ("cursor_factory", "context", "server_side_binding", "prepare_threshold"):
        params.pop(django_only, None)
    conn = psycopg.connect(**params, autocommit=True)
    # A transaction-mode pooler may come in between: no server-side prepared statements.
    conn.prepare_threshold = settings.DRAW_PREPARE_THRESHOLD
    return conn


_batcher: Batcher | None = None
_lock = threading.Lock()


def draw_async(ask: Ask) -> Future[Result]:
    """Hand an ask to this process's batcher, which starts with the first one."""
    global _batcher
    if ask.turn is None and ask.request_key is None:
        # The writer may have to write once more after a commit that it did not hear of: a key makes that the same draw.
        ask = dataclasses.replace(ask, request_key=uuid.uuid4())
    if _batcher is None or _batcher._pid != os.getpid():
        with _lock:
            if _batcher is None or _batcher._pid != os.getpid():
                forget()
                _batcher = Batcher()
    return _batcher.submit(ask)


def draw(ask: Ask) -> Answer:
    """Turn the wheel: return the committed answer, or raise the refusal. Raises DRAW_BUSY after 15 s."""
    try:
        result = draw_async(ask).result(timeout=WAIT_S)
    except FutureTimeout:
        raise DRAW_BUSY() from None
    if isinstance(result, Refusal):
        raise result
    return result
