"""A request as a server hands it to an RSGI application, what takes the answer, and a loop to do so in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from django.db import connections


def in_loop(course: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Return what a course returns, run in an event loop of its own.

    In a thread of its own, too: once a browser is open, its driver's loop counts as the main thread's running one.
    """

    def whole() -> Any:
        try:
            return asyncio.run(course())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1, "event-loop") as thread:
        return thread.submit(whole).result()


class Headers(dict[str, str]):
    """A request's headers by their names in small letters; a value with line ends stands for several headers."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get_all(self, name: str) -> list[str]:
        return self.get(name, "").splitlines()


@dataclass
class Scope:
    """A request, as RSGI 1 describes it."""

    method: str
    path: str
    headers: Headers
    query_string: str = ""
    client: str = "127.0.0.1:40000"
    server: str = "testserver:80"
    scheme: str = "http"
    http_version: str = "1.1"
    authority: str | None = None


@dataclass
class Protocol:
    """What takes the answer."""

    sent: bytes
    pieces: list[bytes] = field(default_factory=list)
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)

    async def __call__(self) -> bytes:
        return self.sent

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers = status, headers
        self.pieces.append(body)

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Protocol:
        self.status, self.headers = status, headers
        return self

    async def send_bytes(self, piece: bytes) -> None:
        self.pieces.append(piece)
