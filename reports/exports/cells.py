"""A value of a list as a workbook's cell holds it, and as the hash over the rows counts it.

Both come from one place, so that whoever holds the file can recount the hash from its cells alone. A row is one line
of JSON: texts as they stand, amounts in fen, counts as numbers, ratios as text with two decimals, days and moments of
Asia/Shanghai in ISO 8601 to the second, nothing as null.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Sequence
from typing import Any

from huigou import clock
from huigou.listing import Kind
from huigou.money import yuan_decimal

CELL_LENGTH = 32_767  # UTF-16 units, Excel's own limit

# Control characters that XML cannot hold; Excel would call the file damaged.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udfff]")
# A spreadsheet reads _x0007_ in a cell's text as the character itself; XlsxWriter marks one that somebody typed.
_MARKED = re.compile("_x005F(?=_x[0-9A-Fa-f]{4}_)")
# What begins a formula somewhere, in Excel or in a program that the cells are pasted into.
HOSTILE = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")

NUMBER_FORMATS = {
    Kind.COUNT: "#,##0",
    Kind.MONEY: "#,##0.00",
    Kind.FACE: "0.##",
    Kind.RATIO: "0.00",
    Kind.MOMENT: "yyyy/m/d hh:mm:ss",
    Kind.DAY: "yyyy/m/d",
    Kind.TEXT: "@",
}


def clean_text(value: Any) -> str:
    """Return a text that a cell can hold, without the characters that would damage the file."""
    text = _ILLEGAL.sub("", str(value)).replace("\r\n", "\n").replace("\r", "\n")
    units = text.encode("utf-16-le")
    return text if len(units) <= 2 * CELL_LENGTH else units[: 2 * CELL_LENGTH].decode("utf-16-le", "ignore")


def counted(kind: Kind, value: Any) -> Any:
    """Return a value as the hash counts it: None, a whole number or a text."""
    if value is None or value == "":
        return None
    if kind in (Kind.MONEY, Kind.FACE, Kind.COUNT):
        return int(value)
    if kind is Kind.RATIO:
        return f"{value:.2f}"
    if kind is Kind.MOMENT:
        return clock.local(value).replace(tzinfo=None, microsecond=0).isoformat()
    if kind is Kind.DAY:
        return value.isoformat()
    return clean_text(value) or None


def held(kind: Kind, plain: Any) -> Any:
    """Return what a cell holds for a counted value that is not None: number, naive moment, day or text."""
    if kind in (Kind.MONEY, Kind.FACE):
        return yuan_decimal(plain)
    if kind is Kind.RATIO:
        return float(plain)
    if kind is Kind.MOMENT:
        return dt.datetime.fromisoformat(plain)
    if kind is Kind.DAY:
        return dt.date.fromisoformat(plain)
    return plain


def as_typed(text: str) -> str:
    """Return a text of a workbook's XML as somebody typed it."""
    return _MARKED.sub("", text)


def line(plain: Sequence[Any]) -> bytes:
    """Return one row's contribution to the hash."""
    return (json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
