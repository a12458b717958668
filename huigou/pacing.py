"""How often one address may ask, counted in Redis: the coarse sieve in front of the limits that the database keeps.

Exact under threads (one INCR decides). Without Redis nobody is held up: what costs money or guesses a code is counted
in the database whatever happens here. Behind one address may sit half a town, so the figures stop floods, not people.
"""

from __future__ import annotations

from typing import Any

from django_ratelimit.core import is_ratelimited
from redis.exceptions import RedisError

from huigou.errors import Reason

TOO_FAST = Reason("too_fast", 429, "操作过于频繁", "请稍等一分钟再试")


def keep(request: Any, what: str, rate: str) -> None:
    """Count one request of this address for ``what``; raises TOO_FAST beyond ``rate`` ("300/m")."""
    try:
        beyond = is_ratelimited(request, group=what, key="ip", rate=rate, increment=True)
    except RedisError:
        return
    if beyond:
        raise TOO_FAST()
