"""Messages: by a template that somebody subscribed to, or the one that somebody allowed just now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from huigou.wechat.calling import call
from huigou.wechat.credentials import with_token


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
        call(
            "POST",
            "/cgi-bin/message/subscribe/bizsend",
            params={"access_token": token},
            document=message,
            hidden=(token, openid, *data.values()),
        )

    with_token(send)


def subscribe_url(template_id: str, scene: int, redirect_url: str, reserved: str) -> str:
    """Return the address where WeChat asks somebody to allow one message; it sends them to ``redirect_url``.

    The answer carries openid, template_id, action (confirm or cancel), scene and ``reserved``, which is 1 to 128
    letters and digits, single-use and bound to the session by the caller. Source: 服务号文档, 一次性订阅消息.
    """
    query = urlencode(
        {
            "action": "get_confirm",
            "appid": settings.WECHAT_APP_ID,
            "scene": scene,
            "template_id": template_id,
            "redirect_url": redirect_url,
            "reserved": reserved,
        }
    )
    return f"{settings.WECHAT_MP_BASE}/mp/subscribemsg?{query}#wechat_redirect"


@sensitive_variables()
def send_once(openid: str, template_id: str, scene: int, title: str, content: str, url: str) -> None:
    """Send the one message that somebody allowed for a scene; at most 15 characters of title, 200 of content.

    Raises WechatError: UNSUBSCRIBED when nothing is allowed or it is used up, BAD_MESSAGE for template or content.
    """
    message = {
        "touser": openid,
        "template_id": template_id,
        "url": url,
        "scene": str(scene),
        "title": title[:15],
        "data": {"content": {"value": content[:200]}},
    }

    def send(token: str) -> None:
        call(
            "POST",
            "/cgi-bin/message/template/subscribe",
            params={"access_token": token},
            document=message,
            hidden=(token, openid, content),
        )

    with_token(send)
