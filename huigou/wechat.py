"""The six calls of WeChat's official-account interface that this platform makes, on requests.

Authorise address, code to openid, profile, stable_token, JS-SDK ticket with its signature, subscribe message. Without
an app id nothing here is called: everybody works by phone and SMS code. Source: developers.weixin.qq.com, 服务号文档.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.core.cache import cache
from django.views.decorators.debug import sensitive_variables
from redis.exceptions import RedisError

from huigou import outbound
from huigou.errors import Reason, Refusal

log = logging.getLogger(__name__)
T = TypeVar("T")

_BY_PHONE = "也可以用手机号和短信验证码办理"
NOT_CONFIGURED = Reason("wechat_off", 404, "本平台未开通微信登录", "请用手机号和短信验证码办理")
BAD_CODE = Reason("wechat_bad_code", 400, "微信授权已失效", "请从公众号菜单重新进入；" + _BY_PHONE)
SNAPSHOT = Reason("wechat_snapshot", 403, "当前是微信快照页，不能办理", "请点页面右下角“使用完整服务”后再试")
BUSY = Reason("wechat_busy", 503, "微信服务繁忙", "请稍候再试；" + _BY_PHONE)
UNREACHABLE = Reason("wechat_unreachable", 503, "暂时连不上微信", "请稍候再试；" + _BY_PHONE)
TOKEN_EXPIRED = Reason("wechat_token_expired", 503, "微信接口凭据失效", "请稍候再试；" + _BY_PHONE)
MISCONFIGURED = Reason("wechat_misconfigured", 503, "微信接口配置有误", "请联系管理员；" + _BY_PHONE)
UNSUBSCRIBED = Reason("wechat_unsubscribed", 409, "对方未订阅此类消息", "请改用短信或在页面上提示")
BAD_MESSAGE = Reason("wechat_bad_message", 502, "微信消息的模板或内容不被接受", "请管理员核对消息模板")
OTHER = Reason("wechat_refused", 502, "微信没有受理", "请稍候再试；" + _BY_PHONE)

TOKEN_DEAD = {40001, 40014, 42001}
_REASONS: dict[int, Reason] = {
    -1: BUSY,
    45009: BUSY,  # the day's quota of this call is used up
    45011: BUSY,  # too many calls in this minute
    40029: BAD_CODE,
    40163: BAD_CODE,  # the code was used before
    42003: BAD_CODE,  # the code is older than five minutes
    40003: BAD_MESSAGE,
    40037: BAD_MESSAGE,
    41030: BAD_MESSAGE,
    47003: BAD_MESSAGE,
    43101: UNSUBSCRIBED,
    40013: MISCONFIGURED,
    40125: MISCONFIGURED,
    40164: MISCONFIGURED,  # this server's address is not on the account's white list
    48001: MISCONFIGURED,
    **dict.fromkeys(TOKEN_DEAD, TOKEN_EXPIRED),
}

EXPIRY_MARGIN_S = 300  # WeChat hands out the next token in the last five minutes of this one
COOL_S = {BUSY.code: 30}  # how long nobody asks again for a token after a failure ...
COOL_DEFAULT_S = 2  # ... so that those who waited do not each repeat it
FORCED_REFRESH_GAP_S = 60  # WeChat takes 20 forced refreshes a day, at least 30 s apart
POLL_S = 0.05


class WechatError(Refusal):
    """A call to WeChat that did not succeed. Holds neither secret nor token nor openid.

    ``errcode`` is WeChat's (None when no answer came), ``detail`` its words, scrubbed, ``maybe_done`` true when no
    answer came but WeChat may have acted, so that a message is not sent twice without thought.
    """

    def __init__(
        self, reason: Reason, errcode: int | None = None, detail: str = "", *, maybe_done: bool = False
    ) -> None:
        super().__init__(reason)
        self.errcode = errcode
        self.detail = detail
        self.maybe_done = maybe_done

    @property
    def retryable(self) -> bool:
        """Say whether the same call may succeed later without anybody's doing."""
        return self.reason in (BUSY, UNREACHABLE, TOKEN_EXPIRED)


@dataclass(frozen=True)
class Grant:
    """What a code was exchanged for. ``openid`` refuses to be read off a snapshot page."""

    raw_openid: str = field(repr=False)
    scope: str
    snapshot: bool
    access_token: str = field(repr=False)
    unionid: str = field(default="", repr=False)

    @property
    def openid(self) -> str:
        """Return the openid; WechatError(SNAPSHOT) when it is the virtual one of a 快照页, which is never bound."""
        if self.snapshot:
            raise WechatError(SNAPSHOT)
        return self.raw_openid


@dataclass(frozen=True)
class Profile:
    """A person's public profile; the nickname may hold any character."""

    openid: str = field(repr=False)
    nickname: str = field(repr=False)
    avatar_url: str = field(repr=False)


@dataclass(frozen=True)
class JsapiConfig:
    """What the page passes to wx.config. The timestamp is a string: iOS fails on a number."""

    app_id: str
    timestamp: str
    nonce: str
    signature: str

    def as_dict(self) -> dict[str, str]:
        """Return it under the names that wx.config takes."""
        return {
            "appId": self.app_id,
            "timestamp": self.timestamp,
            "nonceStr": self.nonce,
            "signature": self.signature,
        }


def is_configured() -> bool:
    """Say whether an app id and its secret are set."""
    return bool(settings.WECHAT_APP_ID and settings.WECHAT_APP_SECRET)


def authorise_url(
    redirect_uri: str, state: str, scope: Literal["snsapi_base", "snsapi_userinfo"] = "snsapi_base"
) -> str:
    """Return the address that a page inside WeChat is sent to; WeChat sends it back with ``code`` and ``state``.

    ``state`` is 1 to 128 letters and digits, single-use and bound to the session by the caller. snsapi_userinfo only
    after a tap: a page opened straight into it is shown as a 快照页.
    """
    if not re.fullmatch(r"[A-Za-z0-9]{1,128}", state):
        raise ValueError("state must be 1 to 128 letters and digits")
    # WeChat compares the order of these too.
    query = urlencode(
        {
            "appid": settings.WECHAT_APP_ID,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": scope,
            "state": state,
        }
    )
    return f"{settings.WECHAT_OPEN_BASE}/connect/oauth2/authorize?{query}#wechat_redirect"


@sensitive_variables()
def code_to_grant(code: str) -> Grant:
    """Exchange the code of a redirect (single-use, 5 minutes) for an openid.

    Raises WechatError: BAD_CODE when the code is invalid, used or old.
    """
    found = _call(
        "GET",
        "/sns/oauth2/access_token",
        params={
            "appid": settings.WECHAT_APP_ID,
            "secret": settings.WECHAT_APP_SECRET,
            "code": code,
            "grant_type": "authorization_code",
        },
        hidden=(code,),
    )
    return Grant(
        raw_openid=_text(found, "openid"),
        scope=str(found.get("scope", "")),
        snapshot=str(found.get("is_snapshotuser", 0)) == "1",
        access_token=_text(found, "access_token"),
        unionid=str(found.get("unionid", "")),
    )


@sensitive_variables()
def profile(grant: Grant) -> Profile:
    """Fetch nickname and picture of somebody who agreed to snsapi_userinfo; a 快照页's virtual one is refused."""
    openid = grant.openid
    found = _call(
        "GET",
        "/sns/userinfo",
        params={"access_token": grant.access_token, "openid": openid, "lang": "zh_CN"},
        hidden=(grant.access_token, openid),
    )
    return Profile(_text(found, "openid"), str(found.get("nickname", "")), str(found.get("headimgurl", "")))


def access_token() -> str:
    """Return the account's token, from the cache or, by one worker at a time, from stable_token."""
    return _shared("token", _fetch_token)


def jsapi_ticket() -> str:
    """Return the ticket that JS-SDK signatures are made with, cached like the token."""
    return _shared("ticket", _fetch_ticket)


@sensitive_variables()
def jsapi_config(url: str, now: datetime) -> JsapiConfig:
    """Sign a page's address for wx.config (getLocation, scanQRCode).

    ``url`` is location.href as the phone sees it; its fragment does not count.
    """
    nonce, timestamp = secrets.token_hex(8), str(int(now.timestamp()))
    signature = jsapi_signature(jsapi_ticket(), nonce, timestamp, url)
    return JsapiConfig(settings.WECHAT_APP_ID, timestamp, nonce, signature)


@sensitive_variables()
def jsapi_signature(ticket: str, nonce: str, timestamp: str, url: str) -> str:
    """Return the SHA-1 (hex) that WeChat's JS-SDK document prescribes, 附录1."""
    page = url.partition("#")[0]
    plain = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={page}"
    return hashlib.sha1(plain.encode(), usedforsecurity=False).hexdigest()


@sensitive_variables()
def send_subscribe(openid: str, template_id: str, data: Mapping[str, str], page: str = "") -> None:
    """Send one subscribe message; ``data`` maps the template's keywords (thing1, time2) to their text.

    Raises WechatError: UNSUBSCRIBED when the person did not subscribe or left, BAD_MESSAGE for template or content.
    """
    message: dict[str, Any] = {
        "touser": openid,
        "template_id": template_id,
        "data": {name: {"value": value} for name, value in data.items()},
    }
    if page:
        message["page"] = page

    def send(token: str) -> None:
        _call(
            "POST",
            "/cgi-bin/message/subscribe/bizsend",
            params={"access_token": token},
            document=message,
            hidden=(token, openid, *data.values()),
        )

    _with_token(send)


def problems() -> list[str]:
    """Return in Chinese what is wrong with the settings, for the system checks."""
    found = []
    if bool(settings.WECHAT_APP_ID) != bool(settings.WECHAT_APP_SECRET):
        found.append("WECHAT_APP_ID 与 WECHAT_APP_SECRET 必须同时设置或同时留空")
    for name in ("WECHAT_API_BASE", "WECHAT_OPEN_BASE", "WECHAT_JSSDK_URL"):
        if not re.match(r"https?://[^/]+", getattr(settings, name)) or getattr(settings, name).endswith("/"):
            found.append(f"{name} 应为不带末尾斜杠的网址")
    return found


def gaps() -> list[str]:
    """Return in Chinese what a connected account cannot do yet, for the system checks."""
    if not is_configured():
        return []
    missing = [kind for kind in settings.WECHAT_FIELDS if kind not in settings.WECHAT_TEMPLATES]
    found = [f"未设置 WECHAT_TEMPLATE_{kind.upper()}，不会发送这类微信订阅消息" for kind in missing]
    if not settings.WECHAT_VERIFY:
        found.append("未设置 WECHAT_VERIFY（MP_verify_….txt 的内容），微信后台无法核对网页授权域名")
    return found


@sensitive_variables()
def _fetch_token(dead: str) -> tuple[str, int]:
    """Ask for the account's token; force a new one only when WeChat still hands out the one it refused."""

    def ask(*, force: bool) -> tuple[str, int]:
        found = _call(
            "POST",
            "/cgi-bin/stable_token",
            document={
                "grant_type": "client_credential",
                "appid": settings.WECHAT_APP_ID,
                "secret": settings.WECHAT_APP_SECRET,
                "force_refresh": force,
            },
        )
        return _text(found, "access_token"), _lifetime_s(found)

    token, lifetime_s = ask(force=False)
    if token != dead:
        return token, lifetime_s
    if not cache.add(_key("forced"), 1, timeout=FORCED_REFRESH_GAP_S):
        raise WechatError(TOKEN_EXPIRED, detail="forced refresh tried a moment ago")
    return ask(force=True)


@sensitive_variables()
def _fetch_ticket(dead: str) -> tuple[str, int]:
    def ask(token: str) -> tuple[str, int]:
        found = _call(
            "GET", "/cgi-bin/ticket/getticket", params={"access_token": token, "type": "jsapi"}, hidden=(token,)
        )
        return _text(found, "ticket"), _lifetime_s(found)

    return _with_token(ask)


@sensitive_variables()
def _with_token(ask: Callable[[str], T]) -> T:
    """Make a call with the token, and once more with a new one when WeChat says that it is dead."""
    token = access_token()
    try:
        return ask(token)
    except WechatError as error:
        if error.errcode not in TOKEN_DEAD:
            raise
    return ask(_shared("token", _fetch_token, dead=token))


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
                failure = WechatError(_reason_named(cooling[0]), cooling[1], cooling[2])
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


@sensitive_variables()
def _call(
    method: Literal["GET", "POST"],
    path: str,
    *,
    params: Mapping[str, str] | None = None,
    document: Mapping[str, Any] | None = None,
    hidden: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Make one call and return its document; a failure is a WechatError whose detail holds nothing of ``hidden``."""
    if not is_configured():
        raise WechatError(NOT_CONFIGURED)
    failure: WechatError
    try:
        answer = outbound.call(
            method,
            settings.WECHAT_API_BASE + path,
            timeout_s=settings.WECHAT_TIMEOUT_S,
            params=params,
            body=None if document is None else json.dumps(document, ensure_ascii=False).encode(),
            headers={"Content-Type": "application/json; charset=utf-8"} if document is not None else None,
        )
        found = answer.document()
        errcode = int(found.get("errcode") or 0)
        if answer.status == 200 and errcode == 0:
            return found
        detail = outbound.scrubbed(found.get("errmsg", ""), (settings.WECHAT_APP_SECRET, *hidden))
        reason = _REASONS.get(errcode, OTHER) if errcode else UNREACHABLE
        failure = WechatError(reason, errcode or None, detail or f"HTTP {answer.status}")
    except outbound.Unreachable as silence:
        failure = WechatError(UNREACHABLE, detail=silence.kind, maybe_done=silence.maybe_received)
    except ValueError:
        failure = WechatError(UNREACHABLE, detail="unreadable answer", maybe_done=True)
    if failure.errcode == 40001 and path == "/cgi-bin/stable_token":
        failure = WechatError(MISCONFIGURED, 40001, failure.detail)  # there it means a wrong app secret
    log.warning("wechat %s: %s errcode=%s %s", path, failure.code, failure.errcode, failure.detail)
    raise failure


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise WechatError(UNREACHABLE, detail=f"answer without {name}")
    return value


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


def _reason_named(code: str) -> Reason:
    known = (BUSY, UNREACHABLE, TOKEN_EXPIRED, MISCONFIGURED, OTHER)
    return next((reason for reason in known if reason.code == code), OTHER)
