"""An exported workbook as its reader sees it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import openpyxl

from huigou import clock


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the workbook's list by heading, without the totals below; the first sheet is the cover."""
    cover, sheet, *_ = openpyxl.load_workbook(path).worksheets
    said = {row[0]: row[1] for row in cover.iter_rows(values_only=True) if len(row) > 1}
    heading, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(heading, row, strict=True)) for row in rows[: int(said["行数"])]]


def second(moment: dt.datetime) -> dt.datetime:
    """Return a moment as the workbook keeps it: the county's time, without a zone, to the second."""
    if moment.tzinfo is not None:
        return clock.local(moment).replace(tzinfo=None, microsecond=0)
    return (moment + dt.timedelta(milliseconds=500)).replace(microsecond=0)  # Excel's fraction of a day is inexact
