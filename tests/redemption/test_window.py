"""The last moment: a scan counts by the clock that was read after its lock, an entry until its window's end."""

from __future__ import annotations

import datetime as dt
import threading
import time
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from coupons import ledger, lifecycle
from coupons.ledger import Party
from coupons.models import Consumer, Coupon, Person
from coupons.models.books import Account
from huigou import clock
from huigou.errors import Refusal
from merchants import errors, redemption
from merchants.models import Redemption
from merchants.redemption import Entry
from tests import factories
from tests.redemption.ground import at_once, held, outcome, sessions_waiting, shown

LAST_MOMENT, MIDNIGHT = "2022-06-29 23:59:59.999", "2022-06-30 00:00:00.000"
ENTRY_ENDS = "2022-07-01 00:00:00.000"


@pytest.fixture
def clerk(trades):
    return factories.a_clerk(factories.a_merchant(trades, name="乾安火锅店"), "李店员")


@pytest.mark.django_db
@pytest.mark.parametrize(("when", "expected"), [(LAST_MOMENT, "ok"), (MIDNIGHT, "coupon_expired")])
def test_a_scan_at_the_edge(trades, clerk, at, when, expected):
    coupon = held(trades, factories.a_consumer(), "dining")
    at(when)
    assert outcome(lambda: redemption.scan(clerk, shown(coupon))) == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("when", "expected"),
    [("2022-06-30 23:59:59.999", "ok"), (ENTRY_ENDS, "entry_late"), ("2022-07-03 12:00", "entry_late")],
)
def test_an_entry_at_its_edge(trades, clerk, at, when, expected):
    coupon = held(trades, factories.a_consumer(), "dining")
    at(LAST_MOMENT)
    made = redemption.scan(clerk, shown(coupon))
    at(when)
    assert outcome(lambda: redemption.complete(clerk, made.pk, Entry(30_000, "3"))) == expected


@pytest.mark.django_db
def test_what_was_never_entered_is_used_and_forfeited_by_the_shop(trades, clerk, at):
    coupon = held(trades, factories.a_consumer(), "dining")
    made = redemption.scan(clerk, shown(coupon))
    at("2022-06-30 23:59:59.999")
    assert redemption.forfeit_overdue() == 0
    at(ENTRY_ENDS)
    assert (redemption.forfeit_overdue(), redemption.forfeit_overdue()) == (1, 0)
    made.refresh_from_db()
    coupon.refresh_from_db()
    assert (made.state, coupon.state) == (Redemption.State.FORFEITED, Coupon.State.FORFEITED)
    forfeited = {
        p: fen for p, fen in ledger.balances(trades.campaign.pk).items() if p.kind == Account.FORFEITED and fen
    }
    assert list(forfeited.values()) == [10_000]
    assert ledger.balances(trades.campaign.pk).get(Party(Account.PAYABLE, clerk.outlet.merchant_id), 0) == 0
    assert outcome(lambda: redemption.complete(clerk, made.pk, Entry(30_000, "3"))) == "no_redemption"


# ---- a lock that is waited for across midnight


@contextmanager
def somebody_holds(holder: Consumer, until: threading.Event):
    """Hold the person's row in another connection until told to let go."""
    held_now = threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Person.objects.select_for_update().get(pk=holder.person_id)
                held_now.set()
                until.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held_now.wait(10)
    try:
        yield
    finally:
        until.set()
        thread.join()


def scan_waits_across_midnight(scan, coupon, at) -> str:
    """Start a scan at the last moment, let it wait for a lock until midnight, and return what became of it."""
    at(LAST_MOMENT)
    let_go = threading.Event()
    with somebody_holds(coupon.holder, let_go):
        said: list[str] = []
        thread = threading.Thread(target=lambda: said.extend(at_once([scan])))
        thread.start()
        until = time.monotonic() + 10
        while not sessions_waiting():
            assert time.monotonic() < until, "the scan never waited"
            time.sleep(0.01)
        at(MIDNIGHT)
        let_go.set()
        thread.join()
    return said[0]


@pytest.fixture
def waiting(county, wang, li):
    return factories.drawn(county, wang)


@pytest.mark.django_db(transaction=True)
def test_a_scan_that_waited_across_midnight_is_refused(waiting, li, at):
    assert scan_waits_across_midnight(lambda: redemption.scan(li, shown(waiting)), waiting, at) == "coupon_expired"
    assert Redemption.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_the_harness_sees_a_clock_read_before_the_lock(waiting, li, at):
    """Negative control: the same scan with the time taken before its lock is accepted after midnight."""

    def early_clock() -> Redemption:
        before = clock.now()
        with transaction.atomic():
            Person.objects.select_for_update(no_key=True).get(pk=waiting.holder.person_id)
            coupon = Coupon.objects.select_for_update(no_key=True).get(pk=waiting.pk)
            if before >= coupon.expires_at:
                raise errors.COUPON_EXPIRED(when="")
            return Redemption.objects.create(
                coupon=coupon,
                consumer_id=coupon.holder_id,
                merchant=li.outlet.merchant,
                outlet=li.outlet,
                clerk=li,
                category_id=coupon.batch.category_id,
                face_fen=coupon.face_fen,
                threshold_fen=coupon.threshold_fen,
                scanned_at=before,
                entry_until=coupon.round.entry_until,
            )

    assert scan_waits_across_midnight(early_clock, waiting, at) == "ok"
    assert Redemption.objects.get().scanned_at < waiting.expires_at <= clock.now()


@pytest.mark.django_db(transaction=True)
def test_expiry_booked_while_the_scan_waits_changes_nothing(waiting, li, at):
    """A scan at the last moment and the midnight sweep meet: one of them has the coupon, never both."""
    at(LAST_MOMENT)
    assert outcome(lambda: redemption.scan(li, shown(waiting))) == "ok"
    at(MIDNIGHT)
    said = at_once([lifecycle.sweep] * 3 + [lambda: redemption.scan(li, shown(waiting))])
    assert said == ["ok"] * 4
    waiting.refresh_from_db()
    assert waiting.state == Coupon.State.PENDING
    at("2022-06-30 10:00")
    made = redemption.complete(li, Redemption.objects.get().pk, Entry(30_000, "3"))
    assert made.completed_at - waiting.expires_at == dt.timedelta(hours=10)


@pytest.mark.django_db
def test_a_pending_coupon_of_another_place_stays_there_after_midnight(trades, clerk, at):
    coupon = held(trades, factories.a_consumer(), "dining")
    factories.scanned(coupon, clerk)
    at(MIDNIGHT)
    other = factories.a_clerk(factories.a_merchant(trades, name="乾安饭庄"), "孙店员")
    with pytest.raises(Refusal) as caught:
        redemption.scan(other, shown(coupon))
    assert caught.value.code == "coupon_pending_elsewhere"
