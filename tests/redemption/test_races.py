"""Many clerks at once, on real connections. One gets the coupon, the others a plain refusal, and nothing is undone."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import IntegrityError, connection

from coupons import codes, lifecycle
from coupons.ledger import Actor
from coupons.models import Coupon, Event, Transfer
from huigou import clock
from huigou.rules import constraint_of
from merchants import errors, redemption
from merchants.models import Attempt, Redemption
from merchants.redemption import Entry
from tests import factories
from tests.books.forging import forge, trigger_off
from tests.conftest import as_owner
from tests.redemption.ground import at_once, outcome, shown

pytestmark = pytest.mark.django_db(transaction=True)

SCAN_IN_A_PROCESS = """
import json, sys
import django
django.setup()
from merchants import errors, redemption
from merchants.models import Clerk
from tests.redemption.ground import at_once, shown
from coupons.models import Coupon
coupon = Coupon.objects.get(pk=int(sys.argv[1]))
clerks = list(Clerk.objects.select_related("outlet__merchant").filter(pk__in=map(int, sys.argv[2:])))
deeds = [lambda clerk=clerk: redemption.scan(clerk, shown(coupon)) for clerk in clerks]
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(at_once(deeds)))
"""


def many_clerks(county: factories.County, count: int) -> list:
    return [factories.a_clerk(factories.a_merchant(county, name=f"乾安{n}号店"), "李店员") for n in range(count)]


def by_processes(environment: dict[str, str], coupon: Coupon, shares: list[list]) -> list[str]:
    """Let each share of clerks scan from a process of its own, all at the same word."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCAN_IN_A_PROCESS, str(coupon.pk), *(str(clerk.pk) for clerk in share)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for share in shares
    ]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [json.loads(process.communicate(timeout=60)[0]) for process in started]
    return [outcome for share in said for outcome in share]


def test_fifty_clerks_scan_one_coupon_and_one_gets_it(county, wang, database_environment):
    coupon = factories.drawn(county, wang)
    clerks = many_clerks(county, 50)
    said = by_processes(database_environment, coupon, [clerks[:25], clerks[25:]])
    assert Counter(said) == {"ok": 1, "coupon_pending_elsewhere": 49}
    coupon.refresh_from_db()
    assert (coupon.state, coupon.steps) == (Coupon.State.PENDING, 2)
    assert (Redemption.objects.count(), Event.objects.filter(verb="scan").count()) == (1, 1)
    assert Counter(Attempt.objects.values_list("outcome", flat=True)) == {"ok": 1, "coupon_pending_elsewhere": 49}


INDEXES = ("redemption_once", "redemption_one_pending")


@contextmanager
def indexes_off() -> Iterator[None]:
    """Take the unique indexes of a redemption away, and bring them back over an empty table."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = ANY(%s)", [list(INDEXES)])
        made_by = [definition for (definition,) in cursor.fetchall()]
        for name in INDEXES:
            cursor.execute(f"DROP INDEX {name}")
    try:
        yield
    finally:
        forge("DELETE FROM merchants_redemption", tables=("merchants_redemption",))
        with as_owner(), connection.cursor() as cursor:
            for definition in made_by:
                cursor.execute(definition)


def unlocked_scans(coupon: Coupon, clerks: list) -> tuple[Counter, set[str]]:
    """Write a scan for each clerk at once with no lock before the look; return the outcomes, and what refused."""
    looked, refused_by = [], set()

    def unlocked(clerk) -> None:
        coupon_now = Coupon.objects.get(pk=coupon.pk)
        looked.append(coupon_now.state)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.2)")  # everybody has looked before anybody writes
        try:
            Redemption.objects.create(
                coupon=coupon_now,
                consumer_id=coupon_now.holder_id,
                merchant=clerk.outlet.merchant,
                outlet=clerk.outlet,
                clerk=clerk,
                category_id=coupon_now.batch.category_id,
                face_fen=coupon_now.face_fen,
                threshold_fen=coupon_now.threshold_fen,
                scanned_at=clock.now(),
                entry_until=coupon_now.round.entry_until,
            )
        except IntegrityError as lost:
            refused_by.add(constraint_of(lost))
            raise errors.COUPON_PENDING_ELSEWHERE(where="") from lost

    said = at_once([lambda clerk=clerk: unlocked(clerk) for clerk in clerks])
    assert looked.count(Coupon.State.HELD) > 1, "the harness saw no race"
    return Counter(said), refused_by


def test_two_guards_stand_behind_the_lock_and_without_them_one_coupon_is_spent_twice(county, wang, zhao):
    """Negative control: with no lock all look too soon. Trigger and index each let one through; neither, all."""
    one, other = factories.drawn_by_many(county, [wang, zhao])
    clerks = many_clerks(county, 8)
    assert unlocked_scans(one, clerks) == ({"ok": 1, "coupon_pending_elsewhere": 7}, {"redemption_one_pending"})
    with trigger_off("redemption_is_born"):
        said, refused_by = unlocked_scans(other, clerks)
        assert said == {"ok": 1, "coupon_pending_elsewhere": 7}
        assert len(refused_by) > 0
        assert refused_by <= set(INDEXES)
    forge("DELETE FROM merchants_redemption", tables=("merchants_redemption",))
    with trigger_off("redemption_is_born"), indexes_off():
        assert unlocked_scans(other, clerks) == ({"ok": 8}, set())
        assert Redemption.objects.filter(coupon=other).count() == 8


def test_one_entry_sent_twenty_times_is_booked_once(county, wang, li):
    scan = factories.scanned(factories.drawn(county, wang), li)
    entry = Entry(31_800, "3", request_key=uuid.uuid4())
    assert at_once([lambda: redemption.complete(li, scan.pk, entry)] * 20) == ["ok"] * 20
    assert Transfer.objects.filter(code=Transfer.Code.COMPLETE).count() == 1
    assert Event.objects.filter(verb=Transfer.Code.COMPLETE).count() == 1


def test_two_different_entries_at_once_are_one_entry(county, wang, li):
    scan = factories.scanned(factories.drawn(county, wang), li)
    deeds = [lambda fen=fen: redemption.complete(li, scan.pk, Entry(fen, "3")) for fen in range(30_000, 30_010)]
    assert Counter(at_once(deeds)) == {"ok": 1, "already_entered": 9}


def test_entry_and_recall_at_once_are_one_of_the_two(county, wang, li):
    scan = factories.scanned(factories.drawn(county, wang), li)
    said = at_once(
        [
            lambda: redemption.complete(li, scan.pk, Entry(30_000, "3")),
            lambda: redemption.recall(scan.pk, Actor("clerk", li.pk), "扫错了", clerk=li),
        ]
    )
    assert said in (["ok", "not_recallable"], ["no_redemption", "ok"])
    scan.refresh_from_db()
    scan.coupon.refresh_from_db()
    assert (scan.state, scan.coupon.state) in (("used", "used"), ("recalled", "held"))


def test_two_coupons_of_one_person_in_two_shops_at_once(at):
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 20, ("book", 20): 20})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    wang = factories.a_consumer()
    coupons = [factories.drawn(county, wang, code) for code in ("dining", "book")]
    clerks = many_clerks(county, 2)
    said = at_once(
        [
            lambda clerk=clerk, coupon=coupon: redemption.scan(clerk, shown(coupon))
            for clerk, coupon in zip(clerks, coupons, strict=True)
        ]
    )
    assert Counter(said) == {"ok": 1, "one_at_a_time": 1}
    assert Redemption.objects.pending().count() == 1


def test_a_clerks_guesses_in_parallel_are_counted_one_by_one(county, li, at):
    now = at("2022-06-25 09:30")
    guess = f"{(int(codes.show(1, now).short_code) + 1) % 10**8:08d}"
    said = at_once([lambda: redemption.token_from_short(li, guess)] * 20)
    assert Counter(said) == {"code_stale": 5, "short_code_tries": 15}
    at(now + dt.timedelta(minutes=9, seconds=59))
    assert outcome(lambda: redemption.token_from_short(li, guess)) == "short_code_tries"
