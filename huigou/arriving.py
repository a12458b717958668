"""Somebody arrives through WeChat: sent there with a state, taken back once, remembered in the session.

A page inside WeChat is sent to it without being asked, for the openid alone (snsapi_base); nickname and picture only
after a tap (snsapi_userinfo). The state is single-use and stands in the session that it was given to. Whatever goes
wrong leaves the way by phone and SMS code open, and WeChat is not asked again for a while.
"""

from __future__ import annotations

import json
import secrets
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from csp.constants import SELF
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

from huigou import clock, wechat
from huigou.errors import Reason
from huigou.fields import seal, unseal

WRONG_STATE = Reason(
    "wechat_wrong_state", 400, "这次微信授权已失效", "请回到刚才的页面重新进入；也可以用手机号和短信验证码办理"
)
AWAY, ASKED, KNOWN, PAUSE = "wx_away", "wx_asked", "wx_known", "wx_pause"  # what the session holds
PURPOSE = "session"
STATES_KEPT = 3  # a person may have as many of our pages open on the way to WeChat
STATE_LIFE_S = 600
PAUSE_S = 300  # after a failure, or after somebody signed out


class Arrival(NamedTuple):
    """Who arrived: the openid, and the nickname where somebody agreed to give it."""

    openid: str
    name: str = ""


def is_inside(request: HttpRequest) -> bool:
    """Say whether a page is open in WeChat's own browser and this platform is connected to it."""
    return wechat.is_configured() and "MicroMessenger" in request.headers.get("User-Agent", "")


def should_ask(request: HttpRequest) -> bool:
    """Say whether to send a page to WeChat unasked: inside it, nobody known, and no failure a moment ago."""
    return (
        is_inside(request) and KNOWN not in request.session and request.session.get(PAUSE, 0) < clock.now().timestamp()
    )


def known(request: HttpRequest) -> Arrival | None:
    """Return who arrived in this session, None without WeChat."""
    kept = request.session.get(KNOWN) if wechat.is_configured() else None
    return Arrival(*json.loads(unseal(bytes.fromhex(kept), PURPOSE))) if kept else None


def forget(request: HttpRequest) -> None:
    """Drop who arrived, and leave WeChat alone for a while: somebody signed out."""
    if wechat.is_configured():
        request.session.pop(KNOWN, None)
        pause(request)


def pause(request: HttpRequest) -> None:
    """Do not send this session to WeChat for a while."""
    request.session[PAUSE] = int(clock.now().timestamp()) + PAUSE_S


def depart(request: HttpRequest, back: str, onward: str, *, with_name: bool) -> str:
    """Return the address at WeChat to send somebody to; WeChat sends them to our path ``back``, we then to ``onward``.

    ``with_name`` only after a tap: a page opened straight into it is a 快照页.
    """
    state = _new_state(request.session, AWAY, onward, with_name)
    ours = f"{origin(request)}{back}"
    return wechat.authorise_url(ours, state, "snsapi_userinfo" if with_name else "snsapi_base")


def depart_to_subscribe(request: HttpRequest, back: str, onward: str, kind: str, scene: int) -> str:
    """Return the address at WeChat where somebody may allow one message of a kind; the answer comes to ``back``."""
    state = _new_state(request.session, ASKED, onward, kind)
    return wechat.subscribe_url(settings.WECHAT_ONCE_TEMPLATE, scene, f"{origin(request)}{back}", state)


def come_from_subscribing(request: HttpRequest) -> tuple[str, str]:
    """Take the answer back once; return where to go on and the kind of message that was asked about.

    Raises WRONG_STATE for an answer to no question of this session, a used one or an old one.
    """
    return _take_state(request.session, request.GET.get("reserved", ""), ASKED)


def origin(request: HttpRequest) -> str:
    """Return our own address as phones see it, without a path."""
    return settings.SITE_URL or f"{request.scheme}://{request.get_host()}"


@sensitive_variables()
def come_back(request: HttpRequest) -> tuple[Arrival | None, str]:
    """Take somebody back from WeChat and remember them; return who it is, None when they said no, and where to go on.

    Raises WRONG_STATE for a state that is not this session's, was used or is old, and WechatError.
    """
    onward, with_name = _take_state(request.session, request.GET.get("state", ""))
    code = request.GET.get("code", "")
    if not code:
        return None, onward
    grant = wechat.code_to_grant(code)
    arrival = Arrival(grant.openid, wechat.profile(grant).nickname if with_name else "")
    request.session[KNOWN] = seal(json.dumps(arrival).encode(), PURPOSE).hex()
    return arrival, onward


def onward_of(request: HttpRequest, fallback: str) -> str:
    """Return where somebody with this state wanted to go, without using it up."""
    state = request.GET.get("state", "")
    return next((away[1] for away in request.session.get(AWAY, []) if away[0] == state), fallback)


def _new_state(session: SessionBase, kept_as: str, onward: str, meant: Any) -> str:
    """Make a state and keep in the session what it stands for."""
    state = secrets.token_hex(16)
    until = int(clock.now().timestamp()) + STATE_LIFE_S
    session[kept_as] = [*session.get(kept_as, []), [state, onward, meant, until]][-STATES_KEPT:]
    return state


def _take_state(session: SessionBase, state: str, kept_as: str = AWAY) -> tuple[str, Any]:
    """Use a state up: of two requests with the same one, the session's locked row lets one through."""
    with transaction.atomic():
        list(Session.objects.select_for_update().filter(pk=session.session_key or ""))
        kept = type(session)(session.session_key)  # read after the lock: ours may be older
        waiting: list[Any] = kept.get(kept_as, [])
        mine = next((away for away in waiting if secrets.compare_digest(away[0], state)), None)
        if mine is None:
            raise WRONG_STATE()
        rest = [away for away in waiting if away is not mine]
        kept[kept_as] = rest
        kept.save()
    session[kept_as] = rest
    _, onward, meant, until = mine
    if until < clock.now().timestamp():
        raise WRONG_STATE()
    return onward, meant


# ---- the script inside WeChat


def script_for(request: HttpRequest) -> str:
    """Return the address of WeChat's own script for a page that is open inside it, else ''."""
    return settings.WECHAT_JSSDK_URL if is_inside(request) else ""


def allow_script(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let a page that needs it load WeChat's script: one origin more in its policy, inside WeChat alone."""
    if address := script_for(request):
        parts = urlsplit(address)
        response._csp_update = {"script-src": [SELF, f"{parts.scheme}://{parts.netloc}"]}  # type: ignore[attr-defined]
    return response
