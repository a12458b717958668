"""A small WSGI application that says what it got: served by tests through the platform's ``Site``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from huigou.serving import Site

PIECE, PIECES = b"x" * 100_000, 30


def echo(environ, start):  # type: ignore[no-untyped-def]
    if environ["QUERY_STRING"] == "long":
        start("200 OK", [("Content-Type", "text/plain")])
        return long_answer()
    if environ["QUERY_STRING"] == "broken":
        raise ZeroDivisionError
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    said = {name: value for name, value in environ.items() if isinstance(value, str)}
    payload = json.dumps({**said, "digest": hashlib.sha256(body).hexdigest()}).encode()
    start("203 Whatever", [("Content-Type", "application/json"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [payload[:10], payload[10:]]


def long_answer() -> Iterator[bytes]:
    for _ in range(PIECES):
        yield PIECE


async def nobody(*_: object) -> None:
    return None


site = Site(echo, nobody)
