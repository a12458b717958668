"""Expiry under doubled, redelivered and killed runs: one ending per coupon, every fen back in the pool."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import DatabaseError, connections, transaction

from coupons import ledger, lifecycle
from coupons.ledger import Move, Party
from coupons.lifecycle import expiry
from coupons.models import Coupon, Event, Transfer
from huigou import clock
from huigou.rules import constraint_of
from reports import reconcile
from tests import factories
from tests.books.forging import forge
from tests.redemption.ground import at_once

pytestmark = pytest.mark.django_db(transaction=True)
HELD = 60
# Steps of five, so that a run has many; told to hang, it stops for ever between its rows and its commit.
RUN = """
import sys, time
import django
django.setup()
from coupons import ledger, lifecycle
from coupons.lifecycle import expiry
from tests.redemption.ground import at_once
expiry.expire_step.__defaults__ = (5,)
if sys.argv[2] == "hang":
    done = []
    real = ledger.keep_balances
    def hang(*given):
        if done:
            print("half way", flush=True)
            time.sleep(600)
        done.append(real(*given))
    ledger.keep_balances = hang
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[2] == "hang":
    lifecycle.book_round(int(sys.argv[1]))
else:
    print(at_once([lambda: lifecycle.book_round(int(sys.argv[1]))] * int(sys.argv[2])).count("ok"), flush=True)
"""


@pytest.fixture
def over(at):  # type: ignore[no-untyped-def]
    """A round that is over with sixty coupons held, one scanned and one used."""
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 200})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    clerk = factories.a_clerk(factories.a_merchant(county))
    coupons = factories.drawn_by_many(county, factories.some_consumers(HELD + 2))
    factories.used(coupons[0], clerk)
    factories.scanned(coupons[1], clerk)
    at(county.rounds[0].closes_at)
    return county


def started(environment: dict[str, str], round_id: int, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(round_id), how],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def one_ending_each(county: factories.County) -> None:
    held = Coupon.objects.filter(round=county.rounds[0])
    states = Counter(held.values_list("state", flat=True))
    assert states == {"expired": HELD, "used": 1, "pending": 1}
    endings = Counter(Transfer.objects.filter(code="expire").values_list("coupon", flat=True))
    assert (len(endings), set(endings.values())) == (HELD, {1})
    assert Event.objects.filter(verb="expire").count() == HELD
    assert Transfer.objects.filter(code="undrawn").count() == 1
    assert ledger.pool_fen(county.campaign.pk) == {county.batches["dining", 100].pk: (200 - 2) * 10_000}
    assert reconcile.check(county.campaign).findings == []


def test_twenty_runs_five_redelivered_three_killed_midway(over, database_environment):
    round_id = over.rounds[0].pk
    doomed = [started(database_environment, round_id, "hang") for _ in range(3)]
    runs = [started(database_environment, round_id, "10") for _ in range(2)]
    for process in (*doomed, *runs):
        assert process.stdout.readline() == "ready\n"
    # One after another they get as far as the middle of a step, holding its rows, and are killed there.
    for process in doomed:
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "half way\n"
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    booked_before = Coupon.objects.filter(round=over.rounds[0], state="expired").count()
    assert booked_before == 3 * 5  # each booked one step; the one it was killed in left nothing
    outcomes = [process.communicate("go\n", timeout=60)[0].strip() for process in runs]
    assert outcomes == ["10", "10"]
    one_ending_each(over)
    assert at_once([lambda: lifecycle.book_round(round_id)] * 5) == ["ok"] * 5  # redelivered
    one_ending_each(over)


def test_the_harness_sees_a_race_when_the_runs_guards_are_off(over):
    """The negative control: runs that look first and book later collide, and the database lets one ending through."""
    gate = Barrier(8)
    now = clock.now()

    def naive() -> str:
        try:
            due = list(Coupon.objects.filter(round=over.rounds[0], state="held").order_by("pk")[:1])
            gate.wait(30)
            with transaction.atomic():
                for coupon in due:
                    pool, held = Party("pool", coupon.batch_id), Party("held", coupon.batch_id)
                    move = Move("expire", held, pool, coupon.face_fen, coupon.pk, coupon.steps)
                    ledger.post(over.campaign.pk, [move], actor=ledger.SYSTEM, at=now)
        except DatabaseError as refused:
            return constraint_of(refused)
        finally:
            connections.close_all()
        return "ok"

    with ThreadPoolExecutor(8) as pool:
        said = Counter(pool.map(lambda _: naive(), range(8)))
    assert said["ok"] == 1
    assert sum(said[name] for name in ("transfer_step_once", "transfer_one_ending")) == 7


def test_a_step_that_is_held_open_locks_out_no_redemption_elsewhere(over, at):
    """Neither another campaign's nor another round's of the same one: a step holds its round and its coupons alone."""
    number = over.rounds[0].pk
    assert expiry.expire_step(number, 5) == 5
    at(over.rounds[1].opens_at)
    # What is over is booked before the next round is dealt; here some of it stays for a step beside an open round.
    kept = list(Coupon.objects.filter(round=number, state="held").values_list("pk", flat=True)[:5])
    lifecycle.book_round(number)
    lifecycle.deal(over.rounds[1].pk)
    forge(
        "UPDATE coupons_coupon SET state = 'held', ended_at = NULL WHERE draw_id = ANY(%(kept)s)",
        "DELETE FROM coupons_transfer WHERE code = 'expire' AND coupon_id = ANY(%(kept)s)",
        tables=("coupons_coupon", "coupons_transfer"),
        kept=kept,
    )
    other = factories.a_county(opens_at=clock.now())
    lifecycle.deal(other.rounds[0].pk)
    mine = factories.drawn(over, factories.a_consumer("钱"), number=2)
    theirs = factories.drawn(other, factories.a_consumer("孙"))
    clerks = [factories.a_clerk(factories.a_merchant(each)) for each in (over, other)]
    with transaction.atomic():
        assert expiry.expire_step(number, 5) == 5  # its rows and locks are held until this block ends
        deeds = [lambda: factories.used(mine, clerks[0]), lambda: factories.used(theirs, clerks[1])]
        with ThreadPoolExecutor(1) as pool:  # outside of the lock's way: ten seconds would be a lock
            assert pool.submit(at_once, deeds).result(timeout=10) == ["ok", "ok"]
    assert Coupon.objects.filter(pk__in=kept, state="expired").count() == 5


def test_a_late_reversal_ends_a_coupon_too(over, bureau):
    """No second ending under another name: after a reversal to the pool the database takes no expiry."""
    from merchants import reversal
    from merchants.models import Redemption

    used = Redemption.objects.get(state="used")
    factories.agreed(reversal.propose(used.pk, full_refund=True, maker=bureau, reason="退货"))
    coupon = Coupon.objects.get(pk=used.coupon_id)
    again = Move("expire", Party("held", coupon.batch_id), Party("pool", coupon.batch_id), 10_000, coupon.pk, 9)
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        ledger.post(over.campaign.pk, [again], actor=ledger.SYSTEM, at=clock.now())
    assert constraint_of(refused.value) == "transfer_one_ending"
