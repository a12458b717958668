"""The account's token and the ticket made with it: fetched by one worker at a time, kept, replaced when they die."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.conf import settings
from django.core.cache import cache
from django.views.decorators.debug import sensitive_variables
from redis.exceptions import RedisError

from huigou.wechat.calling import call, text
from huigou.wechat.errors import BUSY, TOKEN_DEAD, TOKEN_EXPIRED, UNREACHABLE, WechatError, reason_named

T = TypeVar("T")

EXPIRY_MARGIN_S = 300  # WeChat hands out the next token in the last five minutes of this one
COOL_S = {BUSY.code: 30}  # how long nobody asks again for a token after a failure ...
COOL_DEFAULT_S = 2  # ... so that those who waited do not each repeat it
FORCED_REFRESH_GAP_S = 60  # WeChat takes 20 forced refreshes a day, at least 30 s apart
POLL_S = 0.05


def access_token() -> str:
    """Return the account's token, from the cache or, by one worker at a time, from stable_token."""
    return _shared("token", _fetch_token)


def jsapi_ticket() -> str:
    """Return the ticket that JS-SDK signatures are made with, cached like the token."""
    return _shared("ticket", _fetch_ticket)


@sensitive_variables()
def with_token(ask: Callable[[str], T]) -> T:
    """Make a call with the token, and once more with a new one when WeChat says that it is dead."""
    token = access_token()
    try:
        return ask(token)
    except WechatError as error:
        if error.errcode not in TOKEN_DEAD:
            raise
    return ask(_shared("token", _fetch_token, dead=token))


@sensitive_variables()
def _fetch_token(dead: str) -> tuple[str, int]:
    """Ask for the account's token; force a new one only when WeChat still hands out the one it refused."""

    def ask(*, force: bool) -> tuple[str, int]:
        found = call(
            "POST",
            "/cgi-bin/stable_token",
            document={
                "grant_type": "client_credential",
                "appid": settings.WECHAT_APP_ID,
                "secret": settings.WECHAT_APP_SECRET,
                "force_refresh": force,
            },
        )
        return text(found, "access_token"), _lifetime_s(found)

    token, lifetime_s = ask(force=False)
    if token != dead:
        return token, lifetime_s
    if not cache.add(_key("forced"), 1, timeout=FORCED_REFRESH_GAP_S):
        raise WechatError(TOKEN_EXPIRED, detail="forced refresh tried a moment ago")
    return ask(force=True)


@sensitive_variables()
def _fetch_ticket(dead: str) -> tuple[str, int]:
    def ask(token: str) -> tuple[str, int]:
        found = call(
            "GET", "/cgi-bin/ticket/getticket", params={"access_token": token, "type": "jsapi"}, hidden=(token,)
        )
        return text(found, "ticket"), _lifetime_s(found)

    return with_token(ask)


@sensitive_variables()
def _shared(name: str, fetch: Callable[[str], tuple[str, int]], dead: str = "") -> str:
    """Return a cached credential other than ``dead``; of those who find none, one fetches and the others wait for it.

    The lock runs out by itself, so that a worker killed while it fetched blocks the others no longer than one wait.
    """
    key, lock, cool = _key(name), _key(name + ":lock"), _key(name + ":cool")
    patience_s = 2 * settings.WECHAT_TIMEOUT_S + 1
    deadline = time.monotonic() + patience_s
    failure = None
    while failure is None and time.monotonic() < deadline:
        try:
            if (held := cache.get(key)) and held != dead:
                return held
            if cooling := cache.get(cool):
                failure = WechatError(reason_named(cooling[0]), cooling[1], cooling[2])
            elif cache.add(lock, mine := secrets.token_hex(8), timeout=patience_s):
                return _fetch_locked(key, lock, cool, mine, fetch, dead)
            else:
                time.sleep(POLL_S)
        except RedisError:
            failure = WechatError(UNREACHABLE, detail="cache")
    raise failure or WechatError(BUSY, detail=f"waited for {name}")


@sensitive_variables()
def _fetch_locked(key: str, lock: str, cool: str, mine: str, fetch: Callable[[str], tuple[str, int]], dead: str) -> str:
    try:
        # Somebody may have finished between our look at the cache and our lock.
        if (held := cache.get(key)) and held != dead:
            return held
        value, lifetime_s = fetch(dead)
        cache.set(key, value, timeout=lifetime_s)
        return value
    except WechatError as error:
        seconds = COOL_S.get(error.code, COOL_DEFAULT_S)
        cache.set(cool, (error.code, error.errcode, error.detail), timeout=seconds)
        raise
    finally:
        # Ours may have run out while WeChat was slow, and the lock be another's by now.
        if cache.get(lock) == mine:
            cache.delete(lock)


def _lifetime_s(found: Mapping[str, Any]) -> int:
    """Return for how many seconds to keep a credential: WeChat's figure less the margin, never less than half of it."""
    try:
        seconds = int(found["expires_in"])
    except (KeyError, TypeError, ValueError):
        seconds = 0
    return max(seconds - EXPIRY_MARGIN_S, seconds // 2, 1)


def _key(name: str) -> str:
    """Return the cache key of one account's thing."""
    return f"wechat:{settings.WECHAT_APP_ID}:{name}"
