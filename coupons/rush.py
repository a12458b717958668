"""The draw's way in, ahead of Django's middleware in the same process.

At 9:00 this one path carries nearly everything, and nothing of it needs sessions, messages or template contexts.
``wrap`` puts it in front of Django's WSGI application: POST /api/v1/draws is answered here, GET /m/ by ``welcome``, all
else passes through.
The rules are the same as the DRF view's: the signed cookie names the binding (whether it still stands is asked in the
draw's own first statement), the custom header proves the page's own script, the answer is the verb's.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from django.db import close_old_connections

from coupons import consumers, drawing, waiting, welcome
from coupons.drawing.batcher import PASSING
from coupons.drawing.facts import facts_of, open_deck
from coupons.drawing.foresight import has_drawn
from coupons.drawing.together import Answer, Ask
from coupons.errors import DRAW_BUSY, NOT_BOUND, ROUND_OVER
from huigou import clock, tokens
from huigou.errors import BAD_INPUT, FORBIDDEN, SERVER_ERROR, TOO_LARGE, Refusal

PATH = "/api/v1/draws"
MAX_BODY = 1_000  # bytes; the honest request has about 100
# How long the answer "this category's open deck is number n" is kept: rounds change at a known time, decks never.
ROUTE_LIFE_S = 1.0
SAME_ORIGIN_HEADER = "HTTP_X_REQUESTED_WITH"
SAME_ORIGIN_VALUE = "huigou"

CODE = re.compile(r"[-a-zA-Z0-9_]{1,40}")  # a category's code, as a Django slug

log = logging.getLogger(__name__)
Start = Callable[[str, list[tuple[str, str]]], Any]
_routes: dict[str, tuple[float, int]] = {}
_looking = threading.Lock()
_REASONS = {status.value: status.phrase for status in HTTPStatus}


def wrap(application: Callable[[dict[str, Any], Any], Any]) -> Callable[..., Iterable[bytes]]:
    """Return the WSGI application with the draw's path and the home page answered ahead of it."""

    def rushed(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] == PATH and environ["REQUEST_METHOD"] == "POST":
            try:
                status, body = answer(environ)
            except Exception:
                log.exception("a draw fell over")
                status, body = SERVER_ERROR.status, SERVER_ERROR().as_dict()
            return _respond(start_response, status, body)
        if environ["PATH_INFO"] == welcome.PATH and environ["REQUEST_METHOD"] == "GET" and not environ["QUERY_STRING"]:
            return welcome.answer(application, environ, start_response)
        return application(environ, start_response)

    return rushed


def answer(environ: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return status and JSON body of one draw request."""
    try:
        if not _is_own_page(environ):
            raise FORBIDDEN()
        token = tokens.read("c", tokens.in_header(environ.get("HTTP_COOKIE", ""), consumers.COOKIE))
        if token is None:
            raise NOT_BOUND()
        category, turn, key = read_request(_body(environ))
        hold_back(token.id, category, tokens.in_header(environ.get("HTTP_COOKIE", ""), waiting.COOKIE) or "")
        return 200, draw_as(token.id, token.version, category, turn, key)
    except Refusal as refusal:
        return refusal.status, refusal.as_dict()


def hold_back(consumer_id: int, category: str, cookie: str) -> None:
    """Raise InLine for somebody whom a rush sends to the waiting room; while there is none this costs nothing.

    Whoever drew already is let through, since the request may ask for an answer that was lost on its way.
    """
    fact = facts_of(open_deck_id(category))
    if fact.sold_out or (place := waiting.gate(fact.round_id, consumer_id, cookie)) is None:
        return
    try:
        if not has_drawn(consumer_id, fact):
            raise waiting.InLine(place, f"/m/draw/{category}")
    finally:
        close_old_connections()


def _is_own_page(environ: dict[str, Any]) -> bool:
    """Say what ``huigou.api.SameOrigin`` says of the same request."""
    if environ.get(SAME_ORIGIN_HEADER) != SAME_ORIGIN_VALUE:
        return False
    # Every browser names the origin of a POST. The scheme alone cannot differ: the cookie is Secure where there is TLS.
    origin = environ.get("HTTP_ORIGIN")
    return origin is None or origin.partition("://")[2] == environ.get("HTTP_HOST")


def draw_as(consumer_id: int, version: int, category: str, turn: int | None, key: uuid.UUID | None) -> dict[str, Any]:
    """Draw for a consumer in the category's open deck; return the answer as JSON. Raises the verb's refusals."""
    for attempt in (1, 2):
        ask = Ask(open_deck_id(category), consumer_id, version, turn, key, actor_id=consumer_id)
        try:
            return as_json(drawing.draw(ask), category)
        except Refusal as refusal:
            # The route was a second old and its round has just ended: look again, once.
            if refusal.reason is not ROUND_OVER or attempt == 2:
                raise
            _routes.pop(category, None)
    raise AssertionError("the second attempt returns or raises")


def read_request(raw: bytes) -> tuple[str, int | None, uuid.UUID | None]:
    """Return category code, turn and request key of a body; raises BAD_INPUT."""
    try:
        data = json.loads(raw)
        category, turn, key = data["category"], data.get("turn"), data.get("key")
        if not (isinstance(category, str) and CODE.fullmatch(category)):
            raise ValueError
        if not (turn is None or (type(turn) is int and 1 <= turn <= 20)):
            raise ValueError
        return category, turn, uuid.UUID(key) if key else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BAD_INPUT(what="抽奖请求") from None


def open_deck_id(category: str) -> int:
    """Return the deck that is drawn from now, asked of the database once a second per process, by one thread.

    A stale answer does no harm: the draw itself reads the clock after its lock and refuses a deck that is over, and
    ``draw_as`` then looks again.
    """
    known = _routes.get(category)
    if known is not None and time.monotonic() - known[0] < ROUTE_LIFE_S:
        return known[1]
    # While one looks, all others go on with what is known: thirty threads that look at once hold each other up.
    if not _looking.acquire(blocking=known is None):
        assert known is not None  # noqa: S101 (who knows nothing waits)
        return known[1]
    try:
        known = _routes.get(category)
        if known is None or time.monotonic() - known[0] >= ROUTE_LIFE_S:
            known = _routes[category] = (time.monotonic(), _look_up(category))
        return known[1]
    finally:
        _looking.release()


def _look_up(category: str) -> int:
    """Ask the database, once more on a fresh connection when the old one was dead; raises DRAW_BUSY."""
    for attempt in (1, 2):
        try:
            return open_deck(category, clock.now()).deck_id
        except PASSING:
            if attempt == 2:
                log.exception("the open deck could not be looked up")
                raise DRAW_BUSY() from None
        finally:
            close_old_connections()  # drops a connection that has failed
    raise AssertionError("the second attempt returns or raises")


def as_json(drawn: Answer, category: str) -> dict[str, Any]:
    """Return a draw's answer as the page's script reads it."""
    return {
        "category": category,
        "deck": drawn.deck_id,
        "ticket": drawn.ticket,
        "turn": drawn.turn,
        "face_fen": drawn.face_fen,
        "threshold_fen": drawn.threshold_fen,
        "coupon_id": drawn.draw_id if drawn.face_fen else None,
        "drawn_at": drawn.drawn_at.isoformat(),
        "expires_at": clock.local(drawn.expires_at).isoformat(),
        "expires_text": clock.spoken(drawn.expires_at, end=True),
        "entry": drawn.entry_hash.hex(),
        "repeated": drawn.repeated,
    }


def _body(environ: dict[str, Any]) -> bytes:
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > MAX_BODY:
        raise TOO_LARGE(limit=f"{MAX_BODY} 字节")
    if length <= 0:
        raise BAD_INPUT(what="抽奖请求")
    return environ["wsgi.input"].read(length)


def _respond(start_response: Start, status: int, body: dict[str, Any]) -> Iterable[bytes]:
    payload = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    start_response(
        f"{status} {_REASONS.get(status, 'Refused')}",
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(payload))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ],
    )
    return [payload]
