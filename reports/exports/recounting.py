"""Recount an exported workbook from its cells alone: whoever holds a file can prove that nobody changed a row of it."""

from __future__ import annotations

import datetime as dt
import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from huigou.listing import Kind
from huigou.money import FEN_PER_YUAN
from reports.errors import EXPORT_FILE
from reports.exports import cells
from reports.exports.cover import DIGEST, ROWS
from reports.models import ExportJob

KINDS = {format_: kind for kind, format_ in cells.NUMBER_FORMATS.items()}


@dataclass(frozen=True)
class Recount:
    """What a file says of itself, what its rows come to, and what this platform's record says."""

    said_rows: int
    said_digest: str
    rows: int
    digest: str
    number: str
    recorded: str  # the hash in the record of that number; "" without one

    @property
    def is_whole(self) -> bool:
        """Say whether the rows are those that were exported."""
        return (self.rows, self.digest) == (self.said_rows, self.said_digest) and self.recorded in ("", self.digest)


def recount(path: Path) -> Recount:
    """Read a workbook back and hash its rows anew; raises EXPORT_FILE for a file of another kind.

    The file is somebody's own: it is read as a stream, but not guarded like what is handed in on a page.
    """
    try:
        book = load_workbook(path, read_only=True)
    except (OSError, InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as foreign:
        raise EXPORT_FILE(problem="不能作为 Excel 打开") from foreign
    try:
        said = {
            str(row[0]): str(row[1] or "") for row in book.worksheets[0].iter_rows(values_only=True) if len(row) > 1
        }
        if DIGEST not in said or not said.get(ROWS, "").isdigit() or len(said[ROWS]) > 8:
            raise EXPORT_FILE(problem="没有封面或封面不完整")
        wanted = int(said[ROWS])
        digest, rows = hashlib.sha256(), 0
        for plain in _rows(book.worksheets[1:]):
            if rows == wanted:  # below the last row stand the totals
                break
            digest.update(cells.line(plain))
            rows += 1
    finally:
        book.close()
    number = said.get("导出编号", "")
    return Recount(wanted, said[DIGEST], rows, digest.hexdigest(), number, _recorded(number))


def _recorded(number: str) -> str:
    found = ExportJob.objects.filter(pk=int(number)).first() if number.isdecimal() and len(number) < 18 else None
    return found.rows_sha256 if found else ""


def _rows(sheets: Sequence[Any]) -> Iterator[list[Any]]:
    for sheet in sheets:
        rows = sheet.iter_rows()
        width = len(next(rows, ()))
        for row in rows:
            plain = [_counted(cell) for cell in row[:width]]
            yield plain + [None] * (width - len(plain))


def _counted(cell: Any) -> Any:
    """Return a cell's value as the hash counts it; the cell's format says what it is."""
    value = cell.value
    if value is None:
        return None
    kind = KINDS.get(cell.number_format, Kind.TEXT)
    if kind is Kind.TEXT or isinstance(value, str):
        return cells.as_typed(str(value))
    if kind in (Kind.MONEY, Kind.FACE):
        return int((Decimal(str(value)) * FEN_PER_YUAN).to_integral_value())
    if kind is Kind.RATIO:
        return f"{value:.2f}"
    if isinstance(value, dt.datetime):
        # Excel keeps a moment as a fraction of a day: it comes back some microseconds early or late.
        whole = (value + dt.timedelta(milliseconds=500)).replace(microsecond=0)
        return whole.isoformat() if kind is Kind.MOMENT else whole.date().isoformat()
    return int(value)
