"""Open a workbook that somebody else made, without trusting it.

It may be a zip bomb, declare a document type, hold a million blank rows or formulas, or be a renamed csv. So the
archive is judged before anything is unpacked, no part is unpacked past a bound, and rows and cells are counted while
expat parses them. Read are values alone; a formula is refused, since nobody can sign off a cell that another program
computes. It is zipfile and expat and not openpyxl, which unpacks without a bound, makes up the rows between two far
ones, and takes the date formats 27 to 36 and 50 to 58 of a Chinese Excel for bare numbers.
"""

from __future__ import annotations

import datetime as dt
import posixpath
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from huigou.excel_reading.archive import Archive, bytes_of
from huigou.excel_reading.bounds import (
    BAD_WORKBOOK,
    MAX_PROBLEMS,
    MAX_SHEETS,
    Bad,
    ManyBad,
    Problem,
    WorkbookRefused,
    shown,
)
from huigou.excel_reading.parts import Cells, Part, Strings, Styles, Tags, Value, ref

__all__ = ["BAD_WORKBOOK", "Cell", "Problem", "Row", "Sheet", "WorkbookRefused", "read_sheets", "shown"]

# Full-width letters, digits and signs become plain; Chinese punctuation that a name may hold stays.
_WIDE = "".join(map(chr, (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)))) + "．，－＋／：＃％"
# Spaces of other kinds, and characters without width that come along when text is copied from a page.
_SPACES: dict[int, str | None] = {0x3000: " ", 0xA0: " ", 0x200B: None, 0xFEFF: None}
_PLAIN = {ord(wide): unicodedata.normalize("NFKC", wide) for wide in _WIDE} | _SPACES


@dataclass(frozen=True)
class Cell:
    """A value and where it stands. Moments are naive: what the sheet shows."""

    value: Value
    ref: str

    @cached_property
    def text(self) -> str:
        """The value as trimmed text; full-width digits, signs and spaces made plain."""
        if self.value is None:
            return ""
        if isinstance(self.value, float) and self.value.is_integer() and abs(self.value) < 1e15:
            return str(int(self.value))
        return str(self.value).translate(_PLAIN).strip()


@dataclass(frozen=True)
class Row:
    """A row that holds something: as many cells as the sheet is wide, made when asked for."""

    number: int
    width: int
    values: Mapping[int, Value]

    def __iter__(self) -> Iterator[Cell]:
        return (self[place] for place in range(self.width))

    def __len__(self) -> int:
        return self.width

    def __getitem__(self, place: int) -> Cell:
        return Cell(self.values.get(place + 1), ref(self.number, place + 1))


@dataclass(frozen=True)
class Sheet:
    """A sheet's rows that hold something, top to bottom; rows and columns that nobody sees are named."""

    title: str
    rows: Sequence[Row]
    hidden: Sequence[str] = ()


def read_sheets(source: Path | bytes, name: str = "") -> list[Sheet]:
    """Return all sheets of an .xlsx; raises WorkbookRefused (BAD_WORKBOOK) naming what is wrong and where."""
    name = name or (source.name if isinstance(source, Path) else "工作簿")
    try:
        return Book(bytes_of(source)).sheets()
    except Bad as bad:
        raise WorkbookRefused(name, [Problem(bad.sheet or name, bad.cell, bad.reason)]) from bad
    except ManyBad as bad:
        raise WorkbookRefused(name, bad.problems) from bad


class Book:
    """Finds the parts of a workbook and counts what they hold together."""

    def __init__(self, data: bytes) -> None:
        self.archive = Archive(data)
        self.elements = self.cells = self.characters = 0
        self.epoch = dt.datetime.fromisoformat("1899-12-30")
        self.read: set[str] = set()

    def sheets(self) -> list[Sheet]:
        book, relations = self._main()
        by_kind: dict[str, str] = dict(relations.values())
        if any(tag.get("date1904") in ("1", "true") for tag in book.of("workbookPr")):
            self.epoch = dt.datetime.fromisoformat("1904-01-01")
        self.strings = Strings(self, self._mark(by_kind.get("sharedStrings")))
        self.styles = Styles(self, self._mark(by_kind.get("styles")))
        named = list(book.of("sheet"))
        if not named or len(named) > MAX_SHEETS:
            raise Bad(f"工作表超过 {MAX_SHEETS} 个" if named else "没有工作表")
        sheets, problems = [], []
        for tag in named:
            kind, path = relations.get(_id(tag), ("", ""))
            if kind != "worksheet":  # a sheet that is a chart
                continue
            title = shown(tag.get("name", ""), 31)
            cells = Cells(self, str(self._mark(path)), title)
            problems += cells.problems
            sheets.append(_sheet(title, cells))
        for path in self.archive.entries:
            if path.lower().endswith((".xml", ".rels")) and path not in self.read:
                Part(self).parse(path)  # nothing of it is used, but a document type is refused wherever it stands
        if problems:
            raise ManyBad(problems[:MAX_PROBLEMS])
        return sheets

    def _main(self) -> tuple[Tags, dict[str, tuple[str, str]]]:
        """Return the workbook's own part, and {id: (kind, path)} of what it points to."""
        if {"[Content_Types].xml", "_rels/.rels"} <= self.archive.entries.keys():
            for kind, path in self._relations("").values():
                if kind == "officeDocument":
                    book = Tags(self, str(self._mark(path)), "sheet", "workbookPr")
                    if book.root == "workbook":
                        return book, self._relations(path)
        raise Bad("不是 Excel 工作簿")

    def _relations(self, path: str) -> dict[str, tuple[str, str]]:
        folder, file = posixpath.split(path)
        found = {}
        relations = str(self._mark(posixpath.join(folder, "_rels", f"{file}.rels")))
        for tag in Tags(self, relations, "Relationship").of("Relationship"):
            if tag.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, tag.get("Target", ""))).lstrip("/")
                found[tag.get("Id", "")] = (posixpath.basename(tag.get("Type", "")), target)
        return found

    def _mark(self, path: str | None) -> str | None:
        if path:
            self.read.add(path)
        return path


def _id(tag: dict[str, Any]) -> str:
    return next((value for key, value in tag.items() if key.endswith(":id")), "")


def _sheet(title: str, cells: Cells) -> Sheet:
    width = max((column for row in cells.rows.values() for column in row), default=0)
    return Sheet(title, [Row(n, width, cells.rows[n]) for n in sorted(cells.rows)], tuple(cells.hidden))
