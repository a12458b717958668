"""Open a workbook that somebody else made, without trusting it.

Before any XML is parsed the archive is judged: its size, its number of entries, what they unpack to, and that none of
them declares a document type (no external entity, no bomb). What is read is values only; a formula is refused, since
nobody can sign off a cell whose value another program computes.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from huigou.errors import Reason, Refusal

# A plan's or list's workbook has some ten kilobytes; these leave two orders of magnitude and stay far below harm.
MAX_FILE_BYTES = 5_000_000
MAX_ENTRIES = 300
MAX_ENTRY_BYTES = 12_000_000
MAX_UNPACKED_BYTES = 24_000_000
MAX_ROWS = 20_000
MAX_COLUMNS = 60
MAX_SHEETS = 20
MAX_TEXT = 2_000

BAD_WORKBOOK = Reason(
    "bad_workbook", 400, "{name}：{problem}", "请用 Excel 另存为 .xlsx 工作簿（不含宏和公式）后重新提交"
)
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Cell:
    """A value and where it stands."""

    value: Any
    ref: str

    @property
    def text(self) -> str:
        """The value as trimmed text, full-width digits, signs and spaces made plain."""
        if self.value is None:
            return ""
        if isinstance(self.value, float) and self.value.is_integer():
            return str(int(self.value))
        return str(self.value).translate(_PLAIN).strip()


_PLAIN = {0x3000: " ", **{full: full - 0xFEE0 for full in range(0xFF10, 0xFF1A)}, 0xFF0E: ".", 0xFF0C: ","}


@dataclass(frozen=True)
class Sheet:
    """A sheet's rows; each row holds as many cells as the widest."""

    title: str
    rows: list[list[Cell]]


def refuse(name: str, problem: str) -> Refusal:
    """Return the refusal of a workbook, naming the file and what is wrong with it."""
    return BAD_WORKBOOK(name=name, problem=problem)


def read_sheets(source: Path | bytes, name: str = "") -> list[Sheet]:
    """Return all sheets of an .xlsx; raises BAD_WORKBOOK naming what is wrong and where."""
    name = name or (source.name if isinstance(source, Path) else "工作簿")
    data = _bytes(source, name)
    _judge_archive(data, name)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
    except Refusal:
        raise
    except Exception as damaged:  # openpyxl raises whatever its parsers do
        raise refuse(name, "文件已损坏或不是 Excel 工作簿") from damaged
    try:
        if len(book.worksheets) > MAX_SHEETS:
            raise refuse(name, f"工作表超过 {MAX_SHEETS} 个")
        return [_read(sheet, name) for sheet in book.worksheets]
    finally:
        book.close()


def _bytes(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, Path):
        if not source.is_file():
            raise refuse(name, "找不到文件")
        if source.stat().st_size > MAX_FILE_BYTES:
            raise refuse(name, f"文件超过 {MAX_FILE_BYTES // 1_000_000} MB")
        return source.read_bytes()
    if len(source) > MAX_FILE_BYTES:
        raise refuse(name, f"文件超过 {MAX_FILE_BYTES // 1_000_000} MB")
    return source


def _judge_archive(data: bytes, name: str) -> None:
    if data.startswith(_OLD_EXCEL):
        raise refuse(name, "是旧版 .xls 或加了密码的文件")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as not_zip:
        raise refuse(name, "不是 .xlsx 文件") from not_zip
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES or len({entry.filename for entry in entries}) != len(entries):
        raise refuse(name, "内部结构异常（条目过多或重复）")
    if any(entry.file_size > MAX_ENTRY_BYTES for entry in entries):
        raise refuse(name, "内容解开后过大（空行过多或是压缩炸弹）")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise refuse(name, "内容解开后过大")
    if "xl/workbook.xml" not in {entry.filename for entry in entries}:
        raise refuse(name, "不是 Excel 工作簿")
    for entry in entries:
        if entry.flag_bits & 0x1:
            raise refuse(name, "文件加了密码")
        if entry.filename.startswith("xl/vbaProject"):
            raise refuse(name, "含有宏")
        if entry.filename.endswith((".xml", ".rels")):
            _judge_xml(archive, entry, name)


def _judge_xml(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> None:
    try:
        # The declared size is what zipfile reads at most; a lie about it ends as a wrong checksum.
        text = archive.read(entry)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as damaged:
        raise refuse(name, f"文件已损坏（{entry.filename}）") from damaged
    except Exception as damaged:  # zlib.error and its like
        raise refuse(name, f"文件已损坏（{entry.filename}）") from damaged
    # Excel writes UTF-8 without NUL; another encoding could hide a declaration from the look below.
    if b"\x00" in text or b"<!doctype" in text.lower() or b"<!entity" in text.lower():
        raise refuse(name, "含有不允许的 XML 声明")
    if entry.filename.startswith("xl/worksheets/") and text.count(b"<row") > MAX_ROWS:
        raise refuse(name, f"行数超过 {MAX_ROWS} 行（请删除末尾的空行）")


def _read(sheet: Any, name: str) -> Sheet:
    rows: list[list[Cell]] = []
    try:
        for number, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS, max_row=MAX_ROWS), start=1):
            rows.append([_cell(cell, number, place, sheet.title, name) for place, cell in enumerate(row, start=1)])
    except Refusal:
        raise
    except Exception as damaged:  # a foreign value that openpyxl cannot make sense of
        raise refuse(name, f"工作表“{sheet.title}”第 {len(rows) + 1} 行无法读取") from damaged
    while rows and all(cell.value is None for cell in rows[-1]):
        rows.pop()
    return Sheet(sheet.title, rows)


def _cell(cell: Any, row: int, column: int, sheet: str, name: str) -> Cell:
    ref = f"{get_column_letter(column)}{row}"
    if getattr(cell, "data_type", "") == "f":
        raise refuse(name, f"工作表“{sheet}”单元格 {ref} 是公式，请改为数值")
    if getattr(cell, "data_type", "") == "e":
        raise refuse(name, f"工作表“{sheet}”单元格 {ref} 是错误值 {cell.value}")
    if isinstance(cell.value, str) and len(cell.value) > MAX_TEXT:
        raise refuse(name, f"工作表“{sheet}”单元格 {ref} 的文字超过 {MAX_TEXT} 字")
    return Cell(cell.value, ref)
