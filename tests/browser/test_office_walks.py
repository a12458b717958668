"""The bureau's work, each piece walked in Chromium to its end: by clicks, across everybody's pages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from coupons import assisting, lifecycle
from coupons.models import Assist, Campaign, Category, Consumer, Coupon, Draw, PlanFinding, Station
from huigou.models import Department
from merchants.models import Clerk, Complaint, Merchant, Redemption
from tests import factories
from tests.browser import office, steps
from tests.browser.test_hard_times import phone_of
from tests.chromium import Opener
from tests.office.furnished import letter
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_shop_from_its_letter_to_its_suspension(county, bureau, wang, site: Site, opened: Opener) -> None:
    firm = factories.a_merchant(county, name="虚构饭庄", state=Merchant.State.APPLIED)
    desk = office.at_work(opened, site, bureau, "商家管理")
    desk.get_by_role("link", name="虚构饭庄").first.click()
    desk.wait_for_url("**/page/")
    firm_page = desk.url

    # No code before the letter, and the dialog says so.
    dialog = office.ask(desk, "发放验证码")
    office.agree(dialog)
    expect(dialog.get_by_role("alert")).to_contain_text("尚未提交信用承诺书")
    dialog.get_by_role("link", name="取消").click()
    dialog = office.ask(desk, "登记承诺书")
    scan = letter()
    dialog.locator("[name=file]").set_input_files(
        {"name": scan.name, "mimeType": "application/pdf", "buffer": scan.read()}
    )
    dialog.get_by_label("签订日期").fill("2022-06-24")
    office.agree(dialog)
    office.told(desk, "承诺书已登记")
    dialog = office.ask(desk, "状态变更")
    dialog.get_by_label("变更为").select_option(label="参加中")
    dialog.get_by_label("理由").fill("资料齐全")
    office.agree(dialog)
    office.told(desk, "虚构饭庄已变更为“参加中”")
    office.agree(office.ask(desk, "发放验证码"))
    desk.wait_for_url("**/code/*/")
    assert steps.qr_on(desk) == f"{site.url}/shop/bind"

    counter = opened().new_page()
    steps.bind_clerk(counter, site, desk.locator(".secret").inner_text())
    expect(counter.get_by_text("虚构饭庄").first).to_be_visible()
    assert Clerk.objects.get().outlet.merchant == firm

    phone = phone_of(opened, site, wang).new_page()
    coupon = factories.drawn(county, wang)
    phone.goto(f"{site.url}/m/coupons/{coupon.pk}")
    desk.goto(firm_page)  # the sheet to print has no menu
    dialog = office.ask(desk, "状态变更")
    dialog.get_by_label("变更为").select_option(label="暂停")
    dialog.get_by_label("理由").fill("价格投诉核查中")
    office.agree(dialog)
    office.told(desk, "虚构饭庄已变更为“暂停”")

    counter.goto(steps.qr_on(phone))
    expect(counter.get_by_text("本店当前").first).to_be_visible()
    coupon.refresh_from_db()
    assert coupon.state == Coupon.State.HELD
    phone.get_by_role("link", name=re.compile("适用商家")).first.click()
    card = phone.locator("li.shop", has_text="虚构饭庄")
    expect(card).to_contain_text("价格投诉核查中")
    expect(card).to_contain_text("暂停")


def test_a_plan_from_its_workbooks_to_a_pause_and_back(bureau, leaders, at, site: Site, opened: Opener) -> None:
    at("2022-06-24 10:00")
    desk = office.at_work(opened, site, bureau, "活动与方案")
    desk.get_by_role("link", name="导入方案").click()
    steps.hand_in_plan(desk)
    reasons = desk.get_by_label("认可理由")
    expect(desk.get_by_text("15950").first).to_be_visible()
    found = reasons.count()
    assert found >= 3
    for place in range(1, found):
        reasons.nth(place).fill("已与财政局核对，以各格数字为准")
    desk.get_by_role("button", name="认可并导入").click()
    expect(desk.locator(".desk-refused")).to_be_visible()
    assert not Campaign.objects.exists()
    reasons.first.fill("印刷有误，以明细为准")
    desk.get_by_role("button", name="认可并导入").click()
    office.told(desk, "20450 张")
    assert set(PlanFinding.objects.values_list("accepted_by", flat=True)) == {str(bureau)}

    checker = office.at_work(opened, site, leaders, "审批事项")
    for deed, said in (("申请拨入资金", "已提交审批：拨入资金"), ("申请上线", "已提交审批：活动上线")):
        dialog = office.ask(desk, deed)
        dialog.get_by_label("理由").fill("方案核对完毕")
        office.agree(dialog)
        office.told(desk, said)
        checker.reload()
        dialog = office.ask(checker, "批准")
        office.agree(dialog)
        office.told(checker, "已批准并执行")
    campaign = Campaign.objects.current()
    assert campaign is not None
    at("2022-06-25 08:50")
    lifecycle.sweep()
    at("2022-06-25 09:05")

    citizen = factories.a_consumer(place=Consumer.Place.INSIDE)
    phone = phone_of(opened, site, citizen).new_page()
    phone.goto(f"{site.url}/m/draw/dining")  # the wheel stands ready before the pause
    pause(desk, "品类", "餐饮", "餐饮券核对库存，十点恢复")
    phone.locator("[data-go]").click()
    expect(phone.locator("[data-say]")).to_contain_text("餐饮券核对库存，十点恢复")
    assert not Draw.objects.exists()
    phone.goto(f"{site.url}/m/")
    expect(phone.locator("[data-category=dining]")).to_contain_text("餐饮券核对库存，十点恢复")
    resume(desk, "餐饮")

    pause(desk, "轮次", "第1轮", "系统检修，稍后恢复")
    phone.reload()
    expect(phone.get_by_text("系统检修，稍后恢复").first).to_be_visible()
    resume(desk, "第1轮")
    assert steps.draw(phone, site, "dining") in {"100", "200", "500"}
    phone.goto(f"{site.url}/m/")
    expect(phone.get_by_text("系统检修")).to_have_count(0)
    assert not Category.objects.exclude(paused_at=None).exists()


def pause(desk: Page, entry: str, row: str, notice: str) -> None:
    """Pause a round or a category with what the public is told."""
    office.go(desk, entry)
    dialog = office.ask(desk, "暂停", row)
    dialog.get_by_label("公告").fill(notice)
    office.agree(dialog)
    office.told(desk, "已暂停")


def resume(desk: Page, row: str) -> None:
    office.agree(office.ask(desk, "恢复", row))
    office.told(desk, "已恢复")


def test_an_assisted_draw_to_a_paper_coupon_spent(county, bureau, li, site: Site, opened: Opener) -> None:
    villager = factories.a_staff(Department.STATION)
    assisting.assign(Station.objects.create(name="让字村服务站", address="让字村村部"), villager)
    station = office.at_work(opened, site, villager, "代抽记录")
    station.get_by_role("link", name="代抽", exact=True).click()
    station.get_by_label("姓名").fill("孙大爷")
    station.get_by_label("手机号").fill("19900007788")
    station.get_by_role("button", name="发送验证码").click()
    station.get_by_label("短信验证码").fill(station.locator("[data-demo-code]").inner_text())
    station.get_by_label(re.compile("本人在场")).check()
    station.get_by_text(re.compile("^餐饮")).click()
    station.get_by_role("button", name="抽奖").click()
    expect(station.get_by_text("100元 餐饮消费券")).to_be_visible()
    office.agree(office.ask(station, "打印纸质券"))
    station.wait_for_url("**/paper/")
    station.emulate_media(media="print")
    assert large_print(station)
    assert "19900007788" not in station.content()

    counter = phone_of(opened, site, li).new_page()
    counter.goto(steps.qr_on(station))
    digits = counter.get_by_label(re.compile("持券人手机号后四位"))
    digits.fill("1234")
    counter.get_by_role("button", name="收下这张券").click()
    expect(counter.get_by_role("alert")).to_be_visible()
    assert not Redemption.objects.exists()
    digits.fill("7788")
    counter.get_by_role("button", name="收下这张券").click()
    counter.wait_for_url("**/shop/redemptions/*")
    counter.locator("#amount").fill("318")
    counter.get_by_text("3 人", exact=True).click()
    counter.locator("[data-submit]").click()
    counter.wait_for_url("**/done")
    assert Redemption.objects.get().state == Redemption.State.USED

    # Listed apart: in the stations' own list, and in 优惠券领取 by its channel.
    desk = office.at_work(opened, site, bureau, "代抽记录")
    row = desk.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("抽中 100 元")
    office.go(desk, "优惠券领取")
    desk.get_by_text("更多条件").click()
    desk.get_by_label("途径").select_option(label="服务站代抽")
    desk.get_by_role("button", name="搜索").click()
    expect(desk.locator("tbody tr")).to_contain_text("已使用")
    expect(desk.locator(".desk-pager")).to_contain_text("共 1 条")
    assert Assist.objects.get().station.name == "让字村服务站"


def large_print(sheet: Page) -> bool:
    """Say whether nothing on the paper coupon is under 12 pt (16 px), and its face stands at twice that."""
    sizes = sheet.locator(".paper :is(h1, h1 b, li, dt, dd)").evaluate_all(
        "found => found.map((each) => parseFloat(getComputedStyle(each).fontSize))"
    )
    return min(sizes) >= 16 and max(sizes) >= 32


def test_a_complaint_from_the_coupons_page_to_its_end(county, shop, li, wang, site: Site, opened: Opener) -> None:
    use = factories.used(factories.drawn(county, wang), li)
    phone = phone_of(opened, site, wang).new_page()
    phone.goto(f"{site.url}/m/coupons/{use.coupon_id}")
    phone.get_by_role("link", name=re.compile("我要反映")).click()
    expect(phone.get_by_label("哪家商家")).to_have_value(str(shop.pk))
    phone.get_by_label("发生了什么").fill("用券后每道菜加价两元")
    phone.get_by_role("button", name="提交").click()
    mine = phone.locator("section", has_text="我反映过的")
    expect(mine).to_contain_text("待受理")

    desk = office.at_work(opened, site, factories.a_staff(Department.MARKET), "投诉处理")
    desk.locator("tbody tr").get_by_role("link").first.click()
    office.agree(office.ask(desk, "受理"))
    office.told(desk, "已受理")
    phone.reload()
    expect(mine).to_contain_text("处理中")
    dialog = office.ask(desk, "办结")
    dialog.get_by_label("结论").select_option(label="属实")
    dialog.get_by_label("处理结果").fill("已责令退还差价")
    office.agree(dialog)
    office.told(desk, "已办结")
    phone.reload()
    expect(mine).to_contain_text("已责令退还差价")
    expect(mine).to_contain_text("属实")

    row = Complaint.objects.get()
    assert (row.redemption, row.merchant, row.state) == (use, shop, Complaint.State.UPHELD)
    facts = desk.locator(".desk-facts").first
    facts.get_by_role("link", name=shop.outlets.get().name).last.click()
    desk.wait_for_url(f"**/redemption/{use.pk}/page/")
    desk.go_back()
    facts.get_by_role("link", name=shop.name).first.click()
    desk.wait_for_url(f"**/merchant/{shop.pk}/page/")
    expect(desk.locator("section", has=desk.get_by_role("heading", name="投诉"))).to_contain_text("已责令退还差价")
