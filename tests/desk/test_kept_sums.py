"""共 N 条, totals and pages are exact at every instant: whatever happens, whoever writes, whenever it is folded."""

from __future__ import annotations

import datetime as dt
import threading
import time
from unittest import mock

import pytest
from django.db import connection, connections, transaction

from coupons import lifecycle
from coupons.desk import Consumers
from coupons.ledger import Actor
from coupons.models import Coupon, TallyMark
from coupons.models.books import ActorKind
from coupons.tallies import COUPONS, Tally
from huigou import clock
from huigou.snapshot import snapshot
from merchants import redemption
from merchants.desk import Coupons, Uses
from merchants.tallies import USES
from reports import reconcile
from tests import factories
from tests.desk.life import TALLIES, Life, a_question, fold_all, plain, plain_sums

pytestmark = pytest.mark.django_db(transaction=True)


def off(tally: Tally) -> list:
    return tally.differences(50)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_the_sums_are_what_the_rows_come_to(at, seed):
    life = Life(seed, at)
    for _ in range(4):
        life.go_on(35)
        assert [off(tally) for tally in TALLIES] == [[], [], []]
    assert Coupon.objects.filter(state="used").exists()
    assert reconcile.check(life.county.campaign).findings == []


@pytest.mark.parametrize("seed", [4])
def test_any_filters_and_any_page_are_what_reading_every_row_gives(at, seed):
    life = Life(seed, at)
    pages = spread = 0
    for _ in range(3):
        life.go_on(45)
        for kind in (Coupons, Uses, Consumers) * 5:
            listing = a_question(life, kind)
            if not listing.is_valid:
                continue
            rows, size = plain(listing), listing.page_size
            assert listing.count() == len(rows), listing.kept
            assert listing.sums() == plain_sums(listing), listing.kept
            for start in range(0, len(rows), size):
                page = listing.page(start // size + 1)
                assert [row.pk for row in page.object_list] == rows[start : start + size], (listing.kept, start)
                pages += 1
            spread = max(spread, len(listing._stretches or ()))
    assert pages > 50
    assert spread > 2, "no list was cut into several stretches"


# ---- with writers and folds under way


def in_thread(deed, stop: threading.Event, wrong: list) -> threading.Thread:
    def run() -> None:
        try:
            while not stop.is_set():
                deed()
        except Exception as error:
            wrong.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_reader_sees_exact_sums_while_others_write_and_fold(at):
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 400}, rounds=1, page_size=7)
    lifecycle.sweep()
    at(county.rounds[0].opens_at + dt.timedelta(minutes=5))
    clerks = [factories.a_clerk(factories.a_merchant(county)) for _ in range(3)]
    coupons = factories.drawn_by_many(county, factories.some_consumers(90))
    shares = [iter(coupons[place::3]) for place in range(3)]
    folk = iter(factories.some_consumers(200))

    def draw():
        if (comer := next(folk, None)) is None:
            time.sleep(0.01)  # a fast machine is through with all of them before the two seconds are over
            return
        factories.drawn(county, comer)

    def spend(clerk, share):
        coupon = next(share, None)
        if coupon is None:
            time.sleep(0.01)
            return
        with transaction.atomic():  # some are long under way, so that numbers are handed out long before the commit
            factories.scanned(coupon, clerk)
            time.sleep(0.02)
        scan = coupon.redemptions.get()
        if coupon.pk % 4 == 0:
            redemption.recall(scan.pk, Actor(ActorKind.STAFF, 1), "顾客改主意")
        else:
            redemption.complete(clerk, scan.pk, redemption.Entry(coupon.threshold_fen, "2"))

    deeds = [lambda c=clerk, s=share: spend(c, s) for clerk, share in zip(clerks, shares, strict=True)]
    deeds += [draw, lambda: [t.fold() for t in TALLIES]]
    stop, wrong, seen = threading.Event(), [], set()
    threads = [in_thread(deed, stop, wrong) for deed in deeds]
    begun = time.monotonic()
    try:
        # For two seconds, and on a busy machine until enough was written in between.
        while not wrong and (passed := time.monotonic() - begun) < 60 and (passed < 2 or len(seen) <= 5):
            with snapshot():
                assert [off(tally) for tally in TALLIES] == [[], [], []]
                now = clock.now()
                for listing in (Coupons.open({}, now), Coupons.open({"state": "unused"}, now), Uses.open({}, now)):
                    rows = plain(listing)
                    assert listing.count() == len(rows)
                    last = listing.page(10_000)
                    assert [row.pk for row in last.object_list] == rows[(last.number - 1) * 7 :]
                seen.add(Coupons.open({}, now).count())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(seen) > 5, "nothing was written while it was read"


def one_that_commits_late(county: factories.County) -> tuple[threading.Event, threading.Thread]:
    """Begin a scan in a transaction that stays open until it is told to commit."""
    clerk = factories.a_clerk(factories.a_merchant(county))
    coupon = factories.drawn(county, factories.a_consumer())
    written, may_commit = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with transaction.atomic():
                factories.scanned(coupon, clerk)
                written.set()
                may_commit.wait(20)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    assert written.wait(20)
    return may_commit, thread


def fold_across(county: factories.County) -> list:
    """Fold while an older transaction is open and a younger one has ended; return what is off once all have ended."""
    may_commit, thread = one_that_commits_late(county)
    factories.used(
        factories.drawn(county, factories.a_consumer("李四")), factories.a_clerk(factories.a_merchant(county))
    )
    COUPONS.fold()
    may_commit.set()
    thread.join()
    COUPONS.fold()
    return off(COUPONS)


def test_a_transaction_that_commits_late_is_not_lost(county):
    assert fold_across(county) == []


def test_sealing_up_to_the_youngest_number_would_lose_it(county):
    """The negative control: with what max(id) amounts to in xmin's place, the late one is never counted."""
    real = COUPONS._fold.__func__

    class UpToTheYoungest:
        def __init__(self, cursor):
            self.cursor = cursor

        def execute(self, text, params=None):
            return self.cursor.execute(text.replace("pg_snapshot_xmin(s)", "pg_snapshot_xmax(s)"), params)

        def __getattr__(self, name):
            return getattr(self.cursor, name)

    def careless(self, cursor, horizon, floor):
        return real(self, UpToTheYoungest(cursor), horizon, floor)

    with mock.patch.object(type(COUPONS), "_fold", careless):
        assert fold_across(county) != []


def test_a_database_restored_into_another_server_counts_on(county):
    clerk = factories.a_clerk(factories.a_merchant(county))
    factories.used(factories.drawn(county, factories.a_consumer()), clerk)
    fold_all()
    # What a dump brings along: marks and transfers with numbers that this server has not reached yet.
    with as_another_server(), connection.cursor() as cursor:
        cursor.execute("UPDATE coupons_transfer SET xact = xact + 1000000000")
    TallyMark.objects.filter(name__in=["coupons", "uses"]).update(horizon=1_000_000_500)
    assert [off(tally) for tally in TALLIES] == [[], [], []]
    factories.used(factories.drawn(county, factories.a_consumer()), clerk)
    assert [off(tally) for tally in TALLIES] == [[], [], []]
    fold_all()
    factories.used(factories.drawn(county, factories.a_consumer()), clerk)
    assert [off(tally) for tally in TALLIES] == [[], [], []]
    [(tail,)] = read("SELECT count(*) FROM coupons_transfer t, coupons_tallymark m WHERE m.name = 'coupons'"
                     " AND t.xact >= m.horizon AND t.id > m.floor")  # fmt: skip
    assert tail <= 5, "what was restored is read again with every page"


def as_another_server():
    from tests.conftest import as_owner

    class Restoring:
        def __enter__(self):
            self.owner = as_owner()
            self.owner.__enter__()
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE coupons_transfer DISABLE TRIGGER USER")

        def __exit__(self, *failed):
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE coupons_transfer ENABLE TRIGGER USER")
            self.owner.__exit__(*failed)

    return Restoring()


def read(text: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


# ---- the books look after the sums


def test_the_books_find_a_wrong_sum_and_counting_anew_heals_it(county):
    factories.used(factories.drawn(county, factories.a_consumer()), factories.a_clerk(factories.a_merchant(county)))
    fold_all()
    assert reconcile.check(county.campaign).findings == []
    for table in ("coupons_coupontally", "merchants_usetally", "coupons_consumertally"):
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET n = n + 1")  # noqa: S608 (a table named above)
    found = reconcile.check(county.campaign).findings
    assert [(f.code, f.message.split("（")[0]) for f in found] == [
        ("kept_sum", "领取统计与逐行计数相差 1"),
        ("kept_sum", "使用统计与逐行计数相差 1 / 0"),
        ("kept_sum", "买家统计与逐行计数相差 1"),
    ]
    for tally in TALLIES:
        tally.begin_anew()
    assert reconcile.check(county.campaign).findings == []


def test_a_fold_takes_what_is_new_once_and_only_once(county):
    factories.used(factories.drawn(county, factories.a_consumer()), factories.a_clerk(factories.a_merchant(county)))
    fold_all()
    assert USES.fold() == 0
    assert read("SELECT state, n FROM merchants_usetally") == [("used", 1)]
