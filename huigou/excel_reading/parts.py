"""The XML parts of a workbook, parsed by expat with everything counted."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.parsers import expat

from huigou.excel_reading.bounds import (
    MAX_CELLS,
    MAX_CHARACTERS,
    MAX_COLUMNS,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_FORMAT_CODE,
    MAX_NAMES,
    MAX_PROBLEMS,
    MAX_ROWS,
    MAX_TAG_BYTES,
    MAX_TAGS,
    MAX_TEXT,
    Bad,
    ManyBad,
    Problem,
    shown,
)

if TYPE_CHECKING:
    from huigou.excel_reading import Book

Value = str | int | float | bool | dt.datetime | dt.date | dt.time | None

_REF = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})")
# Control characters, half surrogates, and the marks that turn the reading direction: none belongs in a name.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NOT_OF_A_DATE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\][]*\]', re.I)
_LONG_TAG = re.compile(b"<[^<]{%d}" % MAX_TAG_BYTES)
# 27 to 36 and 50 to 58 are dates in East Asian editions: 31 is yyyy年m月d日.
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_TIME_FORMATS = frozenset({18, 19, 20, 21, 22, 32, 33, 34, 35, 45, 46, 47, 55, 56})
_MAX_SERIAL = 2_958_466  # the year 10000


def ref(row: int, column: int) -> str:
    """Return B5 for row 5, column 2, and B for column 2 as a whole (row 0)."""
    letters = ""
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row or ''}"


class Part:
    """Parse one XML part: no document type, a bounded number of elements. What is read of it is the subclass's."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.depth = 0
        self.names: dict[str, str] = {}  # filled by expat: every name met so far

    def parse(self, path: str) -> None:
        data = self.book.archive.read(path)
        if _LONG_TAG.search(data):  # before expat makes a dictionary of half a million attributes
            raise Bad("内部结构异常（标签过长）")
        parser = expat.ParserCreate(intern=self.names)
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.text
        try:
            # In one piece: fed in pieces, expat 2.5 scans an unfinished token anew with each of them.
            parser.Parse(data, True)  # noqa: FBT003
        except expat.ExpatError as damaged:
            raise Bad(f"文件已损坏（{shown(path, 60)} 第 {damaged.lineno} 行）") from damaged
        except (LookupError, UnicodeError) as foreign:
            raise Bad("XML 的编码不是 UTF-8") from foreign

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if (encoding or "utf-8").lower() not in ("utf-8", "utf-16", "us-ascii"):
            raise Bad("XML 的编码不是 UTF-8")

    def _doctype(self, *_: object) -> None:
        raise Bad("含有不允许的 XML 声明（DOCTYPE）")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.book.elements += 1 + len(attributes) // 4
        self.depth += 1
        if self.book.elements > MAX_ELEMENTS or self.depth > MAX_DEPTH or len(self.names) > MAX_NAMES:
            raise Bad("内容过多或嵌套过深")
        self.start(name.rpartition(":")[2], attributes)

    def _end(self, name: str) -> None:
        self.depth -= 1
        self.end(name.rpartition(":")[2])

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...


class Tags(Part):
    """Keep the tags of some names, of a small part: workbook, relations."""

    def __init__(self, book: Book, path: str, *wanted: str) -> None:
        super().__init__(book)
        self.root = ""
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._wanted = wanted
        self.parse(path)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.root = self.root or name
        if name in self._wanted:
            self.tags.append((name, attributes))
            if len(self.tags) > MAX_TAGS:
                raise Bad("内部结构异常（条目过多）")

    def of(self, name: str) -> Iterator[dict[str, str]]:
        return (attributes for tag, attributes in self.tags if tag == name)


class Strings(Part):
    """The shared texts, without their readings (rPh)."""

    def __init__(self, book: Book, path: str | None) -> None:
        super().__init__(book)
        self.strings: list[str] = []
        self._pieces: list[str] = []
        self._in_text = self._in_reading = False
        if path:
            self.parse(path)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self._pieces = []
        elif name == "rPh":
            self._in_reading = True
        self._in_text = name == "t" and not self._in_reading

    def text(self, text: str) -> None:
        if self._in_text:
            self._pieces.append(text)

    def end(self, name: str) -> None:
        self._in_text = False
        if name == "rPh":
            self._in_reading = False
        elif name == "si":
            self.strings.append("".join(self._pieces))


class Styles(Part):
    """Which cell styles are dates, and which of these show a time of day."""

    def __init__(self, book: Book, path: str | None) -> None:
        super().__init__(book)
        self.kinds: list[str] = []  # per style "", "date" or "time"
        self._codes: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self._in_cells = False
        if path:
            self.parse(path)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            self._codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")[:MAX_FORMAT_CODE]
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            number = attributes.get("numFmtId", "0")
            if number not in self._known:
                self._known[number] = self._kind(number)
            self.kinds.append(self._known[number])

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False

    def _kind(self, number: str) -> str:
        if (code := self._codes.get(number)) is not None:
            code = _NOT_OF_A_DATE.sub("", code.split(";")[0]).lower()
            return "time" if re.search("[hs时]", code) else "date" if re.search("[ymd]", code) else ""
        known = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
        return "time" if known in _TIME_FORMATS else "date" if known in _DATE_FORMATS else ""


class Cells(Part):
    """The values of one sheet."""

    def __init__(self, book: Book, path: str, title: str) -> None:
        super().__init__(book)
        self.title = title
        self.rows: dict[int, dict[int, Value]] = {}
        self.hidden: list[str] = []
        self.problems: list[Problem] = []
        self._row = self._column = 0
        self._type, self._style = "", "0"
        self._pieces: list[str] = []
        self._in_cell = self._in_value = self._in_reading = self._is_formula = False
        try:
            self.parse(path)
        except Bad as bad:
            raise Bad(bad.reason, bad.cell, title) from bad

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._begin(attributes)
        elif self._in_cell:
            self._in_reading = self._in_reading or name == "rPh"
            self._in_value = name == "v" or (name == "t" and not self._in_reading)
            self._is_formula = self._is_formula or name == "f"
        elif name == "row":
            self._row = self._number(attributes.get("r"), self._row + 1)
            self._column = 0
            if self._row > MAX_ROWS:
                raise Bad(f"行数超过 {MAX_ROWS:,}（请删除末尾的空行）", ref(self._row, 1))
            if attributes.get("hidden") in ("1", "true"):
                self.hidden.append(f"第 {self._row} 行")
        elif name == "col" and attributes.get("hidden") in ("1", "true"):
            first = self._number(attributes.get("min"), 1)
            self.hidden.append(f"{ref(0, min(first, MAX_COLUMNS))} 列")

    def _number(self, text: str | None, otherwise: int) -> int:
        if text is None:
            return otherwise
        if not re.fullmatch(r"[1-9]\d{0,6}", text, re.ASCII):
            raise Bad(f"行号“{shown(text)}”不正确")
        return int(text)

    def _begin(self, attributes: dict[str, str]) -> None:
        self._column += 1
        if (given := attributes.get("r")) is not None:
            match = _REF.fullmatch(given)
            if match is None or int(match[2]) != self._row:
                raise Bad(f"单元格编号“{shown(given)}”不正确")
            self._column = 0
            for letter in match[1]:
                self._column = self._column * 26 + ord(letter) - 64
        self.book.cells += 1
        if self.book.cells > MAX_CELLS:
            raise Bad(f"单元格超过 {MAX_CELLS:,} 个（请删除空白的行和列）")
        self._type, self._style = attributes.get("t", "n"), attributes.get("s", "0")
        self._pieces = []
        self._in_cell, self._in_value, self._in_reading, self._is_formula = True, False, False, False

    def text(self, text: str) -> None:
        if self._in_value:
            self._pieces.append(text)

    def end(self, name: str) -> None:
        self._in_value = False
        if name == "rPh":
            self._in_reading = False
        elif name == "c":
            self._in_cell = False
            if self._pieces or self._is_formula:
                self._keep(ref(self._row, self._column), "".join(self._pieces))

    def _keep(self, cell: str, raw: str) -> None:
        if self._is_formula:
            return self._complain(cell, "是公式，请改为数值（复制后选择性粘贴“数值”）")
        # A blank cell far to the right is only a format; a value there is not a plan's.
        if self._column > MAX_COLUMNS:
            raise Bad(f"列数超过 {MAX_COLUMNS}", cell)
        if self._type == "e":
            return self._complain(cell, f"是错误值 {shown(raw)}")
        try:
            raw = self._raw(raw)
            if len(raw) > MAX_TEXT:
                return self._complain(cell, f"的文字超过 {MAX_TEXT:,} 字")
            value = self._value(raw)
        except (ValueError, OverflowError, IndexError):
            return self._complain(cell, f"“{shown(raw)}”无法读取")
        if isinstance(value, str):
            self.book.characters += len(value)
            if self.book.characters > MAX_CHARACTERS:
                raise Bad("文字过多", cell)
            if _CONTROL.search(value):
                return self._complain(cell, "含有控制字符")
        if value is not None and value != "":
            self.rows.setdefault(self._row, {})[self._column] = value
        return None

    def _complain(self, cell: str, message: str) -> None:
        self.problems.append(Problem(self.title, cell, message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise ManyBad(self.problems)

    def _raw(self, raw: str) -> str:
        return self.book.strings.strings[_index(raw)] if self._type == "s" else raw

    def _value(self, raw: str) -> Value:
        if self._type in ("s", "inlineStr", "str"):
            return _unescaped(raw)
        if self._type == "b":
            return raw.strip() in ("1", "true")
        if self._type == "d":
            return dt.datetime.fromisoformat(raw.strip()).replace(tzinfo=None)
        number = float(raw)
        if number - number != 0:
            raise ValueError(raw)  # an infinity or no number at all
        kinds = self.book.styles.kinds
        kind = kinds[_index(self._style)] if kinds else ""
        if kind:
            return self._moment(number, shows_time=kind == "time")
        return int(number) if number.is_integer() and abs(number) < 1e15 else number

    def _moment(self, serial: float, *, shows_time: bool) -> Value:
        if not 0 <= serial < _MAX_SERIAL:
            raise ValueError(serial)
        # A day's fraction has no exact form: 8:30 is 0.354166666666667.
        since = dt.timedelta(seconds=round(serial * 86_400))
        moment = self.book.epoch + since
        if serial < 1:
            return moment.time()
        return moment if shows_time or since.seconds else moment.date()


def _index(text: str) -> int:
    """Return a list's index; raises ValueError, never counts from the end."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
