"""Re-allocation after round 5: whole coupons, the same fen, two people."""

from __future__ import annotations

import datetime as dt

import pytest

from coupons import ledger, lifecycle
from coupons.errors import BALANCE_SHORT, NOT_DIVISIBLE, REALLOC_TOO_EARLY
from coupons.plan import reallocate
from coupons.plan.reallocate import Shift
from huigou import clock
from huigou.errors import BAD_INPUT, Refusal
from tests import factories

STOCK = {("book", 20): 40, ("book", 50): 20, ("dining", 50): 20, ("dining", 500): 10}


@pytest.fixture
def seven(at):
    """Seven rounds of two categories, live, nothing dealt."""
    at("2022-06-24 09:00")
    return factories.a_county(STOCK, rounds=7)


def _pass(county: factories.County, at, rounds: int) -> None:  # type: ignore[no-untyped-def]
    for round_ in county.rounds[:rounds]:
        at(round_.opens_at)
        lifecycle.sweep()
        at(round_.closes_at)
        lifecycle.sweep()


def _refused(deed) -> Refusal:  # type: ignore[no-untyped-def]
    with pytest.raises(Refusal) as refused:
        deed()
    return refused.value


@pytest.mark.django_db
def test_ten_of_500_are_a_hundred_of_50(seven):
    step = reallocate.exchange(seven.batches["dining", 500], seven.batches["dining", 50], 10)
    assert (step.becomes, step.amount_fen) == (100, 500_000)


@pytest.mark.django_db
def test_one_of_50_into_20s_is_refused_with_what_would_do(seven):
    refused = _refused(lambda: reallocate.exchange(seven.batches["book", 50], seven.batches["book", 20], 1))
    assert (refused.reason, refused.next_step) == (NOT_DIVISIBLE, "可改为：2×50元=5×20元")
    refused = _refused(lambda: reallocate.exchange(seven.batches["book", 50], seven.batches["book", 20], 3))
    assert refused.next_step == "可改为：2×50元=5×20元；4×50元=10×20元"


@pytest.mark.django_db
def test_a_move_to_itself_of_nothing_or_into_another_campaign_is_no_move(seven, at):
    fifty = seven.batches["book", 50]
    elsewhere = factories.a_county({("book", 50): 1}, opens_at=clock.now()).batches["book", 50]
    for source, target, count in ((fifty, fifty, 1), (fifty, seven.batches["book", 20], 0), (fifty, elsewhere, 1)):
        assert _refused(lambda s=source, t=target, n=count: reallocate.exchange(s, t, n)).reason is BAD_INPUT


@pytest.mark.django_db
def test_nothing_is_moved_before_round_five_is_over(seven, bureau, at):
    shifts = [Shift(seven.batches["dining", 500].pk, seven.batches["dining", 50].pk, 1)]
    propose = lambda: reallocate.propose(seven.campaign, shifts, maker=bureau, reason="调整")  # noqa: E731
    _pass(seven, at, 4)
    at(seven.rounds[4].opens_at)
    lifecycle.sweep()
    at(seven.rounds[4].closes_at.replace(microsecond=0) - dt.timedelta(microseconds=1))
    assert _refused(propose).reason is REALLOC_TOO_EARLY
    at(seven.rounds[4].closes_at)
    lifecycle.sweep()
    assert propose().state == "proposed"


@pytest.mark.django_db
def test_the_round_after_which_it_begins_is_campaign_data(seven):
    assert reallocate.after_round(seven.campaign) == 5
    seven.campaign.realloc_after = 2
    assert reallocate.after_round(seven.campaign) == 2


@pytest.mark.django_db
def test_an_approved_move_keeps_every_fen_and_reaches_the_next_rounds(seven, bureau, at):
    _pass(seven, at, 5)
    big, small = seven.batches["dining", 500], seven.batches["dining", 50]
    before = ledger.pool_fen(seven.campaign.pk)
    shifts = [Shift(big.pk, small.pk, 10)]
    simulated = {f.batch.pk: (f.before, f.after) for f in reallocate.simulate(seven.campaign, shifts)}
    factories.agreed(reallocate.propose(seven.campaign, shifts, maker=bureau, reason="按使用情况调整"))
    after = ledger.pool_fen(seven.campaign.pk)
    assert sum(after.values()) == sum(before.values())
    assert (before[big.pk] - after[big.pk], after[small.pk] - before[small.pk]) == (500_000, 500_000)
    at(seven.rounds[5].opens_at)
    lifecycle.sweep()
    released = dict(seven.rounds[5].allotments.values_list("batch", "count"))
    assert simulated[small.pk] == ([10, 10], [60, 60])
    assert (released[small.pk], released[big.pk]) == (60, 0)


@pytest.mark.django_db
def test_a_move_of_more_than_the_pool_holds_is_refused_at_both_ends(seven, bureau, at):
    _pass(seven, at, 5)
    big, small = seven.batches["dining", 500], seven.batches["dining", 50]
    over = [Shift(big.pk, small.pk, 6), Shift(big.pk, small.pk, 5)]
    propose = lambda shifts: reallocate.propose(seven.campaign, shifts, maker=bureau, reason="调整")  # noqa: E731
    assert _refused(lambda: propose(over)).reason is BALANCE_SHORT
    first, second = propose(over[:1]), propose(over[1:])
    factories.agreed(first)
    assert _refused(lambda: factories.agreed(second)).reason is BALANCE_SHORT


@pytest.mark.django_db(transaction=True)
def test_use_and_forecast_are_counted_per_batch(county, wang, li, at):
    factories.used(factories.drawn(county, wang), li)
    factories.drawn(county, factories.a_consumer("钱"))
    [use] = reallocate.use(county.campaign, clock.now())
    assert (use.planned, use.drawn, use.used, use.live, use.lapsed, use.in_pool) == (20, 2, 1, 1, 0, 10)
    at(county.rounds[0].closes_at)
    [use] = reallocate.use(county.campaign, clock.now())
    assert (use.used, use.live, use.lapsed, use.use_rate) == (1, 0, 1, 0.5)
    lifecycle.sweep()
    [use] = reallocate.use(county.campaign, clock.now())
    assert (use.in_pool, use.rounds_left, use.forecast_used) == (19, 1, 10)
