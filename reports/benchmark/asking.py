"""The requests that the load generator sends, built ahead."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from coupons import consumers
from coupons.rush import PATH
from huigou import tokens

OF_OUR_PAGE = ["X-Requested-With: huigou"]


def get(path: str, person: int | None = None) -> bytes:
    """Return a GET as a browser sends it, with a bound person's cookie or without."""
    return _request("GET", path, [], person)


def draw(category: str, person: int) -> bytes:
    """Return a person's draw as the page's script sends it."""
    headers = [*OF_OUR_PAGE, "Content-Length: 0", f"Idempotency-Key: {uuid.uuid4()}"]
    return _request("POST", f"{PATH}?category={category}&turn=1", headers, person)


def post(path: str, person: int, body: bytes = b"{}") -> bytes:
    """Return a POST of JSON by the page's script."""
    headers = [*OF_OUR_PAGE, "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return _request("POST", path, headers, person) + body


def draws(category: str, people: Sequence[int]) -> list[bytes]:
    """Return one draw for each person."""
    return [draw(category, person) for person in people]


def _request(method: str, path: str, headers: Sequence[str], person: int | None) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0",
        "Accept: */*",
        "Accept-Language: zh-CN",
        *headers,
    ]
    if person is not None:
        lines.append(f"Cookie: {consumers.COOKIE}={tokens.write(tokens.Token('c', person, 1))}")
    return "\r\n".join([*lines, "", ""]).encode()
