"""The order in which an entry is refused is a specification too: the first thing that is wrong is what is said."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from huigou.errors import Reason, Refusal
from merchants import errors, redemption
from merchants.models import Clerk, Redemption
from tests import factories
from tests.redemption.ground import held, shown
from tests.refusals.unchanged import refused

pytestmark = pytest.mark.django_db


@dataclass
class Scene:
    """A second coupon of one person, scanned as another purchase at a petrol station, about to be entered."""

    scan: Redemption
    clerk: Clerk
    at: Callable[[str], object]
    entry: dict[str, Any] = field(
        default_factory=lambda: {"amount_fen": 15_000, "kind": "92号", "payment": "card", "receipt_no": "A-2"}
    )

    def enter(self) -> Redemption:
        return redemption.complete(self.clerk, self.scan.pk, redemption.Entry(**self.entry))


@pytest.fixture
def scene(trades, at) -> Scene:  # type: ignore[no-untyped-def]
    wang, clerk = factories.a_consumer("王小明"), factories.a_clerk(factories.a_merchant(trades), "李店员")
    first = redemption.scan(clerk, shown(held(trades, wang, "book")), redemption.ScanOptions(receipt_no="A-1"))
    redemption.complete(clerk, first.pk, redemption.Entry(6_000, "图书"))
    options = redemption.ScanOptions(another_purchase=True, receipt_no="A-2")
    return Scene(redemption.scan(clerk, shown(held(trades, wang, "fuel")), options), clerk, at)


def elsewhere(scene: Scene) -> None:
    scene.clerk = factories.a_clerk(factories.a_merchant(scene_county(scene)), "孙店员")


def scene_county(scene: Scene) -> factories.County:
    campaign = scene.scan.merchant.campaign
    return factories.County(campaign, {c.code: c for c in campaign.category_set.all()}, {}, [])


def late(scene: Scene) -> None:
    scene.at("2022-07-01 00:00")  # a day after the round's end


def no_amount(scene: Scene) -> None:
    scene.entry["amount_fen"] = 0


def under(scene: Scene) -> None:
    scene.entry["amount_fen"] = 14_999


def no_kind(scene: Scene) -> None:
    scene.entry["kind"] = " "


def other_kind(scene: Scene) -> None:
    scene.entry["kind"] = "菜籽油"


def cash(scene: Scene) -> None:
    scene.entry["payment"] = "cash"


def long_note(scene: Scene) -> None:
    scene.entry["note"] = "很" * 201


def same_receipt(scene: Scene) -> None:
    scene.entry["receipt_no"] = "A-1"


ORDER: list[tuple[Reason, Callable[[Scene], None]]] = [
    (errors.NO_REDEMPTION, elsewhere),
    (errors.ENTRY_LATE, late),
    (errors.AMOUNT_BAD, no_amount),
    (errors.UNDER_THRESHOLD, under),
    (errors.KIND_NEEDED, no_kind),
    (errors.KIND_BAD, other_kind),
    (errors.PAYMENT_NEEDED, cash),
    (errors.TEXT_TOO_LONG, long_note),
    (errors.SAME_RECEIPT, same_receipt),
]
# One field holds one value.
EXCLUDE_EACH_OTHER = [{no_amount, under}, {no_kind, other_kind}]


@pytest.mark.parametrize(("reason", "spoil"), ORDER, ids=[reason.code for reason, _ in ORDER])
def test_each_thing_that_is_wrong_is_said_and_the_coupon_stays_pending(scene, reason, spoil):
    spoil(scene)
    with refused(reason):
        scene.enter()


def test_of_two_things_the_sooner_is_said(scene):
    """All pairs on one scan: a refused entry changes nothing, so that the next pair meets the same scene."""
    clerk, whole = scene.clerk, dict(scene.entry)
    pairs = [pair for pair in itertools.combinations(ORDER, 2) if {pair[0][1], pair[1][1]} not in EXCLUDE_EACH_OTHER]
    said = {}
    for first, second in pairs:
        scene.clerk, scene.entry = clerk, dict(whole)
        scene.at("2022-06-25 09:06")
        first[1](scene)
        second[1](scene)
        with pytest.raises(Refusal) as caught:
            scene.enter()
        said[first[0].code, second[0].code] = caught.value.code
    assert said == {(first[0].code, second[0].code): first[0].code for first, second in pairs}
    scene.clerk, scene.entry = clerk, whole
    scene.at("2022-06-25 09:06")
    assert scene.enter().state == Redemption.State.USED
    # From now on it is entered: anything else said of it meets that first, by whatever else is wrong with it.
    scene.entry = {**whole, "amount_fen": 14_999, "kind": "菜籽油"}
    late(scene)
    with refused(errors.ALREADY_ENTERED):
        scene.enter()
