"""One call to WeChat: with a time limit, and with nothing private in what is said of a failure."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Literal

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from huigou import outbound
from huigou.wechat.errors import MISCONFIGURED, NOT_CONFIGURED, OTHER, REASONS, UNREACHABLE, WechatError

log = logging.getLogger(__name__)


def is_configured() -> bool:
    """Say whether an app id and its secret are set."""
    return bool(settings.WECHAT_APP_ID and settings.WECHAT_APP_SECRET)


@sensitive_variables()
def call(
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
        reason = REASONS.get(errcode, OTHER) if errcode else UNREACHABLE
        failure = WechatError(reason, errcode or None, detail or f"HTTP {answer.status}")
    except outbound.Unreachable as silence:
        failure = WechatError(UNREACHABLE, detail=silence.kind, maybe_done=silence.maybe_received)
    except ValueError:
        failure = WechatError(UNREACHABLE, detail="unreadable answer", maybe_done=True)
    if failure.errcode == 40001 and path == "/cgi-bin/stable_token":
        failure = WechatError(MISCONFIGURED, 40001, failure.detail)  # there it means a wrong app secret
    log.warning("wechat %s: %s errcode=%s %s", path, failure.code, failure.errcode, failure.detail)
    raise failure


def text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise WechatError(UNREACHABLE, detail=f"answer without {name}")
    return value
