"""The draw's way in, ahead of Django's middleware in the same process.

At 9:00 this one path carries nearly everything, and nothing of it needs sessions, messages or template contexts, nor a
thread for each who waits. ``ahead`` has the first word on every request: POST /api/v1/draws is answered here, GET /m/
by ``welcome``, all else is left to Django.
The rules are the same as the DRF view's: the signed cookie names the binding (whether it still stands is asked in the
draw's own first statement), the custom header proves the page's own script, the answer is the verb's.

Nothing here may block the event loop. What is asked of the database once a second, or of Redis while people wait in
line, is asked in one of the site's threads.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import logging
import re
import threading
import time
import uuid
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from django.db import close_old_connections
from django.http import HttpRequest

from coupons import consumers, drawing, waiting, welcome
from coupons.drawing.batcher import PASSING, WAIT_S
from coupons.drawing.facts import DeckFacts, facts_at_hand, facts_of, open_deck
from coupons.drawing.foresight import has_drawn
from coupons.drawing.together import Answer, Ask
from coupons.errors import DRAW_BUSY, NOT_BOUND, ROUND_OVER
from huigou import clock, serving, tokens
from huigou.errors import BAD_INPUT, FORBIDDEN, SERVER_ERROR, TOO_LARGE, Refusal
from huigou.serving import Site

PATH = "/api/v1/draws"
MAX_BODY = 1_000  # bytes; the honest request has about 100
# How long the answer "this category's open deck is number n" is kept: rounds change at a known time, decks never.
ROUTE_LIFE_S = 1.0
SAME_ORIGIN_HEADER = "x-requested-with"
SAME_ORIGIN_VALUE = "huigou"
KEY_HEADER = "idempotency-key"

CODE = re.compile(r"[-a-zA-Z0-9_]{1,40}")  # a category's code, as a Django slug
HEADERS = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]

Wanted = tuple[str, int | None, uuid.UUID | None]  # category code, turn, request key

log = logging.getLogger(__name__)
_as_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_routes: dict[str, tuple[float, int]] = {}
_looking = threading.Lock()


async def ahead(site: Site, scope: Any, protocol: Any) -> serving.Answer | None:
    """Answer a draw or the home page; None leaves a request to Django."""
    if scope.path == PATH and scope.method == "POST":
        try:
            status, body = await answer(site, scope, protocol)
        except Exception:
            log.exception("a draw fell over")
            status, body = SERVER_ERROR.status, SERVER_ERROR().as_dict()
        return status, HEADERS, _as_text(body).encode()
    if scope.path == welcome.PATH and scope.method == "GET" and not scope.query_string:
        return await welcome.answer(site, scope)
    return None


async def answer(site: Site, scope: Any, protocol: Any) -> tuple[int, dict[str, Any]]:
    """Return status and JSON body of one draw request."""
    headers = scope.headers
    try:
        if not _is_own_page(headers, headers.get("host") or scope.authority):
            raise FORBIDDEN()
        cookies = tokens.header_of(headers)
        token = tokens.read("c", tokens.in_header(cookies, consumers.COOKIE))
        if token is None:
            raise NOT_BOUND()
        if scope.query_string:  # no body to wait for: the way of our own page
            category, turn, key = read_query(scope.query_string, headers.get(KEY_HEADER))
        else:
            category, turn, key = read_request(await _body(headers, protocol))
        fact = _fact_at_hand(category)
        if fact is None:
            fact = await site.in_thread(partial(_fact, category))
        place = tokens.in_header(cookies, waiting.COOKIE) or ""
        if not (fact.sold_out or waiting.passes_unasked(fact.round_id, token.id, place)):
            await site.in_thread(partial(hold_back, token.id, category, place))
        return 200, await _draw(site, fact, token, category, turn, key)
    except Refusal as refusal:
        return refusal.status, refusal.as_dict()


async def _draw(
    site: Site, fact: DeckFacts, token: tokens.Token, category: str, turn: int | None, key: uuid.UUID | None
) -> dict[str, Any]:
    """Draw as ``draw_as`` does, without holding a thread."""
    for attempt in (1, 2):
        ask = Ask(fact.deck_id, token.id, token.version, turn, key, actor_id=token.id)
        try:
            result = await site.told(partial(drawing.draw_async, ask), WAIT_S)
        except (TimeoutError, *PASSING):
            raise DRAW_BUSY() from None
        if isinstance(result, Answer):
            return as_json(result, category)
        _look_again(result, attempt, category)
        fact = await site.in_thread(partial(_fact, category))
    raise AssertionError("the second attempt returns or raises")


def _fact_at_hand(category: str) -> DeckFacts | None:
    """Return the open deck's facts where this process knows them, else None.

    While one thread looks the route up again, all others go on with what is known.
    """
    known = _routes.get(category)
    if known is None or (time.monotonic() - known[0] >= ROUTE_LIFE_S and not _looking.locked()):
        return None
    return facts_at_hand(known[1])


def _fact(category: str) -> DeckFacts:
    try:
        return facts_of(open_deck_id(category))
    finally:
        close_old_connections()


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


def _is_own_page(headers: Any, host: str | None) -> bool:
    """Say what ``huigou.api.SameOrigin`` says of the same request."""
    if headers.get(SAME_ORIGIN_HEADER) != SAME_ORIGIN_VALUE:
        return False
    # Every browser names the origin of a POST. The scheme alone cannot differ: the cookie is Secure where there is TLS.
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == host


def draw_as(consumer_id: int, version: int, category: str, turn: int | None, key: uuid.UUID | None) -> dict[str, Any]:
    """Draw for a consumer in the category's open deck; return the answer as JSON. Raises the verb's refusals."""
    for attempt in (1, 2):
        ask = Ask(open_deck_id(category), consumer_id, version, turn, key, actor_id=consumer_id)
        try:
            return as_json(drawing.draw(ask), category)
        except Refusal as refusal:
            _look_again(refusal, attempt, category)
    raise AssertionError("the second attempt returns or raises")


def _look_again(refusal: Refusal, attempt: int, category: str) -> None:
    """Forget a route that was a second old while its round ended, once; raises any other refusal."""
    if refusal.reason is not ROUND_OVER or attempt == 2:
        raise refusal
    _routes.pop(category, None)


def read(request: HttpRequest) -> Wanted:
    """Return what a request to Django asks for; raises BAD_INPUT."""
    if query := request.META["QUERY_STRING"]:
        return read_query(query, request.headers.get(KEY_HEADER))
    return read_request(request.body)


def read_query(query: str, key: str | None) -> Wanted:
    """Return category code, turn and request key of ``?category=dining&turn=1`` and its header; raises BAD_INPUT.

    A body comes to Python in a turn of its own, which costs a fifth of a draw's time.
    """
    try:
        data = dict(parse_qsl(query, strict_parsing=True, max_num_fields=2))
        turn = data.get("turn")
        return _wanted(data["category"], turn if turn is None else int(turn), key)
    except (ValueError, KeyError):
        raise BAD_INPUT(what="抽奖请求") from None


def read_request(raw: bytes) -> Wanted:
    """Return category code, turn and request key of a body; raises BAD_INPUT."""
    try:
        data = json.loads(raw)
        return _wanted(data["category"], data.get("turn"), data.get("key"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BAD_INPUT(what="抽奖请求") from None


def _wanted(category: object, turn: object, key: Any) -> Wanted:
    if not (isinstance(category, str) and CODE.fullmatch(category)):
        raise ValueError
    if not (turn is None or (type(turn) is int and 1 <= turn <= 20)):
        raise ValueError
    return category, turn, uuid.UUID(key) if key else None


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


@functools.lru_cache(maxsize=64)
def _end_in_words(expires_at: dt.datetime) -> tuple[str, str]:
    """Return a round's end for the script and for people: the same for all who draw in it."""
    return clock.local(expires_at).isoformat(), clock.spoken(expires_at, end=True)


def as_json(drawn: Answer, category: str) -> dict[str, Any]:
    """Return a draw's answer as the page's script reads it."""
    ends, ends_in_words = _end_in_words(drawn.expires_at)
    return {
        "category": category,
        "deck": drawn.deck_id,
        "ticket": drawn.ticket,
        "turn": drawn.turn,
        "face_fen": drawn.face_fen,
        "threshold_fen": drawn.threshold_fen,
        "coupon_id": drawn.draw_id if drawn.face_fen else None,
        "drawn_at": drawn.drawn_at.isoformat(),
        "expires_at": ends,
        "expires_text": ends_in_words,
        "entry": drawn.entry_hash.hex(),
        "repeated": drawn.repeated,
    }


async def _body(headers: Any, protocol: Any) -> bytes:
    length = headers.get("content-length", "")
    if not length.isdecimal() or not int(length):
        raise BAD_INPUT(what="抽奖请求")
    if int(length) > MAX_BODY:
        raise TOO_LARGE(limit=f"{MAX_BODY} 字节")
    return await protocol()
