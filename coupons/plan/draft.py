"""A plan as read, before anything of it is in the database."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """Where something stands: sheet and cell."""

    sheet: str
    cell: str


@dataclass(frozen=True)
class PlanSettings:
    """Sheet 设置."""

    name: str
    edition: str
    county: str
    budget_fen: int
    multiplier: int
    document: str = ""
    host: str = ""
    organiser: str = ""
    account_name: str = ""
    turns: int = 1
    wins: int = 1
    entry_hours: int = 24
    settle_after_days: int = 31
    page_size: int = 20
    draw_mode: str = "wheel"
    place_policy: str = "declared"
    remainder: str = ""


@dataclass(frozen=True)
class PlanCategory:
    """One line of sheet 品类."""

    code: str
    name: str
    aliases: tuple[str, ...]
    kind_label: str
    kind_choices: tuple[str, ...]
    kind_unit: str
    cashless: bool
    blanks: int
    is_active: bool
    place: Place

    @property
    def names(self) -> frozenset[str]:
        """Its name and aliases, 餐饮类 and 餐饮 being one."""
        return frozenset(name.removesuffix("类") for name in (self.name, *self.aliases))

    def is_called(self, text: str) -> bool:
        """Say whether a heading or a trade means this category."""
        return text.removesuffix("类") in self.names


@dataclass(frozen=True)
class PlanRound:
    """One line of 活动时间; ``closes_at`` is exclusive (24:00 is the next day's 00:00)."""

    number: int
    opens_at: dt.datetime
    closes_at: dt.datetime
    place: Place


@dataclass(frozen=True)
class PlanBatch:
    """One filled cell of annex 1."""

    category_code: str
    face_fen: int
    count: int
    place: Place


@dataclass(frozen=True)
class PlanMerchant:
    """One line of annex 2."""

    seq: int
    name: str
    category_codes: tuple[str, ...]
    address: str
    phone: str
    contact: str
    is_collective: bool
    place: Place


@dataclass(frozen=True)
class Printed:
    """A total as printed in annex 1, to be held against the computed one. Money in fen."""

    what: str  # row_count, row_money, column_count, column_money, total_count, total_money, title
    key: str  # face in fen, category code, or ""
    value: int
    place: Place


@dataclass(frozen=True)
class Named:
    """Something that stands in the plan and goes into none of its rows: a trade by name, a hidden row."""

    name: str
    place: Place


@dataclass(frozen=True)
class PlanDraft:
    """The whole plan."""

    settings: PlanSettings
    categories: tuple[PlanCategory, ...]
    rounds: tuple[PlanRound, ...]
    batches: tuple[PlanBatch, ...]
    merchants: tuple[PlanMerchant, ...]
    printed: tuple[Printed, ...] = field(default=())
    named: tuple[Named, ...] = field(default=())  # trades that the plan's text names
    unread: tuple[Named, ...] = field(default=())  # hidden rows and columns, settings that nobody knows

    @property
    def coupons(self) -> int:
        """How many coupons the cells add up to."""
        return sum(batch.count for batch in self.batches)

    @property
    def fen(self) -> int:
        """How much money the cells add up to."""
        return sum(batch.count * batch.face_fen for batch in self.batches)

    def of_category(self, code: str) -> list[PlanBatch]:
        """Return the batches of a category."""
        return [batch for batch in self.batches if batch.category_code == code]


def redate(draft: PlanDraft, first_opens_on: dt.date) -> PlanDraft:
    """Return the plan with round 1 opening on another day, every round moved by as many days, hours kept."""
    days = first_opens_on - draft.rounds[0].opens_at.date()
    moved = tuple(
        dataclasses.replace(row, opens_at=row.opens_at + days, closes_at=row.closes_at + days) for row in draft.rounds
    )
    return dataclasses.replace(draft, rounds=moved)
