"""The web server's requests: some answered in the event loop, all others by Django in threads.

granian speaks RSGI to a ``Site``. What is answered at once, or together with others who wait, is answered ``ahead``
by a coroutine: thousands who wait so cost one thread, and one wake-up for all whom a transaction answers. Django's
views block, so each has a thread, and is called as any WSGI server calls it (PEP 3333).
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from django.db import connections

from huigou.gathering import Question

log = logging.getLogger(__name__)

THREADS = int(os.environ.get("WEB_THREADS", "32"))  # each may hold a database connection
SMALL_BODY = 64 * 1024  # bytes; read before a thread is taken, so that a slow sender holds up nobody
WHOLE_ANSWER = 256 * 1024  # bytes; a shorter answer is sent in one piece
END_S = 10.0  # for requests in hand when the process ends
PATIENCE_S = 60.0  # how long a thread waits for the next piece of a large body, or for its reader to take one

Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, bytes]
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
Told = TypeVar("Told")


class Bell:
    """Wakes an event loop from other threads: once for all that happens before it looks."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._heard: deque[Callable[[], None]] = deque()
        self._is_rung = False

    def ring(self, happened: Callable[[], None]) -> None:
        """Have something done in the loop."""
        self._heard.append(happened)
        if not self._is_rung:
            self._is_rung = True
            self.loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        # First, so that what comes from here on either is seen below or rings again.
        self._is_rung = False
        while self._heard:
            self._heard.popleft()()


class Site:
    """The RSGI application: ``ahead`` has the first word on every request, ``django`` answers the rest."""

    def __init__(self, django: Wsgi, ahead: Callable[[Site, Any, Any], Awaitable[Answer | None]]) -> None:
        self.django = django
        self.ahead = ahead
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop, threads: int = THREADS) -> None:
        """Begin to serve; called once in every worker process, after its fork."""
        self.loop, self.bell = loop, Bell(loop)
        self.threads = [threading.Thread(target=self._work, name=f"web-{n}", daemon=True) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        """End the threads, each after what it has in hand."""
        for _ in self.threads:
            self._jobs.put(None)
        until = time.monotonic() + END_S
        for thread in self.threads:
            thread.join(max(0.0, until - time.monotonic()))

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        answer = await self.ahead(self, scope, protocol)
        if answer is not None:
            protocol.response_bytes(*answer)
            return
        length = scope.headers.get("content-length", "")
        body: io.IOBase
        if length.isdigit() and int(length) > SMALL_BODY:
            body = io.BufferedReader(LargeBody(protocol, self.loop), SMALL_BODY)
        else:  # without a length there is no body for WSGI
            body = io.BytesIO(await protocol() if length.isdigit() and int(length) else b"")
        await self.in_thread(partial(self._serve, environ_of(scope, body), protocol))

    async def in_thread(self, work: Callable[[], Told]) -> Told:
        """Do what blocks in one of the site's threads and return what it gave, or raise what it raised."""
        done: asyncio.Future[Told] = self.loop.create_future()

        def job() -> None:
            try:
                result = work()
            except BaseException as broken:
                self.bell.ring(partial(_end, done, done.set_exception, broken))
            else:
                self.bell.ring(partial(_end, done, done.set_result, result))

        self._jobs.put(job)
        return await done

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
        connections.close_all()

    async def told(self, ask: Callable[[Callable[[Question[Any, Told]], None]], Any], patience_s: float) -> Told:
        """Ask a ``Gathering`` without holding a thread; raises TimeoutError, or what went wrong.

        ``ask`` hands in the question, with what is to be called once it is answered.
        """
        answered: asyncio.Future[Question[Any, Told]] = self.loop.create_future()

        def settle(question: Question[Any, Told]) -> None:
            if not answered.done():
                answered.set_result(question)

        timer = self.loop.call_later(patience_s, answered.cancel)
        ask(lambda question: self.bell.ring(partial(settle, question)))
        try:
            return (await answered).result()
        except asyncio.CancelledError:
            raise TimeoutError from None
        finally:
            timer.cancel()

    def _serve(self, environ: dict[str, Any], protocol: Any) -> None:
        told: dict[str, Any] = {}

        def start_response(status: str, headers: Headers, exc_info: Any = None) -> None:
            told.update(status=int(status[:3]), headers=headers)

        parts = self.django(environ, start_response)
        try:
            if _is_long(parts, told["headers"]):
                self._stream(protocol.response_stream(told["status"], told["headers"]), parts)
            else:
                protocol.response_bytes(told["status"], told["headers"], b"".join(parts))
        finally:
            if hasattr(parts, "close"):
                parts.close()

    def _stream(self, transport: Any, parts: Iterable[bytes]) -> None:
        async def send(part: bytes) -> None:
            await transport.send_bytes(part)

        for part in parts:
            asyncio.run_coroutine_threadsafe(send(part), self.loop).result(PATIENCE_S)


def _end(done: asyncio.Future[Any], how: Callable[[Any], None], result: Any) -> None:
    """End what somebody waits for, unless it was given up: the answer to nobody must not keep others from theirs."""
    if not done.done():
        how(result)


def _is_long(parts: Iterable[bytes], headers: Headers) -> bool:
    """Say whether an answer is sent piece by piece: one that is not in memory yet, unless it is known to be short."""
    if not getattr(parts, "streaming", not isinstance(parts, list)):
        return False
    length = next((value for name, value in headers if name.lower() == "content-length"), None)
    return length is None or int(length) > WHOLE_ANSWER


class LargeBody(io.RawIOBase):
    """A request's large body, read piece by piece as it comes."""

    def __init__(self, protocol: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._pieces = protocol.__aiter__()
        self._loop = loop
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result(PATIENCE_S)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    async def _next(self) -> bytes:
        piece: bytes | None = b""
        while piece == b"":  # not yet the end, which is None
            piece = await anext(self._pieces, None)
        return piece or b""


def environ_of(scope: Any, body: Any) -> dict[str, Any]:
    """Return a request as WSGI has it."""
    client, _, client_port = scope.client.rpartition(":")
    server, _, port = scope.server.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "REMOTE_ADDR": client,
        "REMOTE_PORT": client_port,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" in name:  # would pass for the header with a hyphen, which a proxy in front may have set itself
            continue
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]}{'; ' if name == 'cookie' else ','}{value}" if key in environ else value
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if (value := environ.pop(f"HTTP_{key}", None)) is not None:
            environ[key] = value
    if "HTTP_HOST" not in environ and scope.authority:
        environ["HTTP_HOST"] = scope.authority
    return environ
