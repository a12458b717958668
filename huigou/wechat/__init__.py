"""The seven calls of WeChat's official-account interface that this platform makes, on requests.

Authorise address, code to openid, profile, stable_token, JS-SDK ticket with its signature, subscribe message by a
template of its own, and the one-off message that somebody allowed. Without an app id nothing here is called: everybody
works by phone and SMS code. Source: developers.weixin.qq.com, 服务号文档.
"""

from huigou.wechat.calling import is_configured
from huigou.wechat.checking import gaps, problems
from huigou.wechat.credentials import access_token, jsapi_ticket
from huigou.wechat.errors import (
    BAD_CODE,
    BAD_MESSAGE,
    BUSY,
    MISCONFIGURED,
    NOT_CONFIGURED,
    OTHER,
    SNAPSHOT,
    TOKEN_DEAD,
    TOKEN_EXPIRED,
    UNREACHABLE,
    UNSUBSCRIBED,
    WechatError,
)
from huigou.wechat.scripting import JsapiConfig, jsapi_config, jsapi_signature
from huigou.wechat.signing_in import Grant, Profile, authorise_url, code_to_grant, profile
from huigou.wechat.telling import send_once, send_subscribe, subscribe_url

__all__ = [
    "BAD_CODE",
    "BAD_MESSAGE",
    "BUSY",
    "MISCONFIGURED",
    "NOT_CONFIGURED",
    "OTHER",
    "SNAPSHOT",
    "TOKEN_DEAD",
    "TOKEN_EXPIRED",
    "UNREACHABLE",
    "UNSUBSCRIBED",
    "Grant",
    "JsapiConfig",
    "Profile",
    "WechatError",
    "access_token",
    "authorise_url",
    "code_to_grant",
    "gaps",
    "is_configured",
    "jsapi_config",
    "jsapi_signature",
    "jsapi_ticket",
    "problems",
    "profile",
    "send_once",
    "send_subscribe",
    "subscribe_url",
]
