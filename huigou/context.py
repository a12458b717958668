"""What every template may say about this site."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """Return whether this is a demonstration, and whether WeChat is connected."""
    return {"demo": settings.DEMO, "wechat_on": bool(settings.WECHAT_APP_ID)}
