"""Ask the platform's site as granian does: a request's scope and protocol, without a socket between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from coupons import rush
from huigou.serving import Site, Wsgi
from tests.rsgi import Headers, Protocol, Scope, in_loop


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


Asking = Callable[..., Awaitable[Answer]]


def asking(django: Wsgi, threads: int, course: Callable[[Asking], Awaitable[Any]]) -> Any:
    """Run a course of requests to a site that serves ``django``, and return what it returns."""

    async def whole() -> Any:
        site = Site(django, rush.ahead)
        site.__rsgi_init__(asyncio.get_running_loop(), threads)

        async def ask(method: str, path: str, headers: dict[str, str], body: bytes = b"", **more: Any) -> Answer:
            length = {"Content-Length": str(len(body))} if body else {}
            protocol = Protocol(body)
            await site.__rsgi__(
                Scope(method, path, Headers({"Host": "testserver", **length, **headers}), **more), protocol
            )
            return Answer(protocol.status, protocol.headers, b"".join(protocol.pieces))

        try:
            return await course(ask)
        finally:
            site.__rsgi_del__(site.loop)

    return in_loop(whole)


def asked(django: Wsgi, method: str, path: str, headers: dict[str, str], body: bytes = b"", **more: Any) -> Answer:
    """Return the answer to one request."""
    return asking(django, 1, lambda ask: ask(method, path, headers, body, **more))
