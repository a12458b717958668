"""Find a table by its headings and read its cells, gathering every problem with sheet, cell and reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from huigou.errors import Reason, Refusal
from huigou.excel_reading import Cell, Problem, Sheet, WorkbookRefused, read_sheets, shown

PLAN_UNREADABLE = Reason("plan_unreadable", 400, "方案有 {count} 处无法读取：{first}", "请按所列单元格更正后重新导入")


MAX_PROBLEMS = 200  # a plan with more is another kind of file


class PlanError(Refusal):
    """All problems of a plan that cannot be read; nothing has been loaded."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        listed = "；".join(str(problem) for problem in self.problems[:20])
        super().__init__(PLAN_UNREADABLE, count=len(self.problems), first=listed)


@dataclass
class Problems:
    """The problems found so far."""

    found: list[Problem] = field(default_factory=list)

    def add(self, sheet: str, cell: str, message: str) -> None:
        self.found.append(Problem(sheet, cell, message))
        if len(self.found) >= MAX_PROBLEMS:
            self.stop()

    def stop(self) -> None:
        """Raise what was found, if anything."""
        if self.found:
            raise PlanError(self.found)


@dataclass(frozen=True)
class Table:
    """The rows below a heading row, cells by the heading's key."""

    sheet: str
    rows: list[dict[str, Cell]]
    headings: dict[str, Cell]
    above: list[Cell]  # what stands over the headings: titles


HEADING_ROWS = 30  # a heading row stands below a title or two, never this far down
HEADING_LENGTH = 60
UNHEADED = "?"  # the key of a column without a heading begins with it


def heading(text: str) -> str:
    """Return a heading without its unit, brackets and spaces: 消费券小计(张) and 消费券小计 are one."""
    return re.sub(r"[（(][^）)]*[)）]|\s", "", text[:HEADING_LENGTH])


def find_sheet(sheets: Sequence[Sheet], title: str, file: str, problems: Problems) -> Sheet | None:
    """Return the sheet of a title, or the only one."""
    for sheet in sheets:
        if sheet.title.strip() == title:
            return sheet
    if len(sheets) == 1:
        return sheets[0]
    problems.add(file, "", f"没有名为“{title}”的工作表")
    return None


def find_table(sheet: Sheet, wanted: Mapping[str, Sequence[str]], needed: Sequence[str], problems: Problems) -> Table:
    """Return the table whose heading row holds all of ``needed``; columns may stand in any order.

    ``wanted`` is {key: accepted headings}; a column that nobody asked for is kept under its own heading.
    """
    names = {name: key for key, accepted in wanted.items() for name in accepted}
    best: list[str] = []
    for number, row in enumerate(sheet.rows[:HEADING_ROWS]):
        found = [heading(cell.text) for cell in row]
        keys = [names.get(name, name) or f"{UNHEADED}{place}" for place, name in enumerate(found)]
        if all(key in keys for key in needed):
            for cell, key in zip(row, keys, strict=True):
                if keys.count(key) > 1:
                    problems.add(sheet.title, cell.ref, f"列“{shown(cell.text)}”重复")
            body = [dict(zip(keys, cells, strict=True)) for cells in sheet.rows[number + 1 :]]
            above = [cell for cells in sheet.rows[:number] for cell in cells if cell.text]
            return Table(sheet.title, body, dict(zip(keys, row, strict=True)), above)
        if sum(key in keys for key in needed) > len(best):
            best = [key for key in needed if key in keys]
    missing = [wanted[key][0] if key in wanted else key for key in needed if key not in best]
    problems.add(sheet.title, "A1", f"找不到列：{'、'.join(missing)}")
    return Table(sheet.title, [], {}, [])


def text_of(row: dict[str, Cell], key: str) -> str:
    """Return a cell's text, "" where the table has no such column."""
    return row[key].text if key in row else ""


def parts(text: str) -> tuple[str, ...]:
    """Return what 、 or a like sign separates."""
    return tuple(part.strip() for part in re.split(r"[、,，;；/]", text) if part.strip())


MAX_COUPONS = 10_000_000  # of one batch; a county of a million people has some ten thousand
_WHOLE = re.compile(r"-?([0-9]{1,15}|[0-9]{1,3}(,[0-9]{3}){1,4})(\.0+)?")


def whole(cell: Cell, sheet: str, problems: Problems, *, what: str, least: int = 0, most: int = 10**9) -> int | None:
    """Return a whole number, None for a blank or dashed cell or after naming the problem."""
    text = cell.text.removesuffix("张").removesuffix("元").strip()
    if not text or set(text) <= set("-—–/"):
        return None
    if not _WHOLE.fullmatch(text):
        problems.add(sheet, cell.ref, f"{what}“{shown(cell.text)}”不是整数")
        return None
    number = int(text.split(".")[0].replace(",", ""))
    if not least <= number <= most:
        problems.add(sheet, cell.ref, f"{what} {number} 不在 {least} 至 {most} 之间")
        return None
    return number


_WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".et", ".csv", ".ods"}  # only the first is read; the others are named


def open_workbook(folder: Path, prefix: str, problems: Problems) -> tuple[str, list[Sheet]]:
    """Return the sheets of the folder's one workbook whose name begins with ``prefix``."""
    # ~$ is what Excel leaves beside a workbook that is open.
    there = sorted(path for path in folder.glob(f"{prefix}*") if path.suffix.lower() in _WORKBOOKS)
    found = [path for path in there if path.suffix.lower() == ".xlsx"] or there
    if len(found) != 1:
        named = "、".join(shown(path.name, 40) for path in found[:5])
        problems.add(prefix, "", "没有这个工作簿" if not found else f"有不止一个工作簿：{named}")
        return prefix, []
    try:
        return found[0].stem, read_sheets(found[0])
    except WorkbookRefused as unreadable:
        problems.found += [
            Problem(prefix if problem.sheet == found[0].name else problem.sheet, problem.cell, problem.message)
            for problem in unreadable.problems
        ]
        return prefix, []
