"""What the system checks say of the settings."""

from __future__ import annotations

import re

from django.conf import settings

from huigou.wechat.calling import is_configured


def problems() -> list[str]:
    """Return in Chinese what is wrong with the settings, for the system checks."""
    found = []
    if bool(settings.WECHAT_APP_ID) != bool(settings.WECHAT_APP_SECRET):
        found.append("WECHAT_APP_ID 与 WECHAT_APP_SECRET 必须同时设置或同时留空")
    for name in ("WECHAT_API_BASE", "WECHAT_OPEN_BASE", "WECHAT_MP_BASE", "WECHAT_JSSDK_URL"):
        if not re.match(r"https?://[^/]+", getattr(settings, name)) or getattr(settings, name).endswith("/"):
            found.append(f"{name} 应为不带末尾斜杠的网址")
    return found


def gaps() -> list[str]:
    """Return in Chinese what a connected account cannot do yet, for the system checks."""
    if not is_configured():
        return []
    served = settings.WECHAT_FIELDS if settings.WECHAT_ONCE_TEMPLATE else settings.WECHAT_TEMPLATES
    missing = [kind for kind in settings.WECHAT_FIELDS if kind not in served]
    found = [f"未设置 WECHAT_TEMPLATE_{kind.upper()}，不会发送这类微信订阅消息" for kind in missing]
    if not settings.WECHAT_VERIFY:
        found.append("未设置 WECHAT_VERIFY（MP_verify_….txt 的内容），微信后台无法核对网页授权域名")
    return found
