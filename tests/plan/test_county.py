"""The county's plan as printed, errors included: what the linter says of it, and that loading it needs every word."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

import coupons
from coupons.errors import PLAN_EXISTS, PLAN_FINDINGS
from coupons.models import Batch, Campaign, Category, PlanFinding, Round
from coupons.plan.linting import lint
from coupons.plan.reading import read_plan
from coupons.plan.split import without_returns
from huigou import clock
from huigou.errors import Refusal
from merchants.listing import load_plan
from merchants.models import Merchant, Outlet

COUNTY = Path(coupons.__file__).parent / "demo_plan"
DRAFT = read_plan(COUNTY)

# The four wrong row subtotals, in counts and in money (the money errors cancel), the wrong total, the title; trades
# without stock or shop; one shop for a whole category; a collective.
FINDINGS = [
    ("annex1-title", "附件1", "A1", "标题写作 1,000,000.00 元，各格相加为 1,570,000.00 元"),
    ("annex1-row-count", "附件1", "G4", "50元一行的张数小计印作 10800 张，各格相加为 9800 张"),
    ("annex1-row-money", "附件1", "H4", "50元一行的金额小计印作 540,000.00 元，各格相加为 490,000.00 元"),
    ("annex1-row-count", "附件1", "G5", "100元一行的张数小计印作 5600 张，各格相加为 5100 张"),
    ("annex1-row-money", "附件1", "H5", "100元一行的金额小计印作 560,000.00 元，各格相加为 510,000.00 元"),
    ("annex1-row-count", "附件1", "G6", "200元一行的张数小计印作 1500 张，各格相加为 1750 张"),
    ("annex1-row-money", "附件1", "H6", "200元一行的金额小计印作 300,000.00 元，各格相加为 350,000.00 元"),
    ("annex1-row-count", "附件1", "G7", "500元一行的张数小计印作 200 张，各格相加为 300 张"),
    ("annex1-row-money", "附件1", "H7", "500元一行的金额小计印作 100,000.00 元，各格相加为 150,000.00 元"),
    ("annex1-total-count", "附件1", "G8", "消费券张数总计印作 15950 张，各格相加为 20450 张"),
    ("category-single-shop", "品类", "A3", "品类“餐饮”的 850 张券只有一家商家可用：乾安县聚盛园服务餐饮有限公司"),
    (
        "category-single-shop",
        "品类",
        "A6",
        "品类“书店”的 1500 张券只有一家商家可用：吉林省新华书店集团乾安县有限责任公司",
    ),
    ("category-idle", "品类", "A7", "品类“汽车”既无投放也无商家"),
    ("category-idle", "方案原文", "", "方案所列门类“家电”既无投放也无商家"),
    ("category-idle", "方案原文", "", "方案所列门类“超市”既无投放也无商家"),
    ("category-idle", "方案原文", "", "方案所列门类“药店”既无投放也无商家"),
    (
        "merchant-collective",
        "附件2",
        "C13",
        "“乾安县电商进农村镇级服务中心、村级服务站”没有地址和电话，是集体名录，须先列明各站点",
    ),
]
REASONS = {code: "以各格数字为准" for code, *_ in FINDINGS}


def test_the_linter_says_exactly_this():
    assert [(f.code, f.sheet, f.cell, f.message) for f in lint(DRAFT)] == FINDINGS


def test_totals_are_what_the_cells_add_up_to():
    assert (DRAFT.coupons, DRAFT.fen) == (20_450, 157_000_000)
    by_category = {c.code: sum(b.count for b in DRAFT.of_category(c.code)) for c in DRAFT.categories}
    assert by_category == {"lodging": 7000, "dining": 850, "fuel": 6700, "farm": 4400, "book": 1500, "auto": 0}


def test_seven_rounds_of_five_days_until_24_oclock():
    assert [r.number for r in DRAFT.rounds] == [1, 2, 3, 4, 5, 6, 7]
    assert {(r.closes_at - r.opens_at).total_seconds() / 3600 for r in DRAFT.rounds} == {111}
    first, last = DRAFT.rounds[0], DRAFT.rounds[-1]
    assert (first.opens_at.isoformat(), last.closes_at.isoformat()) == (
        "2022-06-25T09:00:00+08:00",
        "2022-07-30T00:00:00+08:00",
    )
    assert clock.spoken(last.closes_at, end=True) == "7月29日24:00"


def test_the_trade_printed_on_its_first_row_holds_for_the_rows_below():
    trades = [merchant.category_codes for merchant in DRAFT.merchants]
    assert trades == [("lodging",)] * 3 + [("fuel",)] * 5 + [("dining",)] + [("book",)] + [("farm",)] * 2


def test_rounds_without_returns_release_2929_to_2914():
    assert without_returns([batch.count for batch in DRAFT.batches], 7) == [2929, 2927, 2925, 2920, 2919, 2916, 2914]


def test_the_command_ends_with_one_json_object():
    out = StringIO()
    call_command("lint_plan", str(COUNTY), "--json", stdout=out)
    body = json.loads(out.getvalue().splitlines()[-1])
    assert (body["coupons"], body["fen"]) == (20_450, 157_000_000)
    assert [tuple(finding.values()) for finding in body["findings"]] == FINDINGS


def test_the_command_shows_a_table_to_people():
    out = StringIO()
    call_command("lint_plan", str(COUNTY), stdout=out)
    assert "方案核对：17 个问题" in out.getvalue()
    assert "合计 20450 张，1,570,000.00 元（由各格相加）" in out.getvalue()


def nothing_is_loaded() -> bool:
    return not any(model.objects.exists() for model in (Campaign, Category, Batch, Round, Merchant, PlanFinding))


@pytest.mark.django_db
@pytest.mark.parametrize("missing", sorted(REASONS))
def test_one_finding_without_a_reason_and_nothing_is_loaded(missing):
    accepted = {code: reason for code, reason in REASONS.items() if code != missing}
    with pytest.raises(Refusal) as caught:
        load_plan(DRAFT, accepted, accepted_by="演示甲")
    assert (caught.value.reason, caught.value.params["codes"]) == (PLAN_FINDINGS, missing)
    assert nothing_is_loaded()


@pytest.mark.django_db
def test_a_blank_reason_is_none():
    with pytest.raises(Refusal):
        load_plan(DRAFT, {**REASONS, "annex1-title": "  "}, accepted_by="演示甲")
    assert nothing_is_loaded()


@pytest.mark.django_db
def test_with_every_finding_accepted_it_loads_and_keeps_who_said_why():
    loaded = load_plan(DRAFT, REASONS, accepted_by="演示甲")
    assert (loaded.coupons, loaded.fen) == (20_450, 157_000_000)
    assert sum(b.planned for b in Batch.objects.all()) == 20_450
    assert sum(b.planned * b.face_fen for b in Batch.objects.all()) == 157_000_000
    kept = PlanFinding.objects.values_list("code", "sheet", "cell", "message").order_by("pk")
    assert list(kept) == FINDINGS
    assert set(PlanFinding.objects.values_list("accepted_by", "reason")) == {("演示甲", "以各格数字为准")}
    assert Category.objects.get(code="auto").is_active is False
    assert loaded.campaign.launched_at is None


@pytest.mark.django_db
def test_the_collective_waits_without_a_place_until_its_stations_are_listed():
    load_plan(DRAFT, REASONS, accepted_by="演示甲")
    collective = Merchant.objects.get(is_collective=True)
    assert (collective.state, collective.outlets.count()) == (Merchant.State.APPLIED, 0)
    assert (Merchant.objects.count(), Outlet.objects.count()) == (12, 11)


@pytest.mark.django_db
def test_a_second_loading_is_refused():
    load_plan(DRAFT, REASONS, accepted_by="演示甲")
    with pytest.raises(Refusal) as caught:
        load_plan(DRAFT, REASONS, accepted_by="演示甲")
    assert caught.value.reason == PLAN_EXISTS
    assert Campaign.objects.count() == 1


@pytest.mark.django_db
def test_a_failure_at_the_last_shop_takes_everything_back(monkeypatch):
    def fail(**_: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(Outlet.objects, "create", fail)
    with pytest.raises(RuntimeError):
        load_plan(DRAFT, REASONS, accepted_by="演示甲")
    assert nothing_is_loaded()


@pytest.mark.django_db
def test_the_command_loads_what_was_accepted_by_code_and_reason():
    accepted = [f"--accept={code}=以各格数字为准" for code in REASONS]
    with pytest.raises(CommandError, match=r"方案中有 1 个问题尚未认可：annex1-title（.*）（未导入任何内容）"):
        call_command("load_plan", str(COUNTY), *[a for a in accepted if "annex1-title" not in a])
    with pytest.raises(CommandError, match="请写作 代码=原因"):
        call_command("load_plan", str(COUNTY), "--accept=annex1-title=")
    assert nothing_is_loaded()
    out = StringIO()
    call_command("load_plan", str(COUNTY), *accepted, "--first-day=2026-03-01", stdout=out)
    assert "已导入 惠购乾城 第一期：20450 张，1,570,000.00 元" in out.getvalue()
    opens_at = Round.objects.get(number=1).opens_at
    assert clock.local(opens_at).isoformat() == "2026-03-01T09:00:00+08:00"
