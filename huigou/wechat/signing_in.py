"""Who somebody is: to WeChat for a code, and the code for an openid or a profile."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from huigou.wechat.calling import call, text
from huigou.wechat.errors import SNAPSHOT, WechatError


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
    found = call(
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
        raw_openid=text(found, "openid"),
        scope=str(found.get("scope", "")),
        snapshot=str(found.get("is_snapshotuser", 0)) == "1",
        access_token=text(found, "access_token"),
        unionid=str(found.get("unionid", "")),
    )


@sensitive_variables()
def profile(grant: Grant) -> Profile:
    """Fetch nickname and picture of somebody who agreed to snsapi_userinfo; a 快照页's virtual one is refused."""
    openid = grant.openid
    found = call(
        "GET",
        "/sns/userinfo",
        params={"access_token": grant.access_token, "openid": openid, "lang": "zh_CN"},
        hidden=(grant.access_token, openid),
    )
    return Profile(text(found, "openid"), str(found.get("nickname", "")), str(found.get("headimgurl", "")))
