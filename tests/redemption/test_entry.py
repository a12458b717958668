"""Entering amount and kind: each way in which it is refused, and that nothing is ever booked twice."""

from __future__ import annotations

import uuid

import pytest

from coupons import ledger
from coupons.ledger import Actor, Party
from coupons.models import Coupon, Transfer
from coupons.models.books import Account
from huigou.errors import Refusal
from merchants import binding, redemption
from merchants.models import Redemption
from merchants.redemption import Entry
from tests import factories
from tests.redemption.ground import held, outcome, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def wang(trades):
    return factories.a_consumer("王小明")


@pytest.fixture
def shop(trades):
    return factories.a_merchant(trades, name="乾安火锅店")


@pytest.fixture
def li(shop):
    return factories.a_clerk(shop, "李店员")


@pytest.fixture
def dining(trades, wang, li) -> Redemption:
    """A 100-yuan coupon for dining, scanned by 李."""
    return factories.scanned(held(trades, wang, "dining"), li)


@pytest.fixture
def fuel(trades, wang, li) -> Redemption:
    """A 50-yuan coupon for fuel, a trade that takes no cash."""
    return factories.scanned(held(trades, wang, "fuel"), li)


DINING = [
    (Entry(0, "3"), "amount_bad"),
    (Entry(-30_000, "3"), "amount_bad"),
    (Entry(10_000_000_001, "3"), "amount_bad"),
    (Entry(29_999, "3"), "under_threshold"),
    (Entry(30_000, ""), "kind_needed"),
    (Entry(30_000, "  "), "kind_needed"),
    (Entry(30_000, "三人"), "kind_bad"),
    (Entry(30_000, "0"), "kind_bad"),
    (Entry(30_000, "10000"), "kind_bad"),
    (Entry(30_000, "3.5"), "kind_bad"),
    (Entry(30_000, "3", payment="gold"), "payment_needed"),
    (Entry(30_000, "3", note="很" * 201), "text_too_long"),
    (Entry(30_000, "3", receipt_no="1" * 51), "text_too_long"),
    (Entry(30_000, "3"), "ok"),
    (Entry(30_000, " 3 ", note="店内收款200元", receipt_no="A-7", payment="wechat"), "ok"),
]
FUEL = [
    (Entry(15_000, "菜籽油", payment="card"), "kind_bad"),
    (Entry(15_000, "92号"), "payment_needed"),
    (Entry(15_000, "92号", payment="cash"), "payment_needed"),
    (Entry(15_000, "92号", payment="card"), "ok"),
]


@pytest.mark.parametrize(("entry", "expected"), DINING)
def test_what_a_restaurant_enters(dining, li, entry, expected):
    assert outcome(lambda: redemption.complete(li, dining.pk, entry)) == expected


@pytest.mark.parametrize(("entry", "expected"), FUEL)
def test_what_a_petrol_station_enters(fuel, li, entry, expected):
    assert outcome(lambda: redemption.complete(li, fuel.pk, entry)) == expected


def test_under_the_threshold_the_sentence_says_what_is_missing(dining, li):
    with pytest.raises(Refusal) as caught:
        redemption.complete(li, dining.pk, Entry(29_950, "3"))
    assert caught.value.message == "消费未达到300元，还差0.50元"


def test_a_refused_entry_leaves_the_coupon_pending_and_is_kept_in_the_trail(dining, li):
    assert outcome(lambda: redemption.complete(li, dining.pk, Entry(1, "3"))) == "under_threshold"
    dining.refresh_from_db()
    assert (dining.state, dining.coupon.state) == (Redemption.State.PENDING, Coupon.State.PENDING)
    assert list(li.attempt_set.values_list("verb", "outcome").order_by("pk")) == [
        ("scan", "ok"),
        ("complete", "under_threshold"),
    ]


def test_the_shops_money_is_booked_with_the_entry(trades, dining, li, shop):
    redemption.complete(li, dining.pk, Entry(31_800, "3", note="消费券100元，店内收款218元"))
    dining.refresh_from_db()
    assert (dining.state, dining.amount_fen, dining.kind) == (Redemption.State.USED, 31_800, "3")
    assert ledger.balances(trades.campaign.pk)[Party(Account.PAYABLE, shop.pk)] == 10_000


def entries_booked() -> int:
    return Transfer.objects.filter(code=Transfer.Code.COMPLETE).count()


def test_a_doubled_entry_is_one_entry(dining, li):
    key = uuid.uuid4()
    first = redemption.complete(li, dining.pk, Entry(31_800, "3", request_key=key))
    again = redemption.complete(li, dining.pk, Entry(31_800, "3", request_key=key))
    without_key = redemption.complete(li, dining.pk, Entry(31_800, "3"))
    assert first.pk == again.pk == without_key.pk
    assert entries_booked() == 1


def test_another_entry_afterwards_is_refused(dining, li):
    redemption.complete(li, dining.pk, Entry(31_800, "3"))
    assert outcome(lambda: redemption.complete(li, dining.pk, Entry(40_000, "3"))) == "already_entered"
    assert entries_booked() == 1


def test_a_scan_whose_answer_was_lost_is_scanned_again(trades, wang, li):
    coupon = held(trades, wang, "dining")
    first = redemption.scan(li, shown(coupon))
    colleague = factories.a_clerk(li.outlet, "吴店员")
    assert redemption.scan(li, shown(coupon)).pk == first.pk
    assert redemption.scan(colleague, shown(coupon)).pk == first.pk
    assert Redemption.objects.count() == 1


def test_a_colleague_of_the_same_place_may_enter_and_nobody_else(trades, dining, li):
    colleague = factories.a_clerk(li.outlet, "吴店员")
    stranger = factories.a_clerk(factories.a_merchant(trades, name="乾安饭庄"), "孙店员")
    assert outcome(lambda: redemption.complete(stranger, dining.pk, Entry(30_000, "3"))) == "no_redemption"
    assert outcome(lambda: redemption.complete(li, 10**9, Entry(30_000, "3"))) == "no_redemption"
    binding.unbind(li.pk)
    assert outcome(lambda: redemption.complete(li, dining.pk, Entry(30_000, "3"))) == "no_redemption"
    assert outcome(lambda: redemption.complete(colleague, dining.pk, Entry(30_000, "3"))) == "ok"


# ---- recall


def recalled(row: Redemption, clerk) -> str:
    return outcome(lambda: redemption.recall(row.pk, Actor("clerk", clerk.pk), "扫错了", clerk=clerk))


def test_a_recalled_coupon_is_the_holders_again_and_may_be_scanned_anew(trades, dining, li):
    assert recalled(dining, li) == "ok"
    dining.coupon.refresh_from_db()
    assert dining.coupon.state == Coupon.State.HELD
    elsewhere = factories.a_clerk(factories.a_merchant(trades, name="乾安饭庄"), "孙店员")
    assert redemption.scan(elsewhere, shown(dining.coupon)).outlet_id == elsewhere.outlet_id


def test_recalling_belongs_to_the_place_that_scanned(trades, dining, li):
    stranger = factories.a_clerk(factories.a_merchant(trades, name="乾安饭庄"), "孙店员")
    assert recalled(dining, stranger) == "no_redemption"
    assert recalled(dining, li) == "ok"
    assert recalled(dining, li) == "not_recallable"


def test_what_is_entered_is_not_recalled(dining, li):
    redemption.complete(li, dining.pk, Entry(30_000, "3"))
    assert recalled(dining, li) == "not_recallable"


def test_the_bureau_recalls_anywhere_with_its_reason(dining, bureau):
    done = redemption.recall(dining.pk, Actor("staff", bureau.pk), "店家停电")
    assert done.state == Redemption.State.RECALLED


def test_a_recall_after_the_round_ends_the_coupon_and_returns_its_value(trades, dining, li, at):
    at("2022-06-30 00:00")
    assert recalled(dining, li) == "ok"
    dining.coupon.refresh_from_db()
    assert dining.coupon.state == Coupon.State.EXPIRED
    balances = ledger.balances(trades.campaign.pk)
    assert balances.get(Party(Account.PENDING, dining.coupon.batch_id), 0) == 0
    # The round's 30 went out to be drawn; this one's value is back beside the 30 that stayed.
    assert balances[Party(Account.POOL, dining.coupon.batch_id)] == 31 * 10_000
