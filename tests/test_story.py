"""The whole of it, from 8:59 of the first day to the last round's booking, as people live it.

The county's own plan, with beat and worker never started: the clock alone opens and ends the rounds.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import pytest
from django.test import Client

from coupons import approval, codes, consumers, funding, ledger, lifecycle
from coupons.errors import ROUND_NOT_OPEN
from coupons.lifecycle import book_round
from coupons.models import Campaign, Coupon, Deck, Round, Transfer
from coupons.plan.linting import lint
from coupons.plan.reading import read_plan
from huigou import clock
from huigou.models import Department
from merchants import binding
from merchants.listing import load_plan
from merchants.models import Merchant, Outlet
from reports.demonstration.bringing_up import PLAN
from tests.factories import a_clerk, a_consumer, a_staff

pytestmark = pytest.mark.django_db(transaction=True)
At = Callable[[dt.datetime | str], dt.datetime]
BUDGET_FEN = 157_000_000
RELEASES = [2929, 2927, 2925, 2920, 2919, 2916, 2914]


@pytest.fixture
def county(at: At) -> Campaign:
    """The county's plan, funded and launched the evening before by two departments."""
    at("2022-06-24 20:00")
    draft = read_plan(PLAN)
    bureau, finance = a_staff(Department.INDUSTRY), a_staff(Department.FINANCE)
    accepted = {finding.code: "以各格数字为准" for finding in lint(draft)}
    campaign = load_plan(draft, accepted, accepted_by=str(bureau)).campaign
    campaign.place_policy = Campaign.PlacePolicy.OFF
    campaign.save(update_fields=["place_policy"])
    for propose in (funding.propose_fund, funding.propose_launch):
        approval.approve(propose(campaign, maker=bureau, reason="按方案").pk, finance)
    campaign.refresh_from_db()
    return campaign


def browser_of(cookie_name: str, value: str) -> Client:
    client = Client(headers={"x-requested-with": "huigou"})
    client.cookies[cookie_name] = value
    return client


def turn(client: Client, category: str) -> tuple[int, dict]:
    answer = client.post("/api/v1/draws", json.dumps({"category": category, "turn": 1}), "application/json")
    return answer.status_code, answer.json()


def test_from_two_minutes_to_nine_to_the_used_coupon(county: Campaign, at: At) -> None:
    wang = a_consumer("王小明")
    phone = browser_of(consumers.COOKIE, consumers.cookie_of(wang))

    # 8:59: dealt ahead by a sweep, shown to everybody, and closed.
    at("2022-06-25 08:59")
    assert lifecycle.sweep() == {"booked": 0, "dealt": 1}
    assert phone.get("/m/").status_code == 200
    status, refused = turn(phone, "dining")
    assert (status, refused["code"]) == (409, ROUND_NOT_OPEN.code)

    # 9:00: no job runs, the clock opens the round. One card, and the same one on every retry.
    at("2022-06-25 09:00")
    status, won = turn(phone, "dining")
    assert status == 200
    assert won["face_fen"] in {10_000, 20_000, 50_000}
    assert won["threshold_fen"] == 3 * won["face_fen"]
    assert turn(phone, "dining")[1] == {**won, "repeated": True}

    # At the restaurant: the clerk's GET only looks, the POST locks, the entry completes.
    outlet = Outlet.objects.get(merchant__categories__code="dining")
    li = a_clerk(outlet=outlet)
    counter = browser_of(binding.COOKIE, binding.cookie_of(li))
    coupon = Coupon.objects.get(pk=won["coupon_id"])
    shown = codes.show(coupon.pk, clock.now())
    assert counter.get(f"/shop/c/{shown.token}").status_code == 200
    coupon.refresh_from_db()
    assert coupon.state == Coupon.State.HELD
    scanned = counter.post("/api/v1/scans", json.dumps({"token": shown.token}), "application/json")
    assert scanned.status_code in {200, 201}
    redemption = coupon.redemptions.get()
    entered = counter.post(
        f"/api/v1/redemptions/{redemption.pk}/complete",
        json.dumps({"amount": f"{won['threshold_fen'] / 100:.2f}", "kind": "3"}),
        "application/json",
    )
    assert entered.status_code == 200
    coupon.refresh_from_db()
    redemption.refresh_from_db()
    assert coupon.state == Coupon.State.USED
    assert redemption.amount_fen == won["threshold_fen"]
    owed = ledger.Party("payable", redemption.merchant_id)
    assert ledger.balance_fen(county.pk, owed) == won["face_fen"]


def test_seven_rounds_without_beat_or_worker_come_out_exact(county: Campaign, at: At) -> None:
    released = []
    for round_ in Round.objects.filter(campaign=county).order_by("number"):
        # The first draw of each round books what is over and deals what is open.
        at(round_.opens_at)
        wang = a_consumer()
        status, answer = turn(browser_of(consumers.COOKIE, consumers.cookie_of(wang)), "fuel")
        assert (round_.number, status) == (round_.number, 200), answer
        released.append(sum(row[1] for deck in Deck.objects.filter(round=round_) for row in deck.stock))
        assert sum(ledger.balances(county.pk).values()) == 0
    assert released[0] == RELEASES[0]
    # What came back flowed on: later rounds release more than they would have without returns.
    assert all(now >= planned for now, planned in zip(released, RELEASES, strict=True))

    last = Round.objects.get(campaign=county, number=7)
    at(last.closes_at)
    assert book_round(last.pk)
    books = {party: fen for party, fen in ledger.balances(county.pk).items() if fen}
    assert books.pop(ledger.TREASURY) == -BUDGET_FEN
    assert sum(books.values()) == BUDGET_FEN
    assert {party.kind for party in books} == {"pool"}
    births = Transfer.objects.filter(code=Transfer.Code.DRAW).count()
    assert births == Coupon.objects.filter(state=Coupon.State.EXPIRED).count() == 7


def test_the_countys_shops_are_listed_with_their_trade(county: Campaign) -> None:
    shops = Merchant.objects.filter(campaign=county)
    assert shops.count() == 12
    page = Client().get("/m/merchants").content.decode()
    assert all(shop.name in page for shop in shops.filter(state=Merchant.State.ACTIVE))
