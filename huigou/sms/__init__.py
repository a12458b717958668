"""Text messages, with backends like those of Django's e-mail: SMS_BACKEND names one of them."""

from __future__ import annotations

from django.conf import settings

from huigou.sms.aliyun import AliyunBackend
from huigou.sms.base import (
    BAD_NUMBER,
    BUSY,
    DOWN,
    MISCONFIGURED,
    REJECTED,
    Backend,
    Receipt,
    Sms,
    SmsError,
    has_shop_template,
    shop_code,
    verification,
)
from huigou.sms.console import ConsoleBackend
from huigou.sms.file import FileBackend
from huigou.sms.http import HttpBackend
from huigou.sms.tencent import TencentBackend

BACKENDS: dict[str, type[Backend]] = {
    "console": ConsoleBackend,
    "file": FileBackend,
    "http": HttpBackend,
    "tencent": TencentBackend,
    "aliyun": AliyunBackend,
}

__all__ = [
    "BACKENDS",
    "BAD_NUMBER",
    "BUSY",
    "DOWN",
    "MISCONFIGURED",
    "REJECTED",
    "Backend",
    "Receipt",
    "Sms",
    "SmsError",
    "get_backend",
    "has_shop_template",
    "is_real",
    "problems",
    "shop_code",
    "verification",
]


def get_backend() -> Backend:
    """Return the backend that settings.SMS_BACKEND names; KeyError for a name that is none."""
    return BACKENDS[settings.SMS_BACKEND]()


def is_real() -> bool:
    """Say whether a message leaves this machine and costs money."""
    return BACKENDS[settings.SMS_BACKEND].real


def problems() -> list[str]:
    """Return in Chinese what the chosen backend lacks, for the system checks."""
    if settings.SMS_BACKEND not in BACKENDS:
        return [f"SMS_BACKEND 应为 {'、'.join(BACKENDS)} 之一"]
    return get_backend().problems()
