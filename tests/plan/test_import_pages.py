"""Shops and plans come in through the back office: each row's mistake is named in Chinese, all rows or none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from coupons.models import Campaign, PlanFinding
from coupons.plan.linting import lint
from coupons.plan.reading import read_plan
from huigou.excel_reading import read_sheets
from merchants.models import Merchant, Outlet
from reports.models import AuditEntry
from tests import factories
from tests.plan.make_second_county import FOLDER as SECOND
from tests.plan.make_second_county import SECOND_COUNTY
from tests.plan.workbooks import workbook

PLAN = Path(__file__).resolve().parents[2] / "coupons/demo_plan"
IMPORT = "/admin/merchants/merchant/import/"
HAND_IN = "/admin/merchants/merchant/plan/"
HEADING = ["企业名称", "品类", "统计状态", "企业地址", "联系电话", "企业让利"]


def desk(department: str = "industry") -> Client:
    client = Client()
    client.force_login(factories.a_staff(department), "django.contrib.auth.backends.ModelBackend")
    return client


def upload(client: Client, *rows: list[object]):
    return client.post(IMPORT, {"file": SimpleUploadedFile("商家.xlsx", workbook({"商家": rows}))})


def previewed(answer) -> list[tuple[object, str, list[str]]]:
    return [(row["number"], row["action"], row["errors"]) for row in answer.context_data["preview"]]


def kept_of(answer) -> str:
    return answer.context_data["kept"]


# ---- shops


def test_a_preview_writes_nothing_and_a_confirmation_everything(county):
    bureau = desk()
    good = [["一号店", "餐饮", "限上在库", "人民路 1 号", "0438-1", "满百减十"], ["二号店", "餐饮", "", "", "", ""]]
    answer = upload(bureau, HEADING, *good)
    assert previewed(answer) == [(1, "新增", []), (2, "新增", [])]
    assert "确认导入" in answer.content.decode()
    assert not Merchant.objects.exists()
    done = bureau.post(IMPORT, {"kept": kept_of(answer)})
    assert done.url == reverse("admin:merchants_merchant_changelist")
    first = Merchant.objects.get(name="一号店")
    assert (first.state, first.stat_status, first.phone, first.offer) == ("applied", "listed", "0438-1", "满百减十")
    assert [c.name for c in first.categories.all()] == ["餐饮"]
    assert Outlet.objects.filter(merchant=first).count() == 1
    assert AuditEntry.objects.get(deed="导入商家").after == {"行数": 2}
    again = upload(bureau, HEADING, [*good[0][:3], "人民路 2 号", *good[0][4:]], good[1])
    assert [action for _, action, _ in previewed(again)] == ["更新", "不变"]


def test_each_rows_mistake_is_named_and_nothing_can_be_confirmed(county):
    bureau = desk()
    answer = upload(
        bureau,
        HEADING,
        ["", "餐饮", "", "某街", "", ""],
        ["甲店", "麻将馆", "", "", "", ""],
        ["乙店", "", "", "", "", ""],
        ["丙店", "餐饮", "世界五百强", "", "", ""],
        ["丁店", "餐饮", "", "", "", ""],
        ["丁店", "餐饮", "", "", "", ""],
        ["戊" * 101, "餐饮", "", "", "", ""],
    )
    assert previewed(answer) == [
        (1, "有误", ["请填写企业名称"]),
        (2, "有误", ["没有“麻将馆”这个品类，可填：餐饮"]),
        (3, "有误", ["请填写品类"]),
        (4, "有误", ["没有“世界五百强”这个统计状态，可填：" + "、".join(Merchant.StatStatus.labels)]),
        (5, "新增", []),
        (6, "有误", ["“丁店”在表中出现了不止一次"]),
        (7, "有误", ["企业名称过长，请控制在 100 个字以内"]),
    ]
    page = answer.content.decode()
    assert "6 行有误" in page
    assert "确认导入" not in page
    # Not even by hand: the rows that were kept are checked again.
    assert bureau.post(IMPORT, {"kept": kept_of(answer)}).status_code == 200
    assert not Merchant.objects.exists()


@pytest.mark.parametrize("kept", ["", "x", "eyJ4Ijoi", "W10:1abc:forged"])
def test_rows_that_nobody_previewed_are_not_taken(county, kept):
    assert desk().post(IMPORT, {"kept": kept}).status_code == 200
    assert not Merchant.objects.exists()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["企业名称", "地址"], ["一号店", "某街"]], "没有找到“品类”这一列"),
        ([["品类"], ["餐饮"]], "没有找到“企业名称”这一列"),
        ([HEADING, *([f"店{n}", "餐饮"] for n in range(2_001))], "超过 2000 行"),
    ],
)
def test_another_table_is_refused(county, rows, said):
    answer = upload(desk(), *rows)
    assert said in answer.content.decode()
    assert answer.context_data["preview"] == []


def test_a_formula_in_a_cell_is_named_with_its_place(county):
    answer = desk().post(IMPORT, {"file": SimpleUploadedFile("商家.xlsx", b"PK\x03\x04 not one")})
    assert "商家.xlsx" in answer.content.decode()
    assert answer.context_data["preview"] == []


def test_nobody_else_imports(county):
    for department in ("finance", "audit", "market", "operator"):
        assert desk(department).get(IMPORT).status_code == 403
        assert upload(desk(department), HEADING, ["一号店", "餐饮"]).status_code == 403
    assert not Merchant.objects.exists()


@pytest.mark.parametrize("with_contact", [False, True])
def test_annex_2_as_printed_is_taken_with_and_without_its_contacts(county, with_contact):
    printed = [[cell.text for cell in row] for row in read_sheets(PLAN / "附件2-企业名单.xlsx")[0].rows]
    if with_contact:
        for row in printed[1:]:
            row.insert(4, "联系人" if row[0] == "序号" else "王经理")
    loaded = Campaign.objects.all()
    call_command("load_plan", str(PLAN), *accepting_all())
    plan = loaded.get(plan_version__gt="")
    plan.__class__.objects.filter(pk=plan.pk).update(launched_at="2030-01-01T00:00:00+08:00")
    answer = upload(desk(), *printed)
    rows = previewed(answer)
    assert len(rows) == 12
    assert [errors for _, _, errors in rows if errors] == []
    assert {action for _, action, _ in rows} <= {"不变", "更新"}


def accepting_all() -> list[str]:
    codes = {finding.code for finding in lint(read_plan(PLAN))}
    return [part for code in sorted(codes) for part in ("--accept", f"{code}=已核对")]


# ---- plans


def books(folder: Path = PLAN) -> dict[str, SimpleUploadedFile]:
    prefixes = {"settings": "活动设置", "times": "活动时间", "annex1": "附件1", "annex2": "附件2"}
    return {
        name: SimpleUploadedFile(f"{prefix}.xlsx", next(folder.glob(f"{prefix}*.xlsx")).read_bytes())
        for name, prefix in prefixes.items()
    }


def test_a_plan_is_read_judged_signed_off_and_loaded(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    bureau = desk()
    review = bureau.post(HAND_IN, books()).url
    page = bureau.get(review)
    text = page.content.decode()
    assert "20450" in text
    assert "1,570,000.00" in text
    codes = re.findall(r'name="reason_([^"]+)"', text)
    assert len(codes) >= 3
    assert not Campaign.objects.exists()
    half = bureau.post(review, {f"reason_{codes[0]}": "已与财政局核对"})
    assert "desk-refused" in half.content.decode()
    assert not Campaign.objects.exists()
    done = bureau.post(review, {f"reason_{code}": "已与财政局核对" for code in codes})
    made = Campaign.objects.get()
    assert done.url == reverse("admin:coupons_campaign_page", args=[made.pk])
    assert Merchant.objects.filter(campaign=made).count() == 12
    assert set(PlanFinding.objects.values_list("reason", flat=True)) == {"已与财政局核对"}
    assert AuditEntry.objects.get(deed="导入方案").after["分"] == 157_000_000
    assert bureau.get(review).status_code == 404  # taken once


def test_a_plan_that_cannot_be_read_is_named_with_sheet_cell_and_reason_and_not_kept(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    handed = books()
    handed["annex1"] = SimpleUploadedFile("附件1.xlsx", workbook({"附件1": [["面额", "麻将馆"], [20, "三百"]]}))
    answer = desk().post(HAND_IN, handed)
    assert answer.status_code == 200
    assert "附件1!B1" in answer.content.decode()
    assert list((tmp_path / "plans").iterdir()) == []
    assert not Campaign.objects.exists()


def test_every_row_of_a_plan_is_shown_with_what_must_be_signed_off_in_it(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    bureau = desk()
    page = bureau.get(bureau.post(HAND_IN, books()).url)
    previews = {preview.title: preview for preview in page.context_data["previews"]}
    assert {title: len(preview.rows) for title, preview in previews.items()} == {
        "设置": 14,
        "品类": 6,
        "活动时间": 7,
        "附件1": 7,
        "附件2": 12,
    }
    assert not any(row.errors for preview in previews.values() for row in preview.rows)
    # Every finding stands once: at its row, above its sheet's rows, or with the plan's text.
    at_rows = [f for preview in previews.values() for row in preview.rows for f in row.findings]
    above = [said for preview in previews.values() for said in preview.about]
    found = lint(read_plan(tmp_path / "plans" / next((tmp_path / "plans").iterdir()).name))
    assert len(at_rows) + len(above) + len(page.context_data["elsewhere"]) == len(found)
    subtotal = next(row for row in previews["附件1"].rows if row.number == 4)
    assert [finding.code for finding in subtotal.findings] == ["annex1-row-count", "annex1-row-money"]
    assert "印作" in page.content.decode()


def test_an_unreadable_row_says_so_at_its_place_and_the_others_stand_beside_it(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    rows = [["附件1"], ["面额(元)", "餐饮(张)"], [20, 300], [50, "三百"], [100, -1], [None, 9]]
    handed = {**books(), "annex1": SimpleUploadedFile("附件1.xlsx", workbook({"附件1": rows}))}
    answer = desk().post(HAND_IN, handed)
    annex = next(preview for preview in answer.context_data["previews"] if preview.title == "附件1")
    assert annex.headings == ["面额(元)", "餐饮(张)"]
    assert [(row.number, row.errors) for row in annex.rows] == [
        (3, []),
        (4, ["B4 数量“三百”不是整数"]),
        (5, ["B5 数量 -1 不在 0 至 10000000 之间"]),
        (6, ["A6 这一行没有面额"]),
    ]
    assert annex.bad == 3
    assert "B4 数量“三百”不是整数" in answer.content.decode()


def test_two_workbooks_left_at_sheet1_are_told_apart(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    handed = books(SECOND)
    for name, book in (("annex1", "附件1"), ("annex2", "附件2")):
        handed[name] = SimpleUploadedFile("x.xlsx", workbook({"Sheet1": SECOND_COUNTY[book][book]}))
    bureau = desk()
    previews = bureau.get(bureau.post(HAND_IN, handed).url).context_data["previews"]
    assert [(preview.title, len(preview.rows)) for preview in previews][3:] == [("附件1", 6), ("附件2", 6)]


def test_the_menu_marks_the_entry_that_each_page_belongs_to(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    bureau = desk()

    def marked(address: str) -> list[str]:
        groups = bureau.get(address).context["sidebar_navigation"]
        titles = [item["title"] for group in groups for item in group["items"] if item["active"]]
        return [re.sub(r"<span.*?</span>", "", str(title)) for title in titles]

    assert marked(HAND_IN) == ["活动与方案"]
    assert marked(bureau.post(HAND_IN, books()).url) == ["活动与方案"]
    assert marked(IMPORT) == ["商家管理"]
    assert marked("/admin/coupons/campaign/") == ["活动与方案"]


def test_nobody_else_hands_in_a_plan(db):
    for department in ("finance", "audit", "leaders", "operator"):
        assert desk(department).post(HAND_IN, books()).status_code == 403


@pytest.mark.parametrize("token", ["0" * 32, "..", "x"])
def test_a_plan_that_was_not_handed_in_is_not_found(db, token):
    assert desk().get(f"{HAND_IN}{token}/").status_code == 404
