"""One HTTP call to somebody else's server: bounded in time and size, and silent about secrets when it fails.

WeChat takes its app secret and its tokens in the query string, and requests puts the whole address into the text of its
exceptions, urllib3 into its debug log. So no exception of theirs leaves this module, not even as a context, and the
log's query strings are cut.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import requests
from django.views.decorators.debug import sensitive_variables
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

MAX_BODY_BYTES = 1024 * 1024  # the largest real answer is a user's profile of about 1 KB
DETAIL_CHARS = 200  # of another server's error text that we keep
_PHONE = re.compile(r"(?<!\d)(\+?86|0086)?1[3-9]\d{9}(?!\d)")
_KEY_LIKE = re.compile(r"[A-Za-z0-9_\-+/=]{32,}")  # tokens and signatures; WeChat's request ids have 26 characters
_NEVER_LEFT = (NewConnectionError, ConnectTimeoutError, SSLError, ProxyError)


class QueryCut(logging.Filter):
    """Cut the query string out of urllib3's debug lines, where WeChat's secret and tokens stand."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.partition("?")[0] + "?…" if isinstance(arg, str) and "?" in arg else arg for arg in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(QueryCut())


class Unreachable(Exception):
    """No usable answer came. ``maybe_received``: the other side may have acted on the request all the same."""

    def __init__(self, kind: Literal["timeout", "network", "oversize"], *, maybe_received: bool) -> None:
        self.kind = kind
        self.maybe_received = maybe_received
        super().__init__(kind)


@dataclass(frozen=True)
class Answer:
    """What the other server said."""

    status: int
    body: bytes = field(repr=False)

    def document(self) -> dict[str, Any]:
        """Return the JSON object in the body; ValueError when there is none.

        Decoded as UTF-8 whatever the header says: WeChat sends UTF-8 as text/plain without a charset, and control
        characters inside nicknames.
        """
        found = json.loads(self.body.decode("utf-8", errors="replace"), strict=False)
        if not isinstance(found, dict):
            raise ValueError("not a JSON object")
        return found


def scrubbed(text: object, secrets: Iterable[str] = ()) -> str:
    """Return another server's words fit for a log: without the given secrets, phone numbers and keys."""
    cleaned = str(text)
    for secret in secrets:
        if secret:
            cleaned = cleaned.replace(secret, "***")
    return _KEY_LIKE.sub("***", _PHONE.sub("***", cleaned))[:DETAIL_CHARS]


@sensitive_variables()
def call(
    method: Literal["GET", "POST"],
    url: str,
    *,
    timeout_s: float,
    params: Mapping[str, str] | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Make one request, without redirects or retries, and read its answer to the end.

    ``timeout_s`` bounds the connection and every silence, and the body's reading as a whole. Raises Unreachable.
    """
    deadline = time.monotonic() + timeout_s
    try:
        with requests.request(
            method,
            url,
            params=params,
            data=body,
            headers={"Accept-Encoding": "identity", **(headers or {})},
            timeout=timeout_s,
            allow_redirects=False,
            stream=True,
        ) as response:
            return Answer(response.status_code, _body(response, deadline))
    except Unreachable as known:
        failure = known
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        failure = _classified(error)
    # Raised outside the handler, so that the original (its text holds the address and the secret) is no context of it.
    raise Unreachable(failure.kind, maybe_received=failure.maybe_received)


def _body(response: requests.Response, deadline: float) -> bytes:
    """Read the body piece by piece: a server that drips a byte a second resets every socket timeout."""
    found = bytearray()
    while piece := response.raw.read1(65536):
        found += piece
        if len(found) > MAX_BODY_BYTES:
            raise Unreachable("oversize", maybe_received=True)
        if time.monotonic() > deadline:
            raise Unreachable("timeout", maybe_received=True)
    return bytes(found)


def _classified(error: Exception) -> Unreachable:
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    late = isinstance(error, (requests.Timeout, ReadTimeoutError))
    # A bad address or header is a ValueError: nothing was ever sent.
    unsent = isinstance(error, (requests.ConnectTimeout, ValueError)) or isinstance(cause, _NEVER_LEFT)
    return Unreachable("timeout" if late else "network", maybe_received=not unsent)
