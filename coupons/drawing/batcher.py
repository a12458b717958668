"""Group commit of draws: requests that arrive while a transaction is under way share the next one.

One writer thread per process with a connection of its own, started lazily, so after the web server's fork.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable

import django.db
import psycopg
from django.conf import settings
from django.db import connections

from coupons.drawing.facts import forget
from coupons.drawing.together import Answer, Ask, Result, write_together
from coupons.drawing.wire import DrawConnection
from coupons.errors import DRAW_BUSY
from huigou.errors import Refusal
from huigou.gathering import Gathering, Question

log = logging.getLogger(__name__)

WAIT_S = 15  # a phone's patience; the draw itself may still be written, and the retry gets its answer
# Pauses before a batch is tried again: a cut connection comes back at once, a restarting server within seconds.
PAUSES_S = (0.05, 0.25, 1.0, 2.0)
# A lost connection, a server that restarts, a dead-lock, a serialization failure: nothing that the asks are to blame
# for. psycopg's from the writer's own connection, Django's from what is read once per deck.
PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    django.db.OperationalError,
    django.db.InterfaceError,
)


class Batcher(Gathering[Ask, Result]):
    """Collects asks and lets one writer thread answer them together, once their transaction is committed."""

    def __init__(self) -> None:
        self._conn: psycopg.Connection | None = None
        super().__init__("draw-writer", settings.DRAW_BATCH_MAX)

    def answer(self, batch: list[Question[Ask, Result]]) -> None:
        """Answer each ask of a batch; one that breaks the batch is found by asking one by one, and breaks alone."""
        try:
            results = self._write([question.asked for question in batch])
        except Exception as broken:  # the writer must outlive whatever one batch does
            self._close()
            if len(batch) > 1 and not isinstance(broken, PASSING):
                for one in batch:
                    self.answer([one])
                return
            log.exception("%d draws could not be written", len(batch))
            for question in batch:
                question.fail(broken)
            return
        for question, result in zip(batch, results, strict=True):
            question.tell(result)

    def _write(self, asks: list[Ask]) -> list[Result]:
        """Write, again on a fresh connection when a passing fault came in between."""
        for pause in PAUSES_S:
            try:
                return write_together(self._connection(), asks)
            except PASSING as passing:
                # Trying again is safe even if the commit went through unheard: the same turn gets the same answer.
                log.warning("a batch of %d draws is tried again: %s", len(asks), passing)
                self._close()
                time.sleep(pause)
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
    if settings.DRAW_PREPARE_THRESHOLD:
        # The statements' plans depend on no value: planning each anew costs more than running it for one draw. All look
        # single rows up. Within the first seconds of 9:00 a table grows from nothing to thousands of rows, which the
        # planner hears of a minute later: it must not choose to read them all.
        by_index = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
        params["options"] = f"{params.get('options') or ''} -c plan_cache_mode=force_generic_plan {by_index}"
    conn = DrawConnection.connect(**params, autocommit=True)
    # A transaction-mode pooler may come in between: no server-side prepared statements.
    conn.prepare_threshold = settings.DRAW_PREPARE_THRESHOLD
    conn.keeps_plans = bool(settings.DRAW_PREPARE_THRESHOLD)
    return conn


_batcher: Batcher | None = None
_lock = threading.Lock()


def draw_async(ask: Ask, then: Callable[[Question[Ask, Result]], None] | None = None) -> Question[Ask, Result]:
    """Hand an ask to this process's batcher, which starts with the first one; ``then`` runs in its writer's thread."""
    global _batcher
    if ask.turn is None and ask.request_key is None:
        # The writer may have to write once more after a commit that it did not hear of: a key makes that the same draw.
        ask = dataclasses.replace(ask, request_key=uuid.uuid4())
    if _batcher is None or _batcher.pid != os.getpid():
        with _lock:
            if _batcher is None or _batcher.pid != os.getpid():
                forget()
                _batcher = Batcher()
    return _batcher.submit(ask, then)


def draw(ask: Ask) -> Answer:
    """Turn the wheel: return the committed answer, or raise the refusal.

    Raises DRAW_BUSY after 15 s and while the database cannot be reached: the same turn gets the same answer later.
    """
    try:
        result = draw_async(ask).result(timeout=WAIT_S)
    except (TimeoutError, *PASSING):
        raise DRAW_BUSY() from None
    if isinstance(result, Refusal):
        raise result
    return result
