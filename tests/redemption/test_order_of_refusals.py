"""The order in which a scan is refused is a specification: the first thing that is wrong is what the clerk reads."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from coupons import consumers, lifecycle
from coupons.codes import Presented
from coupons.models import Category, Consumer, Coupon, Freeze, Round
from huigou import clock
from huigou.errors import Refusal
from merchants import binding, redemption
from merchants.models import Clerk, Merchant, Redemption
from tests import factories
from tests.redemption.ground import held, outcome, shown

pytestmark = pytest.mark.django_db
AFTER_THE_ROUND = "2022-06-30 00:00"


@dataclass
class Scene:
    """A coupon about to be scanned, and all that can be wrong about it."""

    county: factories.County
    holder: Consumer
    clerk: Clerk
    coupon: Coupon
    elsewhere: Clerk
    at: Callable[[str], object]
    is_paper: bool = False

    def scan(self) -> Redemption:
        self.coupon.refresh_from_db()
        clerk = Clerk.objects.select_related("outlet__merchant").get(pk=self.clerk.pk)
        return redemption.scan(clerk, Presented(self.coupon.pk, is_paper=self.is_paper))


@pytest.fixture
def scene(at) -> Scene:
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 20, ("book", 20): 20, ("farm", 20): 20})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    wang = factories.a_consumer("王小明")
    here = factories.a_clerk(factories.a_merchant(county, name="乾安火锅店"), "李店员")
    elsewhere = factories.a_clerk(factories.a_merchant(county, name="乾安饭庄"), "孙店员")
    return Scene(county, wang, here, held(county, wang, "dining"), elsewhere, at)


def unbound(scene: Scene) -> None:
    binding.unbind(scene.clerk.pk)


def shop_suspended(scene: Scene) -> None:
    merchant = scene.clerk.outlet.merchant
    merchant.state, merchant.state_reason = Merchant.State.SUSPENDED, "核查中"
    merchant.save()


def other_trade(scene: Scene) -> None:
    scene.clerk.outlet.merchant.categories.set([scene.county.categories["book"]])


def used_elsewhere(scene: Scene) -> None:
    factories.used(scene.coupon, scene.elsewhere)


def round_over(scene: Scene) -> None:
    scene.at(AFTER_THE_ROUND)


def sent_elsewhere(scene: Scene) -> None:
    factories.scanned(scene.coupon, scene.elsewhere)


def clerk_is_holder(scene: Scene) -> None:
    Clerk.objects.filter(pk=scene.clerk.pk).update(person=scene.holder.person)


def paper_without_digits(scene: Scene) -> None:
    scene.is_paper = True


def books_red(scene: Scene) -> None:
    Freeze.objects.create(
        campaign=scene.county.campaign,
        findings=[{"code": "1", "message": "试", "fingerprint": "0"}],
        frozen_at=clock.now(),
    )


def category_paused(scene: Scene) -> None:
    Category.objects.filter(code="dining").update(paused_at=clock.now(), pause_notice="系统检修")


def another_pending(scene: Scene) -> None:
    third = factories.a_clerk(factories.a_merchant(scene.county, name="乾安山货行"), "周店员")
    factories.scanned(held(scene.county, scene.holder, "farm"), third)


def just_used_here(scene: Scene) -> None:
    factories.used(held(scene.county, scene.holder, "book"), scene.clerk)


# What is wrong, in the order in which it is said. The sooner of two that are both true is what the clerk reads.
ORDER: list[tuple[str, Callable[[Scene], None]]] = [
    ("clerk_not_bound", unbound),
    ("merchant_not_active", shop_suspended),
    ("wrong_merchant", other_trade),
    ("coupon_used", used_elsewhere),
    ("coupon_expired", round_over),
    ("coupon_pending_elsewhere", sent_elsewhere),
    ("own_coupon", clerk_is_holder),
    ("paper_digits", paper_without_digits),
    ("books_frozen", books_red),
    ("scans_paused", category_paused),
    ("one_at_a_time", another_pending),
    ("second_coupon", just_used_here),
]
# To be set up together: what is done at a counter comes before what forbids it, and the clock moves last.
SET_UP_FIRST = [used_elsewhere, just_used_here, sent_elsewhere, another_pending]
SET_UP_LAST = [round_over]
# A coupon, or a person, cannot be in both.
EXCLUDE_EACH_OTHER = [
    {"coupon_used", "coupon_pending_elsewhere"},
    {"coupon_expired", "coupon_pending_elsewhere"},
    {"coupon_pending_elsewhere", "one_at_a_time"},
]
PAIRS = [
    pytest.param(first, second, id=f"{first[0]}-before-{second[0]}")
    for first, second in itertools.combinations(ORDER, 2)
    if {first[0], second[0]} not in EXCLUDE_EACH_OTHER
]


def refused(scene: Scene) -> Refusal:
    with pytest.raises(Refusal) as caught:
        scene.scan()
    return caught.value


@pytest.mark.parametrize(("code", "spoil"), ORDER, ids=[code for code, _ in ORDER])
def test_each_thing_that_is_wrong_is_said(scene, code, spoil):
    spoil(scene)
    answer = refused(scene)
    assert answer.code == code
    assert answer.message
    assert answer.next_step


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_of_two_things_the_sooner_is_said(scene, first, second):
    deeds = [first[1], second[1]]
    for deed in sorted(deeds, key=lambda deed: [*SET_UP_FIRST, deed, *SET_UP_LAST].index(deed)):
        deed(scene)
    assert refused(scene).code == first[0]


def test_a_refused_scan_changes_nothing_but_the_trail(scene):
    other_trade(scene)
    refused(scene)
    scene.coupon.refresh_from_db()
    assert (scene.coupon.state, scene.coupon.steps) == (Coupon.State.HELD, 1)
    assert Redemption.objects.count() == 0
    assert list(scene.clerk.attempt_set.values_list("verb", "outcome")) == [("scan", "wrong_merchant")]


def test_nothing_wrong_is_a_scan(scene):
    made = scene.scan()
    scene.coupon.refresh_from_db()
    assert (made.state, scene.coupon.state) == (Redemption.State.PENDING, Coupon.State.PENDING)
    assert list(scene.clerk.attempt_set.values_list("verb", "outcome")) == [("scan", "ok")]


def test_a_coupon_that_does_not_exist_is_a_stale_code(scene):
    with pytest.raises(Refusal) as caught:
        redemption.scan(scene.clerk, Presented(10**9, is_paper=False))
    assert caught.value.code == "code_stale"


def test_the_refusals_name_what_the_clerk_needs(scene):
    used_elsewhere(scene)
    assert refused(scene).message == "该券已于6月25日09:05在乾安饭庄使用"


def test_a_held_coupon_is_over_for_the_clerk_too_before_any_job_booked_it(scene):
    round_over(scene)
    assert refused(scene).message == "该券已于6月29日24:00到期"
    scene.coupon.refresh_from_db()
    assert scene.coupon.state == Coupon.State.HELD


def test_a_second_coupon_at_once_needs_another_purchase_and_another_receipt(scene):
    just_used = factories.used(held(scene.county, scene.holder, "book"), scene.clerk)
    assert just_used.receipt_no == ""

    def with_options(**options) -> str:
        with pytest.raises(Refusal) as caught:
            redemption.scan(scene.clerk, shown(scene.coupon), redemption.ScanOptions(**options))
        return caught.value.code

    assert with_options() == "second_coupon"
    assert with_options(another_purchase=True) == "second_coupon"
    assert with_options(receipt_no="A-2") == "second_coupon"
    made = redemption.scan(
        scene.clerk, shown(scene.coupon), redemption.ScanOptions(another_purchase=True, receipt_no="A-2")
    )
    assert (made.is_second, made.receipt_no) == (True, "A-2")


def test_the_same_receipt_is_the_same_purchase(scene):
    first = redemption.scan(
        scene.clerk, shown(held(scene.county, scene.holder, "book")), redemption.ScanOptions(receipt_no="A-1")
    )
    redemption.complete(scene.clerk, first.pk, redemption.Entry(6_000, "图书"))
    with pytest.raises(Refusal) as caught:
        redemption.scan(
            scene.clerk, shown(scene.coupon), redemption.ScanOptions(another_purchase=True, receipt_no=" A-1 ")
        )
    assert caught.value.code == "same_receipt"


def test_half_an_hour_later_it_is_simply_another_purchase(scene):
    just_used_here(scene)
    scene.at("2022-06-25 09:34:59")
    assert refused(scene).code == "second_coupon"
    scene.at("2022-06-25 09:35")
    assert scene.scan().is_second is False


def test_a_closed_place_of_an_active_firm_takes_nothing(scene):
    outlet = scene.clerk.outlet
    outlet.is_active = False
    outlet.save()
    answer = refused(scene)
    assert (answer.code, answer.message) == ("merchant_not_active", "本店当前未营业")


def test_a_paused_round_takes_nothing_either(scene):
    Round.objects.filter(number=1).update(paused_at=clock.now(), pause_notice="停电")
    answer = refused(scene)
    assert (answer.code, answer.message) == ("scans_paused", "核销暂停：停电")


def test_binding_anew_does_not_make_two_persons_of_one(scene):
    """Coupons won under two bindings of one phone are one person's: no stacking, and one open scan."""
    person = scene.coupon.holder.person
    consumers.unbind(scene.coupon.holder)
    now = clock.now()
    again = Consumer.objects.create(
        person=person, phone_key=person.phone_key, consented_at=now, consent_version="1", bound_at=now
    )
    other = held(scene.county, again, "book")
    everywhere = factories.a_clerk(factories.a_merchant(scene.county, name="乾安百货"), "周店员")
    first = redemption.scan(everywhere, shown(scene.coupon))
    assert outcome(lambda: redemption.scan(everywhere, shown(other))) == "one_at_a_time"
    redemption.complete(everywhere, first.pk, redemption.Entry(first.threshold_fen, "3", receipt_no="A-1"))
    assert outcome(lambda: redemption.scan(everywhere, shown(other))) == "second_coupon"

    # Nor does the first receipt slip in at the entry, after another one was named at the scan.
    options = redemption.ScanOptions(another_purchase=True, receipt_no="A-2")
    second = redemption.scan(everywhere, shown(other), options)
    entry = redemption.Entry(second.threshold_fen, "字典", receipt_no="A-1")
    assert outcome(lambda: redemption.complete(everywhere, second.pk, entry)) == "same_receipt"
