"""The table of refunds: a full one while valid gives the coupon back, after expiry its value is the pool's."""

from __future__ import annotations

import datetime as dt

import pytest

from coupons import ledger, lifecycle
from coupons.ledger import SYSTEM, Party
from coupons.models import Event
from coupons.models.books import Account
from huigou.errors import Refusal
from merchants import redemption, reversal
from tests import factories
from tests.redemption.ground import held

pytestmark = pytest.mark.django_db
MICRO = dt.timedelta(microseconds=1)

# what is undone, whether the coupon's round is over, and what then holds:
# coupon, redemption, whose the value is, the events in order
TABLE = [
    ("full refund", False, "held", "reversed", Account.HELD, ["draw", "scan", "complete", "reverse"]),
    ("full refund", True, "expired", "reversed", Account.POOL, ["draw", "scan", "complete", "reverse"]),
    ("partial refund", False, "used", "used", Account.PAYABLE, ["draw", "scan", "complete"]),
    ("partial refund", True, "used", "used", Account.PAYABLE, ["draw", "scan", "complete"]),
    ("recall", False, "held", "recalled", Account.HELD, ["draw", "scan", "recall"]),
    ("recall", True, "expired", "recalled", Account.POOL, ["draw", "scan", "expire"]),
    ("nothing entered", True, "forfeited", "forfeited", Account.FORFEITED, ["draw", "scan", "forfeit"]),
]


@pytest.mark.parametrize(("deed", "is_over", "coupon_state", "redemption_state", "account", "events"), TABLE)
def test_what_becomes_of_the_coupon_and_its_value(
    county, wang, li, bureau, at, deed, is_over, coupon_state, redemption_state, account, events
):
    coupon = held(county, wang)
    expires_at = coupon.expires_at
    entered = deed.endswith("refund")
    made = factories.used(coupon, li) if entered else factories.scanned(coupon, li)
    # The edge is the coupon's own end: a microsecond before it, it still lives.
    at(expires_at if is_over else expires_at - MICRO)
    if is_over:
        lifecycle.sweep()
    if entered:
        full = deed == "full refund"
        factories.agreed(reversal.propose(made.pk, full_refund=full, maker=bureau, reason="顾客退款"))
    elif deed == "recall":
        redemption.recall(made.pk, SYSTEM, "撤回")
    else:
        at(made.entry_until)
        assert redemption.forfeit_overdue() == 1
    coupon.refresh_from_db()
    made.refresh_from_db()
    assert (coupon.state, made.state, coupon.expires_at) == (coupon_state, redemption_state, expires_at)
    assert list(Event.objects.filter(coupon=coupon).order_by("pk").values_list("verb", flat=True)) == events
    key = li.outlet.merchant_id if account == Account.PAYABLE else coupon.batch_id
    found = {party: fen for party, fen in ledger.balances(county.campaign.pk).items() if fen}
    rest = 10_000 if account != Account.POOL else 0
    assert sum(fen for fen in found.values()) == 0
    if account != Account.POOL:
        assert found[Party(account, key)] == rest
    nowhere_else = {p.kind for p in found} - {account, Account.TREASURY, Account.POOL, Account.ROUND}
    assert nowhere_else == set()


def test_a_coupon_that_came_back_can_be_used_again_until_its_own_end(county, wang, li, bureau, at):
    coupon = held(county, wang)
    made = factories.used(coupon, li)
    factories.agreed(reversal.propose(made.pk, full_refund=True, maker=bureau, reason="退货"))
    at("2022-06-25 10:05")
    coupon.refresh_from_db()
    again = factories.used(coupon, li)
    assert (again.state, again.pk != made.pk) == ("used", True)
    assert coupon.redemptions.count() == 2  # history stays


@pytest.mark.parametrize("state", ["reversed", "forfeited", "recalled"])
def test_only_a_finished_use_is_reversed(county, wang, li, bureau, at, state):
    coupon = held(county, wang)
    made = factories.used(coupon, li) if state == "reversed" else factories.scanned(coupon, li)
    if state == "reversed":
        factories.agreed(reversal.propose(made.pk, full_refund=True, maker=bureau, reason="退货"))
    elif state == "recalled":
        redemption.recall(made.pk, SYSTEM, "撤回")
    else:
        at(made.entry_until)
        redemption.forfeit_overdue()
    with pytest.raises(Refusal) as refused:
        reversal.propose(made.pk, full_refund=True, maker=bureau, reason="退货")
    assert refused.value.code == "not_reversible"


def test_two_approved_reversals_of_one_use_give_back_once(county, wang, li, bureau):
    made = factories.used(held(county, wang), li)
    first, second = (reversal.propose(made.pk, full_refund=True, maker=bureau, reason="退货") for _ in range(2))
    factories.agreed(first)
    with pytest.raises(Refusal) as refused:
        factories.agreed(second)
    assert refused.value.code == "not_reversible"
