"""The waiting room before the wheel, when more people come than can be served at once.

Redis keeps the line; a signed cookie keeps each person's own place, so that a reload loses nothing and a line that
Redis has lost is rebuilt, in the same order, by those who stand in it. Places only spread the load: which card
somebody gets is the deck's. Without Redis everybody is let through.

``gate`` stands before the wheel's page and before the draw itself. While nobody waits it costs a subtraction in this
process's memory and no call to anybody; a second after a line has formed anywhere, every process sends newcomers to its
end. The pace is Redis's clock's: it decides nothing but who comes when.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from typing import NamedTuple

import redis
from django.conf import settings
from django.core import signing
from django.db import close_old_connections
from django.db.models import F
from redis.exceptions import RedisError

from coupons.errors import IN_LINE
from coupons.models import Campaign, Deck
from huigou import clock
from huigou.errors import Refusal

log = logging.getLogger(__name__)
COOKIE = "hg_w"
SALT = "huigou.waiting"
KEEP_S = 12 * 3600
POLL_LEAST_MS, POLL_MOST_MS = 2_000, 15_000
LOOK_EVERY_S = 1.0  # how old a process's knowledge may be: of a line, of what is left, of which round is open

# One step of the line, atomic in Redis: join (or keep one's place), let in as many as the rate allows, answer.
# KEYS: line, admitted, state. ARGV: now (us, or '' for Redis's own clock), rate per s, burst, who, since when (us or
# ''), seconds to keep, tokens to begin with.
_STEP = """
if redis.call('SISMEMBER', KEYS[2], ARGV[4]) == 1 then return {1, 0, ARGV[5]} end
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local since = ARGV[5]
if since == '' then since = string.format('%.0f', now) end
redis.call('ZADD', KEYS[1], 'NX', since, ARGV[4])
local rate, burst = tonumber(ARGV[2]), tonumber(ARGV[3])
-- A place that Redis does not know comes back: it was flushed. Nobody is let in until others are back too.
local tokens = tonumber(redis.call('HGET', KEYS[3], 'tokens') or ARGV[7])
local at = tonumber(redis.call('HGET', KEYS[3], 'at') or now)
if now > at then tokens = math.min(burst, tokens + (now - at) * rate / 1000000); at = now end
local take = math.floor(tokens)
if take > 0 then
  local let = redis.call('ZPOPMIN', KEYS[1], take)
  for i = 1, #let, 2 do redis.call('SADD', KEYS[2], let[i]) end
  tokens = tokens - #let / 2
end
redis.call('HSET', KEYS[3], 'tokens', tostring(tokens), 'at', string.format('%.0f', at))
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[6]) end
local rank = redis.call('ZRANK', KEYS[1], ARGV[4])
if not rank then return {1, 0, since} end
return {0, rank + 1, redis.call('ZSCORE', KEYS[1], ARGV[4])}
"""


class Place(NamedTuple):
    """Where somebody stands: let in, or the how-manieth; ``cookie`` is what keeps it."""

    is_admitted: bool
    position: int
    cookie: str

    @property
    def poll_ms(self) -> int:
        """Return after how many milliseconds to ask again: those far back ask less often."""
        return int(min(POLL_MOST_MS, max(POLL_LEAST_MS, 500 * self.position / settings.WAITING_PER_S)))

    def words(self) -> str:
        """Say how long it may take."""
        seconds = self.position / settings.WAITING_PER_S
        return "马上轮到您" if seconds < 10 else f"大约还要 {round(seconds / 60) or 1} 分钟"


class Kept(NamedTuple):
    """What a cookie says of its holder: since when in line (us), and whether let in."""

    since: str
    is_admitted: bool


@functools.lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)


def _keys(round_id: int) -> list[str]:
    return [f"wait:{round_id}:{part}" for part in ("line", "admitted", "state")]


class InLine(Refusal):
    """Sent to the waiting room: says which place, and where it is."""

    def __init__(self, place: Place, onward: str) -> None:
        super().__init__(IN_LINE, position=place.position)
        self.address = f"/m/wait?next={onward}"

    def as_dict(self) -> dict[str, str]:
        """Return what the API answers, with the address that the page's script goes to."""
        return super().as_dict() | {"wait_url": self.address}


# ---- the line


def enter(round_id: int, consumer_id: int, cookie: str, now_us: int | None = None) -> Place:
    """Join a round's line, or ask again from the place that one holds; idempotent."""
    kept = _kept(cookie, round_id, consumer_id)
    if kept is not None and kept.is_admitted:
        return Place(is_admitted=True, position=0, cookie=cookie)
    # Whoever has a cookie, and a process that saw this line before, know that it is no fresh morning.
    first = 0 if kept is not None or round_id in _seen else settings.WAITING_BURST
    keys, since = _keys(round_id), kept.since if kept else ""
    moment = "" if now_us is None else now_us
    arguments = [moment, settings.WAITING_PER_S, settings.WAITING_BURST, consumer_id, since, KEEP_S, first]
    try:
        admitted, position, since = _client(settings.REDIS_URL).eval(_STEP, len(keys), *keys, *arguments)
    except RedisError:
        log.warning("waiting room: redis is not there, everybody is let through")
        return Place(is_admitted=True, position=0, cookie="")
    _seen.add(round_id)
    note = f"{round_id}:{consumer_id}:{int(float(since or 0))}:{int(admitted)}"
    return Place(bool(admitted), int(position), _signer().sign(note))


def _signer() -> signing.Signer:
    return signing.Signer(salt=SALT, sep="~")


def _kept(cookie: str, round_id: int, consumer_id: int) -> Kept | None:
    """Return what a cookie says of its holder in this line, None for another's."""
    try:
        round_, consumer, since, admitted = _signer().unsign(cookie).split(":") if cookie else ("",) * 4
    except (signing.BadSignature, ValueError):
        return None
    return Kept(since, admitted == "1") if (round_, consumer) == (str(round_id), str(consumer_id)) else None


# ---- the door


class Door:
    """What one process knows of a round's door: whether a line stands before it, and its own small allowance."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.allowance = float(settings.WAITING_PER_S)
        self.counted_at = time.monotonic()
        self.looked_at = -LOOK_EVERY_S
        self.has_line = False

    def lets_through(self, round_id: int) -> bool:
        """Say whether to let one more in: no line anywhere, and this process's second is not used up."""
        with self.lock:
            now = time.monotonic()
            look = now - self.looked_at >= LOOK_EVERY_S
            if look:
                self.looked_at = now
        if look:
            self.has_line = _has_line(round_id)
        return self.lets_through_unasked(now)

    def lets_through_unasked(self, now: float) -> bool:
        """Say the same from what is known, however old; asks nobody."""
        if self.has_line:
            return False
        with self.lock:
            passed = (now - self.counted_at) * settings.WAITING_PER_S
            self.allowance, self.counted_at = min(settings.WAITING_PER_S, self.allowance + max(passed, 0)), now
            if self.allowance < 1:
                return False
            self.allowance -= 1
            return True


def _has_line(round_id: int) -> bool:
    """Say whether people wait for something that is still to be had; sold out is said at once, not after an hour."""
    try:
        if not _client(settings.REDIS_URL).zcard(_keys(round_id)[0]):
            return False
    except RedisError:
        return False
    return not is_out(round_id)


def is_out(round_id: int) -> bool:
    """Say whether nothing is left in any deck of a round that is dealt; once true it stays, tickets only grow."""
    known = _out.get(round_id)
    if known is None or (not known[1] and time.monotonic() - known[0] >= LOOK_EVERY_S):
        decks = Deck.objects.filter(round_id=round_id)
        try:
            out = not decks.filter(next_ticket__lt=F("size")).exists() and decks.exists()
        finally:
            close_old_connections()  # asked ahead of Django's own end of a request too
        known = _out[round_id] = (time.monotonic(), out)
    return known[1]


_doors: dict[int, Door] = {}
_seen: set[int] = set()
_open: list[tuple[float, int | None]] = []
_out: dict[int, tuple[float, bool]] = {}


def gate(round_id: int, consumer_id: int, cookie: str) -> Place | None:
    """Return None for somebody who may go on to the wheel, else the place where they wait."""
    kept = _kept(cookie, round_id, consumer_id) if cookie else None
    if kept is not None and kept.is_admitted:
        return None
    door = _doors.get(round_id) or _doors.setdefault(round_id, Door())
    if door.lets_through(round_id):
        return None
    place = enter(round_id, consumer_id, cookie)
    return None if place.is_admitted else place


def passes_unasked(round_id: int, consumer_id: int, cookie: str) -> bool:
    """Say whether ``gate`` lets somebody through without asking Redis or the database; if not, ask ``gate``."""
    kept = _kept(cookie, round_id, consumer_id) if cookie else None
    if kept is not None and kept.is_admitted:
        return True
    door, now = _doors.get(round_id), time.monotonic()
    return door is not None and now - door.looked_at < LOOK_EVERY_S and door.lets_through_unasked(now)


def open_round_id() -> int | None:
    """Return the round that is open, asked of the database once a second per process: thousands who wait ask."""
    if not _open or time.monotonic() - _open[0][0] >= LOOK_EVERY_S:
        campaign = Campaign.objects.current()
        rounds = campaign.rounds.open_at(clock.now()) if campaign else None
        found = rounds.values_list("pk", flat=True).first() if rounds is not None else None
        _open[:] = [(time.monotonic(), found)]
    return _open[0][1]


def forget() -> None:
    """Drop what this process knows of doors: for tests, whose rounds reuse numbers."""
    _doors.clear()
    _seen.clear()
    _open.clear()
    _out.clear()
