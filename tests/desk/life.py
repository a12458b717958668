"""A campaign lived at random through the real verbs, and lists read page by page beside a count of every row."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import Sum

from coupons import consumers, lifecycle
from coupons.ledger import Actor
from coupons.models import Consumer, Coupon
from coupons.models.books import ActorKind
from coupons.tallies import BLOCK, CONSUMERS, COUPONS
from huigou.errors import Refusal
from huigou.listing import Listing
from huigou.models import Department
from merchants import errors, redemption, reversal
from merchants.models import Clerk, Redemption
from merchants.tallies import USES
from tests import factories
from tests.conftest import as_owner

TALLIES = (COUPONS, CONSUMERS, USES)
NAMES = ("王小明", "李四", "赵生")
STOCK = {("dining", 100): 40, ("dining", 200): 20, ("fuel", 50): 60, ("book", 20): 40}


def skip_numbers() -> None:
    """Let the numbers of coupons and consumers go on some blocks later, as they would after thousands more."""
    with as_owner(), connection.cursor() as cursor:
        for table in ("coupons_draw", "coupons_consumer"):
            cursor.execute(f"SELECT setval('{table}_id_seq', nextval('{table}_id_seq') + %s)", [BLOCK])


class Life:
    """A county and what may happen in it; every deed takes the next random choice. Refusals are part of life."""

    def __init__(self, seed: int, at: Callable[[dt.datetime], dt.datetime]) -> None:
        self.random, self.at = random.Random(seed), at
        self.now = at(factories.FIRST_OPENING - dt.timedelta(minutes=30))
        self.county = factories.a_county(STOCK, rounds=2, page_size=7)
        lifecycle.sweep()
        shops = [factories.a_merchant(self.county, name=f"乾安{n}号店") for n in range(3)]
        self.clerks = [factories.a_clerk(shop, name) for shop in shops for name in NAMES[:2]]
        self.folk = [factories.a_consumer(self.random.choice(NAMES)) for _ in range(40)]
        self.pass_time(dt.timedelta(minutes=35))

    def pass_time(self, span: dt.timedelta) -> None:
        self.now = self.at(self.now + span)

    def go_on(self, steps: int) -> None:
        """Live some steps."""
        deeds = [
            (self.draw, 10),
            (self.scan, 8),
            (self.complete, 6),
            (self.recall, 2),
            (self.reverse, 2),
            (self.move_house, 2),
            (self.unbind, 1),
            (self.wait, 4),
            (self.sweep, 3),
            (self.fold, 4),
            (lambda: self.random.choice(TALLIES).begin_anew(), 1),
            (skip_numbers, 1),
        ]
        for deed in self.random.choices([d for d, _ in deeds], [weight for _, weight in deeds], k=steps):
            with contextlib.suppress(Refusal):
                deed()

    def draw(self) -> None:
        lifecycle.sweep()
        number = next((n for n, r in enumerate(self.county.rounds, 1) if r.opens_at <= self.now < r.closes_at), 1)
        category = self.random.choice(list(self.county.categories))
        factories.drawn_by_many(self.county, self.random.sample(self.folk, 5), category, number)

    def some(self, rows: Any) -> Any:
        found = list(rows.order_by("pk"))
        if not found:
            raise Refusal(errors.NO_REDEMPTION)
        return self.random.choice(found)

    def scan(self) -> None:
        factories.scanned(self.some(Coupon.objects.filter(state="held")), self.random.choice(self.clerks))

    def complete(self) -> None:
        row = self.some(Redemption.objects.pending().select_related("clerk__outlet", "category"))
        kind = row.category.kind_choices[0] if row.category.kind_choices else "2"
        amount = row.threshold_fen + self.random.randrange(0, 10_000)
        redemption.complete(row.clerk, row.pk, redemption.Entry(amount, kind))

    def recall(self) -> None:
        redemption.recall(self.some(Redemption.objects.pending()).pk, Actor(ActorKind.STAFF, 1), "顾客改主意")

    def reverse(self) -> None:
        row = self.some(Redemption.objects.finished())
        bureau = factories.a_staff(Department.INDUSTRY)
        full = self.random.random() < 0.8
        factories.agreed(reversal.propose(row.pk, full_refund=full, maker=bureau, reason="顾客退货"))

    def move_house(self) -> None:
        verdict = self.random.choice(["inside", "outside", "declared"])
        Consumer.objects.filter(pk=self.random.choice(self.folk).pk).update(place=verdict)

    def unbind(self) -> None:
        leaver = self.random.choice(self.folk)
        consumers.unbind(leaver)
        self.folk.remove(leaver)
        self.folk.append(factories.a_consumer(self.random.choice(NAMES)))

    def wait(self) -> None:
        self.pass_time(dt.timedelta(hours=self.random.choice([1, 1, 5, 30])))

    def sweep(self) -> None:
        redemption.forfeit_overdue()
        lifecycle.sweep()

    def fold(self) -> None:
        self.random.choice(TALLIES).fold()


def fold_all() -> None:
    """Fold all there is. The server's other databases hold the edge back for as long as their transactions last."""
    until = time.monotonic() + 180
    while time.monotonic() < until:
        for tally in TALLIES:
            tally.fold()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM coupons_transfer t, coupons_tallymark m"
                " WHERE m.name <> 'consumers' AND t.xact >= m.horizon AND t.id > m.floor"
            )
            if not cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("another transaction stays open")


# ---- a list beside every row of it


def plain(listing: Listing) -> list[Any]:
    """Return the keys of all rows that the filters leave, in order, by reading them all."""
    return list(listing.narrow(listing.base(), listing.cleaned).values_list("pk", flat=True))


def plain_sums(listing: Listing) -> dict[str, int]:
    """Return the totals over all rows."""
    rows = listing.narrow(listing.base(), listing.cleaned).order_by()
    names = {"face": "face_fen", "amount": "amount_fen"}
    columns = {column.total: Sum(names[column.total]) for column in listing.columns if column.total}
    return {name: value or 0 for name, value in rows.aggregate(**columns).items()} if columns else {}


def choices(life: Life) -> dict[str, list[Any]]:
    """Return what each filter of the long lists may be set to."""
    first = life.county.rounds[0].opens_at.date()
    days = [str(first + dt.timedelta(days=n)) for n in range(9)]
    person = life.folk[0].person
    return {
        "since": days[:6],
        "until": days[3:],
        "name": list(NAMES),
        "phone": [person.phone, person.phone_last4],
        "category": list(life.county.categories),
        "face": ["2000", "5000", "10000", "20000"],
        "round": ["1", "2"],
        "state": ["unused", "sent", "used", "lapsed", "forfeited"],
        "channel": ["self", "station"],
        "outlet": ["1号", "乾安", "没有"],
        "clerk": list(NAMES),
        "stat": ["unknown", "listed"],
        "merchant": [str(pk) for pk in Clerk.objects.values_list("outlet__merchant", flat=True)],
        "place": ["unasked", "declared"],
        "hour": [f"{day}T{hour:02}" for day in days[:3] for hour in (9, 10, 14)],
        "bound": ["bound", "unbound"],
    }


def a_question(life: Life, kind: type[Listing]) -> Listing:
    """Return a list with some filters set at random."""
    known = choices(life)
    fields = [name for name in kind.Filters.base_fields if name in known]
    asked = {name: life.random.choice(known[name]) for name in fields if life.random.random() < 0.3}
    if kind.code == "uses" and "place" in asked:
        asked["place"] = str(life.random.choice(life.clerks).outlet_id)
    listing = kind.open(asked, life.now)
    assert listing.is_valid or "until" in listing.form.errors, listing.form.errors
    return listing
