"""How long expiry and the check of the books take, while redemptions of another campaign go on."""

from __future__ import annotations

import datetime as dt
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from coupons import lifecycle
from coupons.codes import Presented
from coupons.models import Campaign, Coupon, Person
from huigou import clock
from huigou.fields import keyed_hash
from huigou.models import Department, Staff
from merchants import redemption
from merchants.models import BindingCode, Clerk, Merchant, Outlet
from reports import reconcile
from reports.benchmark import county

CATEGORY = "fuel"
WARM_UP_S = 3.0
PEOPLE = 5_000  # who hold the coupons of both campaigns
COUNTER_STOCK = 20_000  # coupons of the other campaign: more than a counter gets through in the time

Say = Callable[[str], object]


@dataclass
class Counter:
    """A clerk of another campaign who scans and enters without a pause, on a thread and connection of his own."""

    clerk: Clerk
    coupons: list[int]
    took_s: list[tuple[float, float]] = field(default_factory=list)  # (when it ended, how long it took)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.error: BaseException | None = None

    def __enter__(self) -> Counter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for number, coupon in enumerate(self.coupons):
                if self._stop.is_set():
                    break
                began = time.perf_counter()
                options = redemption.ScanOptions(another_purchase=True, receipt_no=f"R{number}")
                made = redemption.scan(self.clerk, Presented(coupon, is_paper=False), options)
                redemption.complete(self.clerk, made.pk, redemption.Entry(made.threshold_fen, "货品"))
                ended = time.perf_counter()
                self.took_s.append((ended, ended - began))
        except BaseException as broken:
            self.error = broken
        finally:
            connections.close_all()

    def between(self, since: float, until: float) -> dict[str, Any]:
        """Return how many redemptions ended in a span and how long they took, in milliseconds."""
        took = sorted(took * 1000 for ended, took in self.took_s if since <= ended <= until)
        if not took:
            return {"redemptions": 0}
        return {
            "redemptions": len(took),
            "per_s": round(len(took) / (until - since), 1),
            "median_ms": round(statistics.median(took), 1),
            "p99_ms": round(took[int(len(took) * 0.99)], 1),
            "max_ms": round(took[-1], 1),
        }


def measure(coupons: int, say: Say = lambda text: None) -> dict[str, Any]:
    """Expire so many coupons beside a busy counter of another campaign, then check the books, old and new rows."""
    say("买家")
    people = county.some_consumers(PEOPLE)
    now = clock.now()
    say(f"写入 {coupons} 张已抽中的券")
    over = county.a_campaign("到期", {CATEGORY: coupons}, now - dt.timedelta(days=5, minutes=1))
    county.draw_history(county.deck_id(over, CATEGORY), coupons, people)
    other = county.a_campaign("核销", {CATEGORY: COUNTER_STOCK}, now - dt.timedelta(hours=1))
    county.draw_history(county.deck_id(other, CATEGORY), COUNTER_STOCK, people)
    held = list(Coupon.objects.filter(round__campaign=other).order_by("pk").values_list("pk", flat=True))
    round_id = over.rounds.get().pk
    with Counter(_clerk(other), held) as counter:
        say("另一期活动核销中")
        time.sleep(WARM_UP_S)
        began = time.perf_counter()
        say(f"到期 {coupons} 张")
        lifecycle.book_round(round_id)
        ended = time.perf_counter()
    if counter.error is not None:
        raise counter.error
    say("核对账目")
    full = _least(lambda: reconcile.check(over))
    new = _least(lambda: reconcile.check_new(over))
    return {
        "coupons": coupons,
        "expired": Coupon.objects.filter(round=round_id, state=Coupon.State.EXPIRED).count(),
        "expiry_s": round(ended - began, 2),
        "before": counter.between(began - WARM_UP_S, began),
        "meanwhile": counter.between(began, ended),
        "transfers": full.transfers,
        "findings": len(full.findings),
        "check_books_s": round(full.seconds, 2),
        "check_new_s": round(new.seconds, 2),
    }


def _least(check: Callable[[], reconcile.Report]) -> reconcile.Report:
    return min((check() for _ in range(2)), key=lambda report: report.seconds)


def _clerk(campaign: Campaign) -> Clerk:
    now = clock.now()
    merchant = Merchant.objects.create(
        campaign=campaign, name="测速商家", joined_at=now, state=Merchant.State.ACTIVE, seq=1
    )
    merchant.categories.set(campaign.category_set.all())
    outlet = Outlet.objects.create(merchant=merchant, name=merchant.name)
    bureau, _ = Staff.objects.get_or_create(
        username="bench-industry", defaults={"department": Department.INDUSTRY, "person_key": "bench-industry"}
    )
    code = BindingCode.objects.create(
        outlet=outlet,
        code_hash=keyed_hash("binding", "bench-books"),
        issued_by=bureau,
        issued_at=now,
        expires_at=now + dt.timedelta(days=7),
        used_at=now,
    )
    person = Person.objects.create(
        name="李店员", phone_key=keyed_hash("phone", "bench-clerk"), phone_last4="0000", created_at=now
    )
    made = Clerk.objects.create(person=person, outlet=outlet, code=code, bound_at=now - dt.timedelta(hours=1))
    return Clerk.objects.select_related("outlet__merchant", "person").get(pk=made.pk)
