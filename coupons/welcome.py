"""The home page ahead of Django's middleware, in the same process: the minute before 9:00, everybody reloads it.

The page is Django's own, middleware's headers included, rendered once a second for each way in which people can stand
(nobody bound; so many usable coupons; drawn or not in each category) and kept until the platform's second ends: a round
opens at a whole second, so no kept page outlives an opening. What is one person's alone (masked name, numbers of own
coupons) stands in slots, filled from one query that all who wait at the same moment share. Whoever is not answered here
is answered by Django.
"""

from __future__ import annotations

import asyncio
import functools
import html
import io
import logging
import os
import re
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import psycopg

from coupons import consumers
from coupons.drawing.batcher import connect
from coupons.views.home import KEPT, slot
from huigou import serving, tokens
from huigou.fields import mask_name, unseal
from huigou.gathering import Gathering, Question

log = logging.getLogger(__name__)

PATH = "/m/"
MOST = 64  # people who share one query
WAIT_S = 5.0
KINDS_OF_PAGE = 512  # kept at most, all addresses of the site together
MESSAGES = "messages="  # something to say from the page before: Django's page, once
LARGE = "large=1"
DATA_NOW = re.compile(rb'data-now="(\d+)"')

Stand = tuple[int, tuple[tuple[str, bool], ...]]  # usable coupons; (category, has it won) for each draw of the round


class Mine(NamedTuple):
    """What the page says to one person alone."""

    name: str
    stand: Stand
    won: dict[str, int]  # category: coupon


@dataclass
class Page:
    """A rendered page, cut where the server's time stands, with everything its answer needs."""

    head: bytes
    rest: bytes
    status: int
    headers: serving.Headers
    now_ms: int
    born: float

    @property
    def until(self) -> float:
        """When the platform's second ends, on the process's monotonic clock."""
        return self.born + (1000 - self.now_ms % 1000) / 1000


@dataclass
class Site:
    """The pages kept for one address of the site and one size of print."""

    decks: dict[int, str] = field(default_factory=dict)
    pages: dict[Stand | None, Page] = field(default_factory=dict)
    rendering: asyncio.Lock = field(default_factory=asyncio.Lock)


_sites: dict[tuple[Any, ...], Site] = {}


async def answer(web: serving.Site, scope: Any) -> serving.Answer | None:
    """Answer GET /m/ from what is kept; None lets Django do it."""
    try:
        found = await _kept(web, scope)
    except Exception:  # whatever is wrong here, Django still has the page
        log.exception("the kept home page failed")
        return None
    if found is None:
        return None
    page, mine = found
    return page.status, page.headers, _filled(page, mine)


async def _kept(web: serving.Site, scope: Any) -> tuple[Page, Mine | None] | None:
    headers = scope.headers
    cookies = tokens.header_of(headers)
    if MESSAGES in cookies:
        return None
    # What a trusted proxy says of scheme and person counts; who is the proxy is asked when the page is rendered.
    proxy = scope.client.rpartition(":")[0] if "x-forwarded-for" in headers else ""
    where = (headers.get("host") or scope.authority, headers.get("x-forwarded-proto"), scope.scheme, proxy)
    site = _sites.setdefault((*where, LARGE in cookies), Site())
    if sum(len(each.pages) for each in _sites.values()) > KINDS_OF_PAGE:
        _sites.clear()
    page = await _page(web, scope, site, None)
    if page is None:
        return None
    token = tokens.read("c", tokens.in_header(cookies, consumers.COOKIE))
    mine = await _ask(web, token, site.decks) if token else None
    if token is None or mine is None:
        return page, None

    async def is_still() -> bool:
        return await _ask(web, token, site.decks) == mine

    # If somebody draws while the page is rendered, it is of another kind than it would be kept as.
    page = await _page(web, scope, site, mine.stand, is_still)
    return (page, mine) if page else None


async def _page(
    web: serving.Site,
    scope: Any,
    site: Site,
    stand: Stand | None,
    is_still: Callable[[], Awaitable[bool]] | None = None,
) -> Page | None:
    """Return the kept page of all who stand alike, rendered for this request when the second has ended."""
    page = site.pages.get(stand)
    if page is not None and time.monotonic() < page.until:
        return page
    async with site.rendering:
        page = site.pages.get(stand)
        if page is None or time.monotonic() >= page.until:
            environ = serving.environ_of(scope, io.BytesIO())
            page = await web.in_thread(partial(_render, web.django, environ, site, is_bound=stand is not None))
            if page is None or (is_still is not None and not await is_still()):
                site.pages.pop(stand, None)
                return None
            if stand is None:
                site.pages.clear()  # of the second before
            site.pages[stand] = page
    return page


def _render(django: serving.Wsgi, environ: dict[str, Any], site: Site, *, is_bound: bool) -> Page | None:
    """Let Django render the page with slots; None for an answer that is this request's alone."""
    kept: dict[str, Any] = {}
    cookies = environ.get("HTTP_COOKIE", "")
    cookie = LARGE if LARGE in cookies else ""
    if is_bound:
        cookie = f"{consumers.COOKIE}={tokens.in_header(cookies, consumers.COOKIE)}; {cookie}"
    asked = {**environ, KEPT: kept, "HTTP_COOKIE": cookie}
    told: dict[str, Any] = {}

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        told["status"], told["headers"] = status, headers

    born = time.monotonic()
    parts = django(asked, start)
    try:
        body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    headers = [(name, value) for name, value in told["headers"] if name.lower() != "content-length"]
    time_at = DATA_NOW.search(body)
    if not told["status"].startswith("200") or time_at is None or any(n.lower() == "set-cookie" for n, _ in headers):
        return None
    site.decks = kept.get("decks", {})
    head, rest = body[: time_at.start(1)], body[time_at.end(1) :]
    return Page(head, rest, int(told["status"][:3]), headers, int(time_at.group(1)), born)


def _filled(page: Page, mine: Mine | None) -> bytes:
    now_ms = page.now_ms + int((time.monotonic() - page.born) * 1000)
    body = b"%s%d%s" % (page.head, now_ms, page.rest)
    if mine is not None:
        body = body.replace(slot("name").encode(), html.escape(mine.name).encode())
        for category, coupon in mine.won.items():
            body = body.replace(slot(category).encode(), b"%d" % coupon)
    return body


# ---- what is one person's own

# OFFSET 0 lets the planner find a person's few draws by the person alone: before it has heard of the rush's rows it
# would rather read a whole deck.
_MINE = """
SELECT c.id, c.session_version, p.name,
       (SELECT count(*) FROM coupons_consumer h JOIN coupons_coupon k ON k.holder_id = h.id
         WHERE h.person_id = c.person_id AND k.state = 'held' AND k.expires_at > huigou_now()),
       (SELECT json_agg(json_build_array(w.deck_id, w.turn, w.id, w.face_fen > 0) ORDER BY w.deck_id, w.turn)
          FROM coupons_consumer h CROSS JOIN LATERAL (
               SELECT * FROM coupons_draw d WHERE d.consumer_id = h.id AND d.kind = 'draw' OFFSET 0) w
         WHERE h.person_id = c.person_id AND w.deck_id = ANY(%s))
  FROM coupons_consumer c JOIN coupons_person p ON p.id = c.person_id
 WHERE c.id = ANY(%s) AND c.unbound_at IS NULL
"""
Asked = tuple[tokens.Token, dict[int, str]]


class People(Gathering[Asked, "Mine | None"]):
    """Looks up everybody who waits at the same moment in one query, on a connection of its own."""

    def __init__(self) -> None:
        self._conn: psycopg.Connection | None = None
        super().__init__("home-reader", MOST)

    def answer(self, batch: list[Question[Asked, Mine | None]]) -> None:
        try:
            found = self._look(batch)
        except Exception as broken:
            if self._conn is not None:
                self._conn.close()
                self._conn = None
            for question in batch:
                question.fail(broken)
            return
        for question, row in zip(batch, found, strict=True):
            token, decks = question.asked
            question.tell(_mine(row, decks) if row and row[1] == token.version else None)

    def _look(self, batch: list[Question[Asked, Mine | None]]) -> list[tuple | None]:
        if self._conn is None or self._conn.closed:
            self._conn = connect()
        asked = [question.asked for question in batch]
        decks = list({deck for _, known in asked for deck in known})
        rows = self._conn.execute(_MINE, [decks, [token.id for token, _ in asked]]).fetchall()
        by_id = {row[0]: row for row in rows}
        return [by_id.get(token.id) for token, _ in asked]


def _mine(row: tuple, decks: dict[int, str]) -> Mine:
    _, _, name, live, draws = row
    mine = [(decks[deck], draw_id, won) for deck, _, draw_id, won in draws or () if deck in decks]
    stand = tuple((category, won) for category, _, won in mine)
    return Mine(masked(name), (live, stand), {category: draw_id for category, draw_id, won in mine if won})


@functools.lru_cache(maxsize=8192)
def masked(sealed: bytes | None) -> str:
    """Return a person's masked name; nothing longer is kept in memory."""
    return (mask_name(unseal(sealed, "person").decode()) if sealed else "") or "已销毁"


_people: People | None = None
_starting = threading.Lock()


async def _ask(web: serving.Site, token: tokens.Token, decks: dict[int, str]) -> Mine | None:
    """Return what is a person's own, None when the binding does not stand."""
    global _people
    if _people is None or _people.pid != os.getpid():
        with _starting:
            if _people is None or _people.pid != os.getpid():
                _people = People()
    return await web.told(partial(_people.submit, (token, decks)), WAIT_S)


def forget() -> None:
    """Drop all kept pages: for tests, which change everything within a second."""
    _sites.clear()
