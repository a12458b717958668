"""Workbooks for tests: made from rows, and spoiled part by part."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

Rows = Sequence[Sequence[Any]]
Sheets = Mapping[str, Rows]
Plan = Mapping[str, Sheets]  # {workbook: {sheet: rows}}
MADE_ON = dt.datetime.fromisoformat("2023-04-01")  # so that the same rows give the same bytes


def workbook(sheets: Sheets) -> bytes:
    """Return an .xlsx of these rows; a datetime becomes a real Excel date with time, None a blank cell."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"created": MADE_ON})
        moment = book.add_format({"num_format": "yyyy/m/d h:mm"})
        for title, rows in sheets.items():
            sheet = book.add_worksheet(title)
            for row, cells in enumerate(rows):
                for column, value in enumerate(cells):
                    if isinstance(value, dt.datetime):
                        sheet.write_datetime(row, column, value, moment)
                    else:
                        sheet.write(row, column, value)
    return out.getvalue()


def write_plan(folder: Path, plan: Plan) -> Path:
    """Write a plan's workbooks into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sheets in plan.items():
        (folder / f"{name}.xlsx").write_bytes(workbook(sheets))
    return folder


def with_sheet(plan: Plan, book: str, sheet: str, change: Callable[[list[list[Any]]], Rows | None]) -> Plan:
    """Return the plan with one sheet's rows changed, in place or by what ``change`` returns."""
    rows = [list(row) for row in plan[book][sheet]]
    changed = change(rows)
    return {**plan, book: {**plan[book], sheet: rows if changed is None else changed}}


def rezipped(data: bytes, change: Callable[[dict[str, bytes]], None], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a workbook with its parts, {path: bytes}, changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    change(parts)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression, compresslevel=1) as archive:
        for path, body in parts.items():
            archive.writestr(path, body)
    return out.getvalue()
