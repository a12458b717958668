"""The one clock: the database's, read through one SQL function.

Pages and jobs read ``now()`` once at the edge and pass it in. A writing verb locks its row in one statement and
calls ``now()`` in the *next*, since ``now()`` of PostgreSQL is the transaction's start and a ``clock_timestamp()``
in the locking statement is read before the wait.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connections

SHANGHAI = ZoneInfo("Asia/Shanghai")
SQL_NOW = "huigou_now()"
# No activity lies outside, and at either end of the calendar a day more or another zone is no date at all.
FIRST_YEAR, LAST_YEAR = 2000, 2099
NOT_NEAR = f"请填 {FIRST_YEAR} 年至 {LAST_YEAR} 年之间的日期"


def now(using: str = "default") -> dt.datetime:
    """Return the platform's present instant, aware, in Asia/Shanghai."""
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT {SQL_NOW}")
        return cursor.fetchone()[0].astimezone(SHANGHAI)


def shift(*, offset: dt.timedelta | None = None, frozen_at: dt.datetime | None = None, using: str = "owner") -> None:
    """Shift the clock for a rehearsal or a test: run on by ``offset``, or stand still at ``frozen_at``.

    Only the owner role may write the row; a production start refuses a shifted clock (huigou/starting.py).
    """
    values: list[Any] = [offset or dt.timedelta(0), frozen_at]  # psycopg takes an interval, Django's stubs do not
    with connections[using].cursor() as cursor:
        cursor.execute(
            "INSERT INTO huigou_clockshift (id, offset_by, frozen_at) VALUES (1, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET offset_by = excluded.offset_by, frozen_at = excluded.frozen_at",
            values,
        )


def is_near(day: dt.date) -> bool:
    """Say whether a day or moment that somebody typed can be meant."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


def local(moment: dt.datetime) -> dt.datetime:
    """Return the same instant in Asia/Shanghai."""
    return moment.astimezone(SHANGHAI)


def spoken(moment: dt.datetime, *, end: bool = False) -> str:
    """Return a moment as people here say it: 6月29日24:00 for an exclusive end at midnight, else 6月25日09:00."""
    here = local(moment)
    if end and (here.hour, here.minute, here.second) == (0, 0, 0):
        day = here - dt.timedelta(days=1)
        return f"{day.month}月{day.day}日24:00"
    return f"{here.month}月{here.day}日{here:%H:%M}"
