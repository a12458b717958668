"""Another county's plan, by data alone: three rounds from 8:30 to 21:00, multiplier 4, a 300-yuan coupon."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from coupons import funding, lifecycle
from coupons.models import Campaign, Coupon, Deck, Round
from coupons.plan.linting import lint
from coupons.plan.reading import read_plan
from coupons.plan.split import without_returns
from huigou.errors import Refusal
from huigou.excel_reading import read_sheets
from huigou.models import Department
from merchants import redemption
from merchants.listing import load_plan
from merchants.models import Merchant, Redemption
from tests import factories
from tests.plan.make_second_county import FOLDER, SECOND_COUNTY
from tests.plan.workbooks import workbook
from tests.redemption.ground import shown


def values(source: Path | bytes) -> list[tuple[str, list[list[str]]]]:
    return [(sheet.title, [[cell.text for cell in row] for row in sheet.rows]) for sheet in read_sheets(source)]


@pytest.mark.parametrize("name", sorted(SECOND_COUNTY))
def test_the_committed_workbooks_are_what_the_script_makes(name):
    assert values(FOLDER / f"{name}.xlsx") == values(workbook(SECOND_COUNTY[name]))


def test_nothing_is_found_in_it():
    draft = read_plan(FOLDER)
    assert lint(draft) == []
    assert (draft.coupons, draft.fen) == (641, 3_910_000)
    assert without_returns([batch.count for batch in draft.batches], 3) == [215, 213, 213]


@pytest.fixture
def second_county(at) -> Campaign:
    at("2023-04-30 12:00")
    campaign = load_plan(read_plan(FOLDER), {}, accepted_by="演示甲").campaign
    bureau = factories.a_staff(Department.INDUSTRY)
    factories.agreed(funding.propose_fund(campaign, maker=bureau, reason="按方案拨入"))
    factories.agreed(funding.propose_launch(campaign, maker=bureau, reason="方案核对完毕"))
    campaign.refresh_from_db()
    return campaign


@pytest.mark.django_db(transaction=True)
def test_it_loads_deals_draws_and_redeems(second_county, at):
    rounds = list(second_county.rounds.order_by("number"))
    at("2023-05-01 08:29:59")
    lifecycle.sweep()
    assert Round.objects.filter(dealt_at__isnull=False).count() == 1
    assert sum(Deck.objects.values_list("size", flat=True)) == 215

    at("2023-05-01 08:30")
    home = Deck.objects.get(category__code="home")
    county = factories.County(second_county, {c.code: c for c in second_county.category_set.all()}, {}, rounds)
    people = factories.some_consumers(home.size)
    won = factories.drawn_by_many(county, people, "home")
    assert sorted(coupon.face_fen for coupon in won) == [10_000] * 31 + [30_000] * 14
    coupon = next(coupon for coupon in won if coupon.face_fen == 30_000)
    assert coupon.threshold_fen == 120_000

    clerk = factories.a_clerk(Merchant.objects.get(name="云岭县木匠家具行"))
    at("2023-05-03 20:59:59.999")
    scanned = redemption.scan(clerk, shown(coupon))
    # This county's 家居 takes no cash, and asks for four times the face.
    for entry, code in (
        (redemption.Entry(119_999, "家具", payment="card"), "under_threshold"),
        (redemption.Entry(120_000, "家具"), "payment_needed"),
        (redemption.Entry(120_000, "鱼", payment="card"), "kind_bad"),
    ):
        with pytest.raises(Refusal) as caught:
            redemption.complete(clerk, scanned.pk, entry)
        assert caught.value.code == code
    done = redemption.complete(clerk, scanned.pk, redemption.Entry(120_000, "家具", payment="card"))
    assert (done.state, done.face_fen) == (Redemption.State.USED, 30_000)

    at("2023-05-03 21:00")
    late = next(other for other in won if other.pk != coupon.pk)
    with pytest.raises(Refusal) as caught:
        redemption.scan(factories.a_clerk(Merchant.objects.get(name="云岭县亮堂堂灯饰店")), shown(late))
    assert (caught.value.code, caught.value.params["when"]) == ("coupon_expired", "5月3日21:00")

    # What was not used flows on: the last round releases all that is left but the one coupon spent.
    for day in ("2023-05-04 08:30", "2023-05-07 08:30"):
        at(day)
        lifecycle.sweep()
    assert [lifecycle.dealing.released_coupons(round_) for round_ in rounds] == [215, 321, 640]
    assert Coupon.objects.filter(state=Coupon.State.EXPIRED).count() == 44
    assert rounds[0].entry_until - rounds[0].closes_at == dt.timedelta(hours=12)
