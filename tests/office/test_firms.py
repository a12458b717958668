"""A shop's life at the desk: letter, one-time code, clerks, standing, visits; and complaints to their end."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from huigou import clock, geo
from huigou.models import Department
from huigou.roles import may
from merchants import binding, conduct
from merchants.admin import firm_page
from merchants.models import Attempt, BindingCode, Complaint, Inspection, Merchant
from reports.models import AuditEntry, Settlement, SettlementLine
from tests import factories
from tests.office.furnished import letter, picture
from tests.redemption.ground import held, outcome

pytestmark = pytest.mark.django_db
MAY = dt.date(2022, 5, 4)


@pytest.fixture(autouse=True)
def _files(tmp_path, settings):  # type: ignore[no-untyped-def]
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.fixture
def firm(county):  # type: ignore[no-untyped-def]
    return factories.a_merchant(county, name="虚构饭庄", state=Merchant.State.APPLIED)


def deed(desk, row, what, /, **data):  # type: ignore[no-untyped-def]
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_rowdeed"
    answer = desk.post(reverse(name, args=[row.pk, what]), data)
    row.refresh_from_db()
    return answer


def page(desk, row) -> str:  # type: ignore[no-untyped-def]
    return desk.get(reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_page", args=[row.pk])).content.decode()


def test_no_code_is_issued_shown_or_printed_before_the_letter(firm, desk_of, bureau):
    desk, outlet = desk_of(bureau), firm.outlets.get()
    refused = deed(desk, firm, "code", outlet=outlet.pk)
    assert (refused.status_code, BindingCode.objects.count()) == (422, 0)
    assert "尚未提交信用承诺书" in refused.content.decode()
    assert deed(desk, firm, "state", state="active", reason="资料齐全").status_code == 422

    assert deed(desk, firm, "letter", file=letter(), signed_on="2022-06-24", version="第二版").status_code == 302
    assert deed(desk, firm, "state", state="active", reason="资料齐全").status_code == 302
    sheet = deed(desk, firm, "code", outlet=outlet.pk, is_owner="on").url
    printed = desk.get(sheet).content.decode()
    assert ("第二版，2022年6月24日签订" in printed, "虚构饭庄" in printed, "<svg" in printed) == (True, True, True)
    kept = firm.letters.get()
    assert (len(kept.sha256), kept.version, kept.recorded_by) == (64, "第二版", bureau)
    # A code of a firm whose letter is gone is not even shown again.
    code = BindingCode.objects.get()
    stray = factories.a_merchant(factories.a_county(launched=False), name="无书小店")
    BindingCode.objects.filter(pk=code.pk).update(outlet=stray.outlets.get())
    assert desk.get(reverse("admin:merchants_merchant_code", args=[stray.pk, code.pk])).status_code == 409


@pytest.mark.parametrize(
    ("file", "day"),
    [
        (SimpleUploadedFile("letter.pdf", b"MZ\x90 a program"), "2022-06-24"),
        (SimpleUploadedFile("letter.pdf", b"<html>"), "2022-06-24"),
        (letter(), "2022-06-26"),
    ],
    ids=["program", "page", "a day to come"],
)
def test_a_letter_is_a_picture_or_pdf_of_a_day_that_was(firm, desk_of, bureau, file, day):
    assert deed(desk_of(bureau), firm, "letter", file=file, signed_on=day, version="第一版").status_code == 422
    assert not firm.letters.exists()


def test_a_code_can_be_voided_and_a_firm_that_is_out_loses_its_codes(firm, desk_of, bureau):
    desk, outlet = desk_of(bureau), firm.outlets.get()
    deed(desk, firm, "letter", file=letter(), signed_on="2022-06-24", version="第一版")
    first, second = (binding.issue_code(outlet, bureau) for _ in range(2))
    voided = BindingCode.objects.earliest("pk")
    assert deed(desk, firm, "revoke", code=voided.pk, reason="遗失").status_code == 302
    assert outcome(lambda: binding.outlet_of(first)) == "binding_code_wrong"
    assert outcome(lambda: binding.outlet_of(second)) == "ok"
    assert deed(desk, firm, "state", state="blacklisted", reason="虚假交易").status_code == 302
    assert outcome(lambda: binding.outlet_of(second)) == "binding_code_wrong"
    assert desk.get(reverse("admin:merchants_merchant_code", args=[firm.pk, voided.pk])).status_code == 404


def test_a_suspension_needs_a_reason_stops_scans_and_is_public_at_once(county, shop, li, wang, desk_of, client):
    desk = desk_of(Department.MARKET)
    assert deed(desk, shop, "state", state="suspended", reason=" ").status_code == 422
    assert deed(desk, shop, "state", state="suspended", reason="价格投诉核查中").status_code == 302
    assert outcome(lambda: factories.scanned(held(county, wang), li)) == "merchant_not_active"
    public = client.get(reverse("m-merchants")).content.decode()
    assert ("暂停" in public, "价格投诉核查中" in public) == (True, True)
    entry = AuditEntry.objects.get(deed="状态变更")
    assert (entry.before["状态"], entry.after) == ("参加中", {"状态": "暂停", "说明": "价格投诉核查中"})
    assert shop.sanctions.get().staff == factories.a_staff(Department.MARKET)


def test_a_clerk_is_unbound_at_the_desk_and_can_do_nothing_more(county, li, wang, desk_of):
    assert deed(desk_of(Department.INDUSTRY), li, "unbind", reason="离职").status_code == 302
    assert li.unbound_at is not None
    assert outcome(lambda: factories.scanned(held(county, wang), li)) == "clerk_not_bound"


def test_a_visit_keeps_who_what_and_photos(shop, desk_of):
    desk = desk_of(Department.MARKET)
    entered = {"visited_on": "2022-06-25", "note": "未明码标价", "is_breach": "on"}
    bad = SimpleUploadedFile("photo.jpg", b"<svg onload=alert(1)>")
    assert deed(desk, shop, "inspect", **entered, photos=[picture(), bad]).status_code == 422
    assert Inspection.objects.count() == 0
    assert deed(desk, shop, "inspect", **entered, photos=[picture(), picture("PNG")]).status_code == 302
    visit = Inspection.objects.get()
    assert (visit.inspector, visit.is_breach, visit.photos.count()) == (factories.a_staff("market"), True, 2)
    kinds = []
    for photo in visit.photos.order_by("pk"):
        shown = desk.get(reverse("admin:merchants_inspection_photo", args=[visit.pk, photo.pk]))
        kinds.append(shown["Content-Type"])
        assert shown["Content-Security-Policy"] == "default-src 'none'"
        shown.getvalue()
        for closes in shown._resource_closers:
            closes()
    assert kinds == ["image/jpeg", "image/png"]
    assert page(desk, visit).count("<img") == 2


def test_a_complaint_from_the_coupons_page_is_followed_to_an_end(county, shop, li, wang, desk_of, client):
    from coupons import consumers

    use = factories.used(held(county, wang), li)
    client.cookies[consumers.COOKIE] = consumers.cookie_of(wang)
    asked = client.get(f"{reverse('m-problem')}?coupon={use.coupon_id}").content.decode()
    assert f'value="{shop.pk}" selected' in asked
    told = {"merchant": shop.pk, "coupon": use.coupon_id, "text": "用券后加价"}
    assert client.post(reverse("m-problem"), told).status_code == 302
    row = Complaint.objects.get()
    assert (row.redemption, row.merchant, row.state) == (use, shop, "new")

    desk = desk_of(Department.MARKET)
    shown = page(desk, row)
    assert reverse("admin:merchants_redemption_page", args=[use.pk]) in shown
    assert reverse("admin:merchants_merchant_page", args=[shop.pk]) in shown
    assert (deed(desk, row, "take").status_code, row.state) == (302, "working")
    assert (deed(desk, row, "end", verdict="upheld", note=" ").status_code, row.state) == (422, "working")
    assert deed(desk, row, "end", verdict="upheld", note="已责令退还差价").status_code == 302
    assert (row.state, row.ended_at is not None) == ("upheld", True)
    assert outcome(lambda: conduct.take_up(row.pk, factories.a_staff("market"))) == "complaint_ended"
    mine = client.get(reverse("m-problem")).content.decode()
    assert ("已责令退还差价" in mine, "属实" in mine) == (True, True)


def test_posters_lead_where_they_say_and_notices_are_shown_and_taken_down(county, shop, desk_of, client):
    desk = desk_of(Department.MEDIA)
    for kind, path in (("draw", "/m/draw/dining"), ("shop", "/m/merchants?category=dining"), ("public", "/public/")):
        sheet = desk.get(reverse("admin:coupons_notice_posters"), {"kind": kind, "category": "dining"}).content.decode()
        assert f"testserver{path}" in sheet
    said = desk.get(reverse("admin:coupons_notice_posters"), {"kind": "draw", "words": "惠民<b>"}).content.decode()
    assert "惠民&lt;b&gt;" in said
    entered = {
        "title": "延长营业",
        "body": "各商家延长营业至 22:00",
        "shown_from_0": "2022-06-25",
        "shown_from_1": "09:00:00",
    }
    assert desk.post(reverse("admin:coupons_notice_add"), entered).status_code == 302
    assert "延长营业" in client.get("/m/").content.decode()
    from coupons.models import Notice

    row = Notice.objects.get(title="延长营业")
    assert deed(desk, row, "down", reason="已过期").status_code == 302
    assert "延长营业" not in client.get("/m/").content.decode()


@pytest.mark.parametrize("department", Department.values)
def test_each_departments_work_is_counted_by_the_list_that_it_leads_to(
    county, shop, li, wang, villager, desk_of, department
):
    factories.used(held(county, wang), li)
    desk = desk_of(villager if department == Department.STATION else department)
    index = desk.get("/admin/")
    work = index.context["work"]
    assert len(work) >= 2
    for item in work:
        listed = desk.get(item["href"])
        assert listed.status_code == 200, item
        if item["count"] is not None:
            assert f"共 <b>{item['count']}</b> 条" in listed.content.decode(), item


@pytest.mark.parametrize("department", [Department.INDUSTRY, Department.MARKET, Department.FINANCE, Department.MEDIA])
def test_everything_about_a_firm_is_reached_from_its_page(firm, desk_of, bureau, department):
    """Each link opens, is narrowed to the firm, and stands there only for those whom its page lets in."""
    consumer = factories.a_consumer("赵诉")
    # Another firm whose name holds this one's has as much of its own.
    namesake = Merchant.objects.create(campaign=firm.campaign, name=f"{firm.name}二店", joined_at=clock.now())
    Complaint.objects.create(merchant=namesake, consumer=consumer, text="别家的事", made_at=clock.now())
    for each in (firm, namesake):
        conduct.inspect(each, bureau, MAY, "账目清楚", is_breach=False, photos=[])
        place = each.outlets.first() or each.outlets.create(name=each.name)
        Attempt.objects.create(clerk=factories.a_clerk(place), verb="scan", outcome="ok", at=clock.now())
    complaint = Complaint.objects.create(merchant=firm, consumer=consumer, text="少找了钱", made_at=clock.now())
    desk = desk_of(department)
    text = page(desk, firm)
    ways = dict(re.findall(r"<dt>([^<]+)</dt><dd><a class=\"link\" href=\"([^\"]+)\">查看</a>", text))
    every = {label: right for label, right, *_ in firm_page.ELSEWHERE}
    assert set(ways) - {"公示（适用商家）"} == {label for label, right in every.items() if may(department, right)}
    for label, href in ways.items():
        answer = desk.get(html.unescape(href))
        assert answer.status_code == 200, label
        if label != "公示（适用商家）":
            assert answer.context_data["listing"].kept, label
            assert not answer.context_data["listing"].form.errors, label
    for label in {"投诉处理", "检查记录", "店员绑定与解绑", "核销尝试"} & set(ways):
        listed = desk.get(html.unescape(ways[label]))
        assert listed.context_data["page"].paginator.count == 1, label
        assert f"仅看：{firm.name}" in re.sub(r"\s+", "", listed.content.decode()), label
    assert "赵诉" not in text
    seen = "少找了钱" in text, "账目清楚" in text, "结算与追回" in text
    rights = ("merchants.view_complaint", "merchants.view_inspection", "reports.view_settlementline")
    assert seen == tuple(may(department, right) for right in rights)
    assert (reverse("admin:merchants_complaint_page", args=[complaint.pk]) in text) == seen[0]


def test_a_claw_back_begins_at_the_firms_page_once_something_was_paid(firm, desk_of, bureau):
    made = Settlement.objects.create(campaign=firm.campaign, state="collected", built_at=clock.now())
    line = SettlementLine.objects.create(
        settlement=made, merchant=firm, uses=1, counted=1, counted_fen=10_000, spend_fen=30_000
    )
    desk, way = desk_of(bureau), reverse("admin:reports_settlementline_rowdeed", args=[line.pk, "clawback"])
    assert way not in page(desk, firm)
    SettlementLine.objects.filter(pk=line.pk).update(paid_fen=10_000, payment_no="P1")
    assert (way in page(desk, firm)) == may(Department.INDUSTRY, "coupons.propose_clawback")
    assert reverse("admin:reports_settlementline_page", args=[line.pk]) in page(desk, firm)


def test_a_places_figures_are_kept_whole_and_the_right_way_round(firm, desk_of, bureau):
    outlet, desk = firm.outlets.get(), desk_of(bureau)
    form = reverse("admin:merchants_outlet_change", args=[outlet.pk])
    assert "高德、腾讯、微信地图" in desk.get(form).content.decode()
    given = {"name": outlet.name, "datum": "GCJ-02", "is_active": "on"}
    for lat, lng in (("124.02", "45.01"), ("45.01", ""), ("", "124.02")):
        refused = desk.post(form, {**given, "latitude": lat, "longitude": lng})
        assert "请看是否写反" in refused.content.decode()
    assert desk.post(form, {**given, "latitude": "45.01", "longitude": "124.02"}).status_code == 302
    outlet.refresh_from_db()
    assert outlet.datum == "GCJ-02"
    off_m = geo.haversine_m(*outlet.position, 124.02, 45.01)
    assert 400 < off_m < 900
