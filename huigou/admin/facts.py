"""What the trail keeps of a row before and after a form was sent, in words that people read."""

from __future__ import annotations

import datetime as dt
from typing import Any

from huigou.listing import Column, Kind


def facts_of(row: Any) -> dict[str, Any]:
    """Return a row's own columns by their Chinese names: no personal value, no binary."""
    kept = {}
    for column in row._meta.concrete_fields:
        if column.get_internal_type() in ("BinaryField", "FileField") or column.name in ("password", "person_key"):
            continue
        kept[str(column.verbose_name)] = _in_words(row, column)
    return kept


def _in_words(row: Any, column: Any) -> Any:
    value = getattr(row, column.attname)
    if column.choices:
        return str(getattr(row, f"get_{column.name}_display")())
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, dt.datetime):
        return Column("", str, Kind.MOMENT).shown(value)
    if value is None:
        return ""
    return value if isinstance(value, (int, str, list, dict)) else str(value)
