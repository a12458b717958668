"""The waiting room before the wheel, when more people come than can be served at once.

Redis keeps the line; a signed cookie keeps each person's own place, so that a reload loses nothing and a line that
Redis has lost is rebuilt, in the same order, by those who stand in it. Places only spread the load: which card
somebody gets is the deck's. Without Redis everybody is let through.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
from typing import NamedTuple

import redis
from django.conf import settings
from django.core import signing
from redis.exceptions import RedisError

from coupons.models import Consumer, Round
from huigou.clock import spoken

log = logging.getLogger(__name__)
COOKIE = "hg_w"
SALT = "huigou.waiting"
KEEP_S = 12 * 3600
POLL_LEAST_MS, POLL_MOST_MS = 2_000, 15_000

# One step of the line, atomic in Redis: join (or keep one's place), let in as many as the rate allows, answer.
# KEYS: line, admitted, state. ARGV: now (us), rate per s, burst, who, since when (us), seconds to keep, tokens
# to begin with.
_STEP = """
if redis.call('SISMEMBER', KEYS[2], ARGV[4]) == 1 then return {1, 0, ARGV[5]} end
redis.call('ZADD', KEYS[1], 'NX', ARGV[5], ARGV[4])
local now, rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
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
if not rank then return {1, 0, ARGV[5]} end
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


@functools.lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)


def enter(round_: Round, consumer: Consumer, cookie: str, now: dt.datetime) -> Place:
    """Join a round's line, or ask again from the place that one holds; idempotent."""
    kept = _kept(cookie, round_, consumer)
    if kept is not None and kept[1]:
        return Place(is_admitted=True, position=0, cookie=cookie)
    now_us = int(now.timestamp() * 1_000_000)
    since = kept[0] if kept is not None else now_us
    keys = [f"wait:{round_.pk}:{part}" for part in ("line", "admitted", "state")]
    first = settings.WAITING_BURST if kept is None else 0
    arguments = [now_us, settings.WAITING_PER_S, settings.WAITING_BURST, consumer.pk, since, KEEP_S, first]
    try:
        admitted, position, since = _client(settings.REDIS_URL).eval(_STEP, len(keys), *keys, *arguments)
    except RedisError:
        log.warning("waiting room: redis is not there, everybody is let through (%s)", spoken(now))
        return Place(is_admitted=True, position=0, cookie="")
    note = signing.dumps([round_.pk, consumer.pk, int(float(since)), int(admitted)], salt=SALT)
    return Place(bool(admitted), int(position), note)


def _kept(cookie: str, round_: Round, consumer: Consumer) -> tuple[int, bool] | None:
    """Return since when a cookie's holder stands in this line and whether they were let in; None for another's."""
    try:
        round_id, consumer_id, since, admitted = signing.loads(cookie, salt=SALT) if cookie else (0, 0, 0, 0)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return (since, bool(admitted)) if (round_id, consumer_id) == (round_.pk, consumer.pk) else None
