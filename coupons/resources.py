"""A plan's sheets row by row, each with what keeps it from being read and what must be signed off, in Chinese.

django-import-export walks the rows and keeps what became of each. What is wrong with one is said by the reader and the
linter alone, and a row is never written by itself: a plan comes in as a whole, through ``merchants.listing.load_plan``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import tablib
from django.core.exceptions import ValidationError
from import_export import fields, instance_loaders, resources

from coupons.plan.linting import FATAL, Finding
from coupons.plan.reading import headed
from coupons.plan.tables import PlanError, Problems
from huigou.excel_reading import Sheet

MAX_SHOWN_ROWS = 500  # of one sheet; rows with something to say are shown before others
MAX_SHOWN_COLUMNS = 30
NUMBER = "行"


class Said(Protocol):
    """A problem of the reader or a finding of the linter."""

    @property
    def sheet(self) -> str: ...
    @property
    def cell(self) -> str: ...
    @property
    def message(self) -> str: ...


class SheetResource(resources.Resource):
    """The rows of one sheet. A column is known by its letter, since headings may be blank or stand twice."""

    class Meta:
        using_db = "default"
        force_init_instance = True  # a plan is new: its rows are found again in nothing
        instance_loader_class = instance_loaders.BaseInstanceLoader
        skip_diff = True

    def __init__(self, letters: Sequence[str], problems: Iterable[Said], findings: Iterable[Finding]) -> None:
        super().__init__()
        self.fields = {letter: fields.Field(f"cell_{letter}", letter) for letter in letters}
        self.problems, self.findings = _by_row(problems), _by_row(findings)

    def init_instance(self, row: Any = None) -> _Line:
        return _Line(row[NUMBER])

    def validate_instance(self, instance: _Line, *_: Any, **__: Any) -> None:
        if said := self.problems.get(instance.number):
            raise ValidationError([f"{problem.cell} {problem.message}" for problem in said])

    def save_instance(self, instance: _Line, *_: Any, **__: Any) -> None:
        """Write nothing: the plan is loaded whole."""

    def after_import_row(self, row: Any, row_result: Any, **kwargs: Any) -> None:
        row_result.findings = self.findings.get(row[NUMBER], [])


class _Line:
    """One row while its cells are taken."""

    def __init__(self, number: int) -> None:
        self.number = number


@dataclass(frozen=True)
class ShownRow:
    """A row of a preview: its number and cells in the sheet, what is wrong, what must be signed off."""

    number: int
    cells: list[tuple[str, str]]
    errors: list[str]
    findings: list[Finding]

    @property
    def has_fatal(self) -> bool:
        """Say whether one of its findings cannot be signed away."""
        return any(finding.code in FATAL for finding in self.findings)


@dataclass
class Preview:
    """A sheet as it is shown before anything is loaded."""

    title: str
    headings: list[str]
    about: list[str] = field(default_factory=list)  # said of the sheet or of a cell above its rows
    rows: list[ShownRow] = field(default_factory=list)
    left_out: int = 0  # rows without anything to say that are not shown

    @property
    def bad(self) -> int:
        """How many rows cannot be read."""
        return sum(bool(row.errors) for row in self.rows)

    @property
    def doubtful(self) -> int:
        """How many rows have something to be signed off."""
        return sum(bool(row.findings) for row in self.rows)


def preview_plan(
    sheets: Mapping[str, Sheet], problems: Sequence[Said], findings: Sequence[Finding]
) -> tuple[list[Preview], list[str]]:
    """Return each sheet's rows with what is said of them, and what is said of no sheet (the plan's own text)."""
    known = {sheet.title for sheet in sheets.values()}
    elsewhere = [_told(said) for said in (*problems, *findings) if said.sheet not in known]
    return [_preview(title, sheet, problems, findings) for title, sheet in sheets.items()], elsewhere


def _preview(title: str, sheet: Sheet, problems: Sequence[Said], findings: Sequence[Finding]) -> Preview:
    problems = [problem for problem in problems if problem.sheet == sheet.title]
    findings = [finding for finding in findings if finding.sheet == sheet.title]
    first, headings = _headings(title, sheet)
    body = [row for row in sheet.rows if row.number >= first]
    told = _by_row([*problems, *findings])
    spoken = [row for row in body if row.number in told]
    silent = [row for row in body if row.number not in told]
    chosen = sorted(
        [*spoken, *silent[: max(0, MAX_SHOWN_ROWS - len(spoken))]][:MAX_SHOWN_ROWS], key=lambda row: row.number
    )
    dataset = tablib.Dataset(headers=[NUMBER, *headings])
    for row in chosen:
        dataset.append([row.number, *(row[place].text for place in range(len(headings)))])
    # Nothing is written, so nothing needs a transaction or a savepoint for every row.
    result = SheetResource(list(headings), problems, findings).import_data(dataset, use_transactions=False)
    shown = {row.number for row in chosen}
    return Preview(
        title=title,
        headings=list(headings.values()),
        about=[_told(said) for number, all_said in told.items() if number not in shown for said in all_said],
        rows=[_row(values, row_result, headings) for values, row_result in zip(dataset.dict, result.rows, strict=True)],
        left_out=len(body) - len(chosen),
    )


def _row(values: Mapping[str, Any], row_result: Any, headings: Mapping[str, str]) -> ShownRow:
    errors = [str(error.error) for error in row_result.errors]
    if row_result.validation_error:
        errors += row_result.validation_error.messages
    cells = [(heading, values[letter]) for letter, heading in headings.items()]
    return ShownRow(values[NUMBER], cells, errors, getattr(row_result, "findings", []))


def _headings(title: str, sheet: Sheet) -> tuple[int, dict[str, str]]:
    """Return the first row under the headings and {column's letter: heading}; the letters alone where none is found."""
    width = min(max((max(row.values, default=0) for row in sheet.rows), default=0), MAX_SHOWN_COLUMNS)
    letters = {} if not sheet.rows else {_letter(sheet.rows[0][place].ref): "" for place in range(width)}
    try:
        found = headed(title, sheet, Problems())
    except PlanError:
        found = None
    if found is None or not found.headings:
        return 1, {letter: letter for letter in letters}
    cells = list(found.headings.values())
    by_letter = {_letter(cell.ref): cell.text for cell in cells}
    return _number(cells[0].ref) + 1, {letter: by_letter.get(letter) or letter for letter in letters}


def _letter(ref: str) -> str:
    return ref.rstrip("0123456789")


def _number(ref: str) -> int:
    digits = re.search(r"\d+$", ref)
    return int(digits[0]) if digits else 0


def _by_row(all_said: Iterable[Any]) -> dict[int, list[Any]]:
    """Return {row number: what is said of it}, 0 for the sheet itself."""
    by_row: dict[int, list[Any]] = {}
    for said in all_said:
        by_row.setdefault(_number(said.cell), []).append(said)
    return by_row


def _told(said: Said) -> str:
    return f"{said.sheet} {said.cell}：{said.message}" if said.cell else f"{said.sheet}：{said.message}"
