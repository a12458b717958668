"""The whole of it, from 8:59 of the first day to the last round's booking, as people live it.

The county's own plan, with beat and worker never started: the clock alone opens and ends the rounds.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

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
from reports import exports
from reports.demonstration.bringing_up import PLAN
from reports.models import ExportJob
from tests.exports.reading import rows_of, second
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


def test_from_8_59_to_the_export(county: Campaign, at: At, tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
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
    at("2022-06-25 12:31:07")
    bill = {
        "amount": f"{won['threshold_fen'] // 100 + 18}.06",
        "kind": "3",
        "note": "=店内收款",
        "receipt_no": "A-0007",
    }
    entered = counter.post(f"/api/v1/redemptions/{redemption.pk}/complete", json.dumps(bill), "application/json")
    assert entered.status_code == 200
    coupon.refresh_from_db()
    redemption.refresh_from_db()
    assert coupon.state == Coupon.State.USED
    assert redemption.amount_fen == won["threshold_fen"] + 1806
    owed = ledger.Party("payable", redemption.merchant_id)
    assert ledger.balance_fen(county.pk, owed) == won["face_fen"]

    # At the bureau: the list of uses is asked for as Excel, and its one row is what the clerk entered.
    [row] = exported_by_the_bureau(tmp_path)
    assert row == {
        "商家": outlet.name,
        "企业名称": outlet.merchant.name,
        "统计状态": outlet.merchant.get_stat_status_display(),
        "员工微信号": None,
        "员工姓名": li.person.masked_name,
        "员工电话": li.person.masked_phone,
        "金额（元）": won["face_fen"] // 100,
        "买家微信号": None,
        "买家手机号": wang.person.masked_phone,
        "消费人数·加油品类": "3（人）",
        "消费金额（元）": pytest.approx((won["threshold_fen"] + 1806) / 100),
        "备注": "=店内收款",
        "确认时间": dt.datetime(2022, 6, 25, 12, 31, 7),  # noqa: DTZ001 (Excel keeps no zone)
        "品类": "餐饮",
        "小票号": "A-0007",
        "付款方式": None,
        "扫码时间": dt.datetime(2022, 6, 25, 9),  # noqa: DTZ001
        "券号": str(coupon.pk),
    }


def exported_by_the_bureau(folder: Path) -> list[dict[str, Any]]:
    """Ask for the workbook on the page, write it as the worker does, and take it from the page."""
    desk = Client()
    desk.force_login(a_staff(Department.INDUSTRY), "django.contrib.auth.backends.ModelBackend")
    listed = desk.get("/admin/merchants/redemption/").content.decode()
    assert "共 <b>1</b> 条" in listed
    [ask] = re.findall(r'href="(/admin/reports/exportjob/deed/ask/[^"]+)"', listed)
    assert desk.post(unescape(ask)).status_code == 302
    job = ExportJob.objects.get()
    assert exports.run(job.pk)
    answer = desk.get(f"/admin/reports/exportjob/{job.pk}/file.xlsx")
    assert answer.status_code == 200
    taken = folder / "uses.xlsx"
    taken.write_bytes(answer.getvalue())
    return [{k: second(v) if isinstance(v, dt.datetime) else v for k, v in row.items()} for row in rows_of(taken)]


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
