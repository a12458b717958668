"""Dates at the ends of the calendar, forms that cannot be filled in, buttons that nobody there may press."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client
from django.urls import reverse

from coupons import funding
from coupons.models import ChangeRequest, Notice
from huigou.models import Department
from huigou.templatetags.desk import figure, figure_columns
from merchants.models import CommitmentLetter, Inspection, Merchant
from reports.models import AuditEntry
from tests import factories
from tests.office.furnished import letter

pytestmark = pytest.mark.django_db
LISTS = [
    "reports_shopfigures", "merchants_redemption", "coupons_coupon", "coupons_consumer", "coupons_changerequest",
    "coupons_notice", "coupons_assist", "merchants_complaint", "merchants_inspection", "merchants_clerk",
    "merchants_attempt", "coupons_exclusion", "reports_exportjob",
]  # fmt: skip
ENDS = ["0001-01-01", "1999-12-31", "2100-01-01", "9999-12-31"]


@pytest.mark.parametrize("name", LISTS)
def test_a_day_at_the_end_of_the_calendar_is_refused_in_words(county, desk_of, bureau, name):
    desk, address = desk_of(bureau), reverse(f"admin:{name}_changelist")
    for day in ENDS:
        answer = desk.get(address, {"since": day, "until": day})
        assert answer.status_code == 200
        page = answer.content.decode()
        assert page.count("请填 2000 年至 2099 年之间的日期") == 2
        assert "请按提示改正查询条件" in page
    assert (
        "请按提示改正查询条件" not in desk.get(address, {"since": "2000-01-01", "until": "2099-12-31"}).content.decode()
    )


def test_an_hour_at_the_end_of_the_calendar_is_none(county, desk_of, bureau):
    answer = desk_of(bureau).get(reverse("admin:merchants_redemption_changelist"), {"hour": "9999-12-31T23"})
    assert (answer.status_code, answer.context["listing"].is_valid) == (200, False)


@pytest.mark.parametrize("day", ENDS)
def test_a_notice_cannot_break_the_consumers_page_by_its_date(county, desk_of, day):
    desk = desk_of(Department.MEDIA)
    form = {"title": "演示", "body": "演示", "shown_from_0": "2022-06-25", "shown_from_1": "08:00"}
    for name in ("shown_from", "shown_until"):
        answer = desk.post(reverse("admin:coupons_notice_add"), form | {f"{name}_0": day, f"{name}_1": "00:00"})
        assert answer.status_code == 200
        assert "请填 2000 年至 2099 年之间的日期" in answer.content.decode()
    assert not Notice.objects.exists()
    assert Client().get("/m/").status_code == 200


def test_a_letter_and_a_visit_are_of_a_day_that_can_be_meant(county, desk_of, bureau, tmp_path, settings):
    settings.MEDIA_ROOT = str(tmp_path)
    firm = factories.a_merchant(county, state=Merchant.State.APPLIED)
    to = lambda what: reverse("admin:merchants_merchant_rowdeed", args=[firm.pk, what])  # noqa: E731
    answer = desk_of(bureau).post(to("letter"), {"file": letter(), "signed_on": "0001-01-01", "version": "第一版"})
    assert (answer.status_code, CommitmentLetter.objects.filter(signed_on__year__lt=2000).exists()) == (422, False)
    visit = {"visited_on": "0001-01-01", "note": "演示"}
    assert desk_of(Department.MARKET).post(to("inspect"), visit).status_code == 422
    assert not Inspection.objects.exists()


def buttons(client: Client, change) -> list[str]:  # type: ignore[no-untyped-def]
    """Return the deeds that the list and the row's own page offer on a change: the same on both."""
    found = []
    for address in ("changelist", "page"):
        to = reverse(f"admin:coupons_changerequest_{address}", args=[change.pk] if address == "page" else [])
        page = client.get(to).content.decode()
        found.append(re.findall(rf"/changerequest/{change.pk}/deed/(\w+)/", page))
    assert found[0] == found[1]
    return found[0]


def test_a_decision_is_offered_to_those_alone_who_may_take_it(county, desk_of, bureau, finance):
    counts = {batch.pk: 3 for batch in county.batches.values()}
    change = funding.propose_release(county.rounds[1], counts, maker=bureau, reason="调整")
    assert buttons(desk_of(bureau), change) == ["withdraw"]
    assert buttons(desk_of(factories.a_staff(Department.INDUSTRY, "同事")), change) == []
    assert buttons(desk_of(finance), change) == ["approve", "reject"]
    assert buttons(desk_of(Department.DISCIPLINE), change) == []  # approves other things, not money


def test_the_form_for_a_batch_shows_its_face_as_a_field_and_says_when_nothing_can_be_added(county, desk_of, bureau):
    desk, add = desk_of(bureau), reverse("admin:coupons_batch_add")
    page = desk.get(add).content.decode()
    fields = {name: re.search(rf'<input[^>]*name="{name}"[^>]*>', page)[0] for name in ("face", "name")}  # type: ignore[index]
    border = {name: "border-base-200" in text for name, text in fields.items()}
    assert border == {"face": True, "name": True}
    assert "方案已冻结，不能再添加优惠券" in page
    county.campaign.__class__.objects.filter(pk=county.campaign.pk).update(launched_at=None)
    assert "方案已冻结" not in desk.get(add).content.decode()


def test_an_empty_list_says_what_will_come_and_a_narrowed_one_how_to_widen_it(county, desk_of, bureau):
    desk, address = desk_of(bureau), reverse("admin:merchants_complaint_changelist")
    assert "还没有投诉：买家从自己的消费券页面提交后列在这里" in desk.get(address).content.decode()
    narrowed = desk.get(address, {"since": dt.date(2022, 6, 25).isoformat()}).content.decode()
    assert "没有符合条件的记录，可放宽条件，或按“清空”看全部" in narrowed


@pytest.mark.parametrize(
    ("path", "way"), [("/admin/nothing/", "/admin/"), ("/shop/nothing/", "/shop/scan"), ("/m/nothing/", "/m/")]
)
def test_a_missing_page_leads_back_to_where_one_works(county, desk_of, bureau, path, way):
    answer = desk_of(bureau).get(path)
    page = answer.content.decode()
    assert (answer.status_code, re.findall(r'class="ways"><a href="([^"]+)"', page)) == (404, [way])
    assert ("您的消费券不受影响" in page) == (not path.startswith("/admin/"))


def test_the_trail_keeps_what_a_form_changed_in_words(county, desk_of, bureau):
    desk, outlet = desk_of(bureau), factories.a_merchant(county).outlets.get()
    form = {"merchant": outlet.merchant_id, "name": outlet.name, "address": "演示路 1 号", "datum": "GCJ-02"}
    assert desk.post(reverse("admin:merchants_outlet_change", args=[outlet.pk]), form).status_code == 302
    entry = AuditEntry.objects.get(deed="更新")
    assert (entry.before["营业"], entry.after["营业"], entry.after["地址"]) == ("是", "否", "演示路 1 号")
    notice = {"title": "演示", "body": "演示", "shown_from_0": "2022-06-25", "shown_from_1": "08:00"}
    assert desk.post(reverse("admin:coupons_notice_add"), notice).status_code == 302
    after = AuditEntry.objects.get(deed="添加").after
    assert (after["开始展示"], after["结束展示"]) == ("2022/6/25 08:00:00", "")


def test_figures_of_a_rows_page_stand_right_with_their_thousands_and_numbers_of_rows_do_not(county, desk_of, bureau):
    rows = [("住宿", 4000, "1,714.00", "—", "19900000001"), ("餐饮", 7, "—", "100.0%", "19900000002")]
    assert figure_columns(rows) == {1, 2, 3}
    assert (figure(4000, "数量（张）"), figure(4000, "券号"), figure(True, "营业")) == ("4,000", 4000, "是")  # noqa: FBT003
    page = desk_of(bureau).get(reverse("admin:coupons_round_page", args=[county.rounds[1].pk])).content.decode()
    assert re.findall(r'<th scope="col" class="num">([^<]+)', page)[:2] == ["面额（元）", "数量（张）"]


def test_the_calendars_head_is_chinese(desk_of, bureau):
    catalogue = desk_of(bureau).get(reverse("admin:jsi18n")).content.decode()
    spoken = dict(re.findall(r'"one letter (\w+)\\u0004\w": "([^"]+)"', catalogue))
    days = {"Sunday": "日", "Monday": "一", "Tuesday": "二", "Wednesday": "三", "Thursday": "四", "Friday": "五"}
    assert {day: spoken[day].encode().decode("unicode-escape") for day in days} == days


def test_a_release_with_a_digit_too_many_is_not_even_asked_for(county, desk_of, bureau):
    second, desk = county.rounds[1], desk_of(bureau)
    address = reverse("admin:coupons_round_rowdeed", args=[second.pk, "release"])
    assert "奖池现有" in desk.get(address).content.decode()
    fit = {f"batch_{batch.pk}": str(batch.planned) for batch in county.batches.values()}
    name, most = next(iter(fit.items()))
    for wrong, said in (
        (str(int(most) + 1), f"不能大于 {most}。"),
        ("99999999999999999999", f"不能大于 {most}。"),
        ("-1", "不能小于 0。"),
    ):
        answer = desk.post(address, {**fit, name: wrong, "reason": "调整"})
        assert (answer.status_code, ChangeRequest.objects.filter(verb="release").exists()) == (422, False)
        assert said in answer.content.decode()
    assert desk.post(address, {**fit, "reason": "长" * 301}).status_code == 422
    assert "最多 300 个字（现有 301 个）" in desk.post(address, {**fit, "reason": "长" * 301}).content.decode()
    assert desk.post(address, {**fit, "reason": "调整"}).status_code == 302
    assert ChangeRequest.objects.get(verb="release").maker == bureau


def test_a_station_of_the_same_name_is_refused_in_plain_words(county, desk_of, bureau):
    desk, add = desk_of(bureau), reverse("admin:coupons_station_add")
    form = {"name": "让字村服务站", "address": "让字村", "is_active": "on"}
    assert desk.post(add, form).status_code == 302
    assert "“服务站”与已有的村级服务站重复，请改用别的。" in desk.post(add, form).content.decode()
