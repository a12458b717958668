"""What a serving process makes sure of before its first request."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

SHIFTED = "平台时钟被拨动：正式运行拒绝启动。请以所有者角色把 huigou_clockshift 归零"


def clock_is_shifted() -> bool:
    """Say whether the platform's clock is shifted or frozen; False before the first migrate."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('huigou_clockshift') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute("SELECT 1 FROM huigou_clockshift WHERE offset_by <> '0' OR frozen_at IS NOT NULL")
        return cursor.fetchone() is not None


def refuse_shifted_clock() -> None:
    """Raise ImproperlyConfigured where a production is started on a clock that was set for a rehearsal.

    A database that is not up yet stops nobody here: readiness waits for it, and asks the same.
    """
    if settings.DEMO:
        return
    try:
        shifted = clock_is_shifted()
    except DatabaseError:
        return
    finally:
        connection.close()  # the web forks after this
    if shifted:
        raise ImproperlyConfigured(SHIFTED)
