"""What a foreign workbook may hold, and how it is said that it holds more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from huigou.errors import Reason, Refusal

# A plan's workbook has ten kilobytes, a list of 5,000 shops one megabyte unpacked.
MAX_FILE_BYTES = 4_000_000
MAX_ENTRIES = 500
MAX_ENTRY_NAMES_BYTES = 200_000
MAX_PART_BYTES = 6_000_000
MAX_UNPACKED_BYTES = 32_000_000
MAX_RATIO = 200
RATIO_COUNTS_FROM_BYTES = 1_000_000
MAX_ELEMENTS = 400_000  # over all parts, four attributes counting as one: what bounds the time
MAX_DEPTH = 60
MAX_NAMES = 5_000  # of elements and attributes: a parser remembers each
MAX_TAG_BYTES = 64_000  # one tag with its attributes, or one text
MAX_TAGS = 2_000  # sheets and relations of a workbook
MAX_SHEETS = 20
MAX_ROWS = 10_000
MAX_COLUMNS = 100
MAX_CELLS = 60_000
MAX_TEXT = 2_000
MAX_CHARACTERS = 2_000_000  # over all cells: one shared text may stand in very many of them
MAX_FORMAT_CODE = 255  # Excel's own limit
MAX_PROBLEMS = 50

BAD_WORKBOOK = Reason(
    "bad_workbook", 400, "{name}：{problem}", "请用 Excel 另存为 .xlsx 工作簿（不含宏和公式）后重新提交"
)


@dataclass(frozen=True)
class Problem:
    """Why something cannot be read: sheet (or file), cell ("" for the whole of it) and the reason."""

    sheet: str
    cell: str
    message: str

    def __str__(self) -> str:
        return f"{self.sheet}!{self.cell} {self.message}" if self.cell else f"{self.sheet} {self.message}"


class WorkbookRefused(Refusal):
    """A workbook that is not taken, with every problem found in it."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(BAD_WORKBOOK, name=name, problem="；".join(_told(problem, name) for problem in problems))


def _told(problem: Problem, name: str) -> str:
    if problem.sheet == name:
        return problem.message
    return f"工作表“{problem.sheet}”{f'单元格 {problem.cell} ' if problem.cell else ''}{problem.message}"


def shown(value: object, length: int = 20) -> str:
    """Return a foreign value as one short printable line, for a message."""
    text = "".join(c if c.isprintable() else " " for c in str(value)).strip()
    return text if len(text) <= length else text[: length - 1] + "…"


class Bad(Exception):
    """What ends the reading."""

    def __init__(self, reason: str, cell: str = "", sheet: str = "") -> None:
        super().__init__(reason)
        self.reason, self.cell, self.sheet = reason, cell, sheet


class ManyBad(Exception):
    """Problems by cell, gathered."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(len(problems))
        self.problems = problems
