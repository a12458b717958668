"""Write a list as a workbook in constant memory: rows are read some thousand at a time and written as they come."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xlsxwriter

from huigou import clock
from huigou.listing import Column, Kind, Listing
from reports.exports import cells
from reports.exports.cover import Cover, Written

SHEET_ROWS = 1_048_576  # where Excel ends
FOOTER_LENGTH = 200  # Excel takes 255 with its own marks

Beat = Callable[[int], None]


def write(
    path: Path,
    listing: Listing,
    cover: Cover,
    *,
    persons: bool = False,
    beat: Beat | None = None,
    sheet_rows: int = SHEET_ROWS,
) -> Written:
    """Write a list to a workbook and return what it holds; the hash is told in ``cells``.

    ``persons`` takes full names and numbers, ``beat`` is told how many rows are done, ``sheet_rows`` is where a sheet
    ends and the next one begins.
    """
    book = xlsxwriter.Workbook(
        str(path),
        {
            "constant_memory": True,
            # No string is ever a formula, a link or a number.
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            # Beside the file and not under /tmp, which may be memory: a million rows unpack to more than a gigabyte.
            "tmpdir": str(path.parent),
            "use_zip64": True,
        },
    )
    now = clock.local(listing.now).replace(tzinfo=None)
    book.set_properties({"title": listing.title, "author": cover.who, "comments": cover.mark(now), "created": now})
    first = book.add_worksheet("说明")
    columns = listing.columns_on("workbook")
    sheets = Sheets(book, listing.title, columns, _footer(cover.mark(listing.now)), sheet_rows)
    try:
        done = _write_rows(sheets, listing, columns, persons=persons, beat=beat)
        _write_cover(first, sheets.formats, cover.lines(listing, columns, done))
        _foot(first, sheets.footer)
    finally:
        book.close()
    return done


class Formats:
    """The cell formats, made once per workbook."""

    def __init__(self, book: Any) -> None:
        head = {"bold": True, "bg_color": "#F3EFE9", "border": 1, "border_color": "#CFC3B4", "valign": "vcenter"}
        total = {"bold": True, "bg_color": "#FDF0D5", "top": 1}
        self.head = book.add_format(head)
        self.by_kind = {kind: book.add_format({"num_format": text}) for kind, text in cells.NUMBER_FORMATS.items()}
        # Excel's own mark for "this is text": the value stays as it was typed, and nothing ever runs it.
        self.quoted = book.add_format({"num_format": "@", "quote_prefix": True})
        self.totals = {
            kind: book.add_format({**total, "num_format": text}) for kind, text in cells.NUMBER_FORMATS.items()
        }
        self.label = book.add_format({"bold": True, "valign": "top"})
        self.wrapped = book.add_format({"text_wrap": True, "num_format": "@", "valign": "top"})


class Sheets:
    """The data sheets one after another, each with a frozen header; a full one is followed by the next."""

    def __init__(self, book: Any, title: str, columns: list[Column], footer: str, most: int) -> None:
        self.book, self.title, self.columns, self.footer = book, title, columns, footer
        self.formats = Formats(book)
        self.most = most - 2  # the header above, the totals below
        self.count = self.place = 0
        self._open()

    def _open(self) -> None:
        self.count, self.place = self.count + 1, 0
        self.sheet = self.book.add_worksheet(self.title if self.count == 1 else f"{self.title}{self.count}")
        self.sheet.freeze_panes(1, 0)
        self.sheet.repeat_rows(0)
        self.sheet.set_landscape()
        self.sheet.fit_to_pages(1, 0)
        _foot(self.sheet, self.footer)
        for place, column in enumerate(self.columns):
            self.sheet.set_column(place, place, column.width, self.formats.by_kind[column.kind])
        for place, column in enumerate(self.columns):
            unit = "（元）" if column.kind in (Kind.MONEY, Kind.FACE) and "元" not in column.heading else ""
            self.sheet.write_string(0, place, column.heading + unit, self.formats.head)

    def add(self, plain: list[Any]) -> None:
        """Write a row of counted values."""
        if self.place >= self.most:
            self._open()
        self.place += 1
        for place, (column, value) in enumerate(zip(self.columns, plain, strict=True)):
            if value is not None:
                self._write(place, column.kind, value)

    def _write(self, place: int, kind: Kind, plain: Any) -> None:
        cell, format_ = cells.held(kind, plain), self.formats.by_kind[kind]
        if kind is Kind.TEXT:
            if cell.startswith(cells.HOSTILE):
                format_ = self.formats.quoted
            self.sheet.write_string(self.place, place, cell, format_)
        elif kind in (Kind.MOMENT, Kind.DAY):
            self.sheet.write_datetime(self.place, place, cell, format_)
        else:
            self.sheet.write_number(self.place, place, cell, format_)

    def end(self, sums: dict[str, Any]) -> None:
        """Write the totals of everything below the last row."""
        if not sums:
            return
        label = next((place for place, column in enumerate(self.columns) if not column.total), None)
        for place, column in enumerate(self.columns):
            value = sums.get(column.total) if column.total else None
            if place == label:
                words = "合计" if self.count == 1 else f"合计（{self.count} 张工作表）"
                self.sheet.write_string(self.place + 1, place, words, self.formats.totals[Kind.TEXT])
            elif value is None:
                self.sheet.write_blank(self.place + 1, place, None, self.formats.totals[Kind.TEXT])
            else:
                number = cells.held(column.kind, cells.counted(column.kind, value))
                self.sheet.write_number(self.place + 1, place, number, self.formats.totals[column.kind])


def _write_rows(
    sheets: Sheets, listing: Listing, columns: list[Column], *, persons: bool, beat: Beat | None
) -> Written:
    digest, done = hashlib.sha256(), 0
    sums = dict.fromkeys((c.total for c in columns if c.total), 0)
    summed = [(place, column.total) for place, column in enumerate(columns) if column.total in sums]
    readers = [(column.kind, column.full if persons and column.full else column.value) for column in columns]
    for chunk in listing.chunks():
        for row in chunk:
            plain = [cells.counted(kind, read(row)) for kind, read in readers]
            sheets.add(plain)
            digest.update(cells.line(plain))
            for place, total in summed:
                if isinstance(plain[place], int):
                    sums[total] += plain[place]
            done += 1
        if beat:
            beat(done)
    sheets.end({**sums, **_ratio(sums)})
    return Written(done, sheets.count, digest.hexdigest(), sums)


def _ratio(sums: dict[str, int]) -> dict[str, Any]:
    """A ratio's total is the ratio of the totals."""
    return {"ratio": sums["amount"] / sums["face"] if sums.get("face") else None} if "ratio" in sums else {}


def _footer(mark: str) -> str:
    return "&L" + mark[:FOOTER_LENGTH].replace("&", "&&") + "&R&P / &N"


def _foot(sheet: Any, footer: str) -> None:
    sheet.set_footer(footer)


def _write_cover(sheet: Any, formats: Formats, lines: list[tuple[str, str]]) -> None:
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 72)
    for row, (label, value) in enumerate(lines):
        sheet.write_string(row, 0, label, formats.label)
        sheet.write_string(row, 1, cells.held(Kind.TEXT, cells.clean_text(value)), formats.wrapped)
