"""Signed cookies of people who are not Django users: who they are, without a look at the database.

``kind.number.version.issued`` and an HMAC over it. Whether the binding still stands is asked of the database by the
verb that acts; a cookie only names the row.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
from typing import Any, NamedTuple

from django.conf import settings

MAC_BYTES = 16
COOKIE_AGE_S = 60 * 60 * 24 * 60  # a campaign lasts 35 days; people should bind once


class Token(NamedTuple):
    """The row that a cookie names."""

    kind: str
    id: int
    version: int


@functools.lru_cache(maxsize=8)
def _keyed(secret: str) -> hmac.HMAC:
    return hmac.new(secret.encode(), b"cookie:", hashlib.sha256)


def _mac(body: str) -> str:
    # The keyed state is copied: hmac.digest lets go of Python's lock in every call, and whoever answers a rush would
    # wait half a millisecond to have it again.
    mac = _keyed(settings.SECRET_KEY).copy()
    mac.update(body.encode())
    return base64.urlsafe_b64encode(mac.digest()[:MAC_BYTES]).decode().rstrip("=")


def write(token: Token) -> str:
    """Return the cookie's value."""
    body = f"{token.kind}.{token.id}.{token.version}"
    return f"{body}.{_mac(body)}"


def read(kind: str, value: str | None) -> Token | None:
    """Return what a cookie names, None when it is absent, of another kind, or not ours."""
    if not value or value.count(".") != 3:
        return None
    body, _, mac = value.rpartition(".")
    if not hmac.compare_digest(mac, _mac(body)):
        return None
    named, number, version = body.split(".")
    return Token(named, int(number), int(version)) if named == kind else None


def in_header(header: str, name: str) -> str | None:
    """Return a cookie's value in a Cookie header, for what is answered ahead of Django."""
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value.strip('"')
    return None


def header_of(headers: Any) -> str:
    """Return the Cookie header of an RSGI request, which HTTP/2 may have cut into several."""
    return "; ".join(headers.get_all("cookie"))
