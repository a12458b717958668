"""A round in which people with awkward nicknames drew and spent, and what a workbook of it is read back with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import openpyxl
import pytest
from django.core.management import call_command

from coupons import drawing, lifecycle
from coupons.models import Coupon
from huigou import clock
from huigou.listing import Listing
from merchants import reversal
from merchants.models import Redemption
from reports import exports
from reports.exports.cover import Cover, Written
from tests import factories
from tests.conftest import as_owner, moment

# What people call themselves: formulas, control characters, emoji, quotes, tags, escapes, empty.
NICKNAMES = [
    '=HYPERLINK("http://127.0.0.1/","点我")',
    "+86-1=1",
    "-2+3",
    "@SUM(A1:A9)",
    "\tcmd|' /C calc'!A0",
    "响\x07铃\x1b[31m",
    "家人👨‍👩‍👧‍👦🀄",
    "“引号”'\"<b>&amp;",
    "_x0041_ 与 _x000D_",
    "",
]


@dataclass
class World:
    """What was spent: the county, the uses in order, and one coupon each that is held, scanned and given back."""

    county: factories.County
    uses: list[Redemption]
    held: Coupon
    pending: Redemption
    reversed: Redemption

    @property
    def face_fen(self) -> int:
        return sum(use.face_fen for use in self.uses)

    @property
    def amount_fen(self) -> int:
        return sum(use.amount_fen or 0 for use in self.uses)


def at(when: str) -> None:
    """Let the platform's clock stand still at a moment of the test county's first day."""
    with as_owner():
        clock.shift(frozen_at=moment(f"2022-06-25 {when}"), using="default")


def build() -> World:
    """Let ten people with awkward nicknames spend at two shops; three more hold, have shown, got their money back."""
    at("08:30")
    county = factories.a_county({("dining", 100): 30, ("fuel", 50): 30})
    lifecycle.deal(county.rounds[0].pk)
    at("09:05")
    clerk = factories.a_clerk(factories.a_merchant(county, name="=乾安火锅店"), "李店员")
    pump = factories.a_clerk(factories.a_merchant(county, name="加油一站"), "周店员")
    nicknames = [*NICKNAMES, "持券人", "待录入", "退款人"]
    people = [factories.a_consumer(f"王{n}", wechat_name=name) for n, name in enumerate(nicknames)]
    where = [("dining", clerk), ("fuel", pump)] * len(people)
    coupons = [factories.drawn(county, person, where[n][0]) for n, person in enumerate(people)]
    uses = []
    for n, coupon in enumerate(coupons[: len(NICKNAMES)]):
        at(f"10:{n:02d}:07.654321")
        uses.append(factories.used(coupon, where[n][1], coupon.threshold_fen + 12_345 + n))
    held, shown, given_back = coupons[len(NICKNAMES) :]
    pending = factories.scanned(shown, where[len(NICKNAMES) + 1][1])
    back = factories.used(given_back, where[len(NICKNAMES) + 2][1])
    bureau = factories.a_staff("industry")
    factories.agreed(reversal.propose(back.pk, full_refund=True, maker=bureau, reason="顾客退货，小票已核"))
    back.refresh_from_db()
    return World(county, uses, held, pending, back)


@pytest.fixture(scope="module")
def kept_world(django_db_setup: None, django_db_blocker) -> Iterator[World]:
    """Build the world once for the tests of a module, which only read it or are rolled back."""
    with django_db_blocker.unblock():
        drawing.forget()
        yield build()
        call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True, allow_cascade=False)
        drawing.forget()


@pytest.fixture
def world(kept_world: World, db: None) -> World:
    return kept_world


@pytest.fixture
def own_world(transactional_db: None) -> World:
    """A world for a test whose processes must see it and each other."""
    return build()


@pytest.fixture(autouse=True)
def _media(settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@dataclass
class Book:
    """A workbook that was read back."""

    path: Path
    done: Written
    listing: Listing

    def __post_init__(self) -> None:
        self.file = openpyxl.load_workbook(self.path)
        self.cover = {row[0].value: row[1].value for row in self.file.worksheets[0].iter_rows()}
        self.sheets = self.file.worksheets[1:]

    @property
    def headings(self) -> list[str]:
        return [cell.value for cell in self.sheets[0][1]]

    def column(self, heading: str, sheet: int = 0) -> list:
        """Return the cells under a heading, the totals' last."""
        place = self.headings.index(heading)
        return [row[place] for row in self.sheets[sheet].iter_rows(min_row=2)]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Book]:
    """Write a list to a workbook and read it back."""
    number = count()

    def write(kind: str, filters: dict[str, str] | None = None, **options: object) -> Book:
        listing = exports.LISTS[kind].open(filters or {}, clock.now())
        path = tmp_path / f"{kind}-{next(number)}.xlsx"
        with exports.snapshot():
            done = exports.write(path, listing, Cover("审计局 张审计", "7"), **options)  # type: ignore[arg-type]
        return Book(path, done, listing)

    return write
