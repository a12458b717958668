"""The old system's six pages, as the plan prints them: each menu, filter, button, column, total and footer is here."""

from __future__ import annotations

import html
import re

import pytest

from coupons.models import Batch, Coupon
from merchants.models import Redemption
from tests.desk.conftest import HOSTILE

MENU = ["商家统计", "优惠券使用", "优惠券领取", "买家管理", "商家管理", "优惠券管理"]
PAGES = {
    "/admin/coupons/batch/": {
        "filters": ["品类"],
        "buttons": ["搜索", "添加"],
        "columns": ["券名", "面额", "总数量", "领取数量", "使用数量", "品类", "生成时间", "操作"],
        "totals": ["总数量", "领取数量", "使用数量"],
    },
    "/admin/coupons/coupon/": {
        "filters": ["开始日期", "结束日期", "姓名", "手机号", "品类", "状态"],
        "buttons": ["搜索"],
        "columns": ["金额", "类型（品类）", "微信名", "手机号", "使用情况", "商家", "领取时间", "退回"],
        "totals": [],
    },
    "/admin/merchants/redemption/": {
        "filters": ["开始日期", "结束日期", "店面", "员工名称", "买家手机号", "品类"],
        "buttons": ["搜索"],
        "columns": [
            "商家", "员工微信号", "员工姓名", "员工电话", "金额", "买家微信号", "买家手机号", "消费人数·加油品类",
            "消费金额", "备注", "确认时间",
        ],
        "totals": ["金额", "消费金额"],
    },
    "/admin/coupons/consumer/": {
        "filters": ["开始日期", "结束日期", "姓名", "手机号"],
        "buttons": ["搜索"],
        "columns": ["姓名", "手机号", "微信名"],
        "totals": [],
    },
    "/admin/merchants/merchant/": {
        "filters": ["企业名称", "品类"],
        "buttons": ["搜索"],
        "columns": ["企业名称", "品类", "企业地址", "联系电话"],
        "totals": [],
    },
    "/admin/reports/shopfigures/": {
        "filters": ["开始日期", "结束日期", "商家", "品类"],
        "buttons": ["搜索", "导出 Excel"],
        "columns": ["商家", "使用张数", "消费券金额", "消费金额"],
        "totals": ["使用张数", "消费券金额", "消费金额"],
    },
}  # fmt: skip


def text(markup: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup))).strip()


def inner(page: str, pattern: str) -> list[str]:
    return [text(found) for found in re.findall(pattern, page, re.S)]


def shown(client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def columns(page: str) -> list[str]:
    return inner(page, r"<thead>(.*?)</thead>")[0].split(" ") if "<thead>" in page else []


def in_order(wanted: list[str], found: list[str]) -> bool:
    rest = iter(found)
    return all(name in rest for name in wanted)


@pytest.mark.parametrize("address", PAGES)
def test_every_filter_button_and_column_of_the_old_page_is_there_in_its_order(scene, desk, address):
    page, old = shown(desk, address), PAGES[address]
    query = re.search(r'<form class="desk-query".*?</form>', page, re.S)[0]
    assert in_order(old["filters"], inner(query, r"<label[^>]*>(.*?)</label>"))
    assert set(old["buttons"]) <= set(inner(query, r"<(?:button|a)[^>]*>(.*?)</(?:button|a)>"))
    headings = inner(page, r'<th scope="col"[^>]*>(.*?)</th>')
    assert in_order(old["columns"], headings)
    for name in old["totals"]:
        place = headings.index(name)
        totals = re.search(r"<tfoot>(.*?)</tfoot>", page, re.S)[1]
        assert inner(totals, r"<t[hd][^>]*>(.*?)</t[hd]>")[place].replace("合计", "").strip(), name


@pytest.mark.parametrize("address", PAGES)
def test_every_choice_begins_with_all_of_it(scene, desk, address):
    query = re.search(r'<form class="desk-query".*?</form>', shown(desk, address), re.S)[0]
    firsts = inner(query, r"<select[^>]*>\s*<option[^>]*>(.*?)</option>")
    named = [first for first in firsts if first != "商家"]  # 统计方式 has no "all"
    assert set(named) <= {"全部…"}
    assert named


def test_the_six_menus_stand_first_and_in_their_order_under_the_name_and_beside_the_way_out(scene, desk, bureau):
    page = shown(desk, "/admin/coupons/batch/")
    menu = inner(page, r'<nav[^>]*id="nav-sidebar".*?</nav>') or [text(page)]
    assert in_order(MENU, [word for word in menu[0].split(" ") if word in MENU])
    head = inner(page, r'<div class="desk-user">(.*?)</div>')[0]
    assert head.startswith("你好")
    assert str(bureau.first_name or bureau.username) in head
    assert "修改密码" in head
    assert "退出" in head
    assert desk.get("/admin/password_change/").status_code == 200


def test_the_footer_counts_leads_and_says_where_one_is(scene, desk):
    scene.more(30)  # 45 coupons in all

    def footer(address):
        return inner(shown(desk, address), r'<nav class="desk-pager".*?</nav>')[0]

    assert footer("/admin/coupons/coupon/") == "共 45 条 首页 1 2 3 尾页 第 1/3 页"
    assert footer("/admin/coupons/coupon/?p=3") == "共 45 条 首页 1 2 3 尾页 第 3/3 页"
    assert footer("/admin/coupons/coupon/?p=99&category=fuel") == "共 31 条 首页 1 2 尾页 第 2/2 页"
    assert footer("/admin/coupons/coupon/?face=50000") == "共 0 条 首页 1 尾页 第 1/1 页"


def test_what_was_drawn_explains_itself_with_what_came_back_and_what_is_left(scene, desk):
    answer = desk.get("/admin/coupons/batch/")
    for row in answer.context["page"].object_list:
        coupons = Coupon.objects.filter(batch=row)
        assert row.drawn == coupons.count()
        assert row.used == coupons.filter(state="used").count()
        assert row.lapsed == coupons.filter(state="expired").count()
        assert row.planned == row.drawn - row.lapsed + row.left
    sums = answer.context["listing"].sums()
    assert (sums["planned"], sums["drawn"], sums["used"], sums["lapsed"]) == (180, 15, 3, 5)
    headings = inner(answer.content.decode(), r'<th scope="col"[^>]*>(.*?)</th>')
    assert in_order(["领取数量", "到期收回", "未发"], headings)


def test_a_dealt_batch_keeps_its_numbers_whatever_is_posted(scene, desk):
    batch = Batch.objects.get(category__code="fuel")
    address = f"/admin/coupons/batch/{batch.pk}/change/"
    assert "更新" in inner(shown(desk, "/admin/coupons/batch/"), r'<a class="link"[^>]*>(.*?)</a>')
    desk.post(address, {"name": "50元加油券", "planned": "99999", "face": "500", "category": batch.category_id})
    batch.refresh_from_db()
    assert (batch.name, batch.planned, batch.face_fen) == ("50元加油券", 100, 5_000)


USES_OF_A_COUPON = ["未使用 未发送", "使用 已发送商家", "已使用 已发送商家"]


def test_a_coupon_is_in_one_of_three_combinations_and_only_a_sent_one_can_be_recalled(scene, desk):
    page = shown(desk, "/admin/coupons/coupon/?round=2")
    rows = re.findall(r"<tr>(.*?)</tr>", re.search(r"<tbody>(.*?)</tbody>", page, re.S)[1], re.S)
    seen = {}
    for row in rows:
        use = inner(row, r'<td data-label="使用情况"[^>]*>(.*?)</td>')[0]
        seen.setdefault(use, set()).add("撤回" in inner(row, r'<td class="desk-deeds"[^>]*>(.*?)</td>')[0])
    assert seen == {USES_OF_A_COUPON[0]: {False}, USES_OF_A_COUPON[1]: {True}, USES_OF_A_COUPON[2]: {False}}


def test_recalling_asks_for_a_reason_and_gives_the_coupon_back(scene, desk):
    coupon = Coupon.objects.get(state="pending")
    address = f"/admin/coupons/coupon/{coupon.pk}/deed/recall/"
    assert desk.post(address, {"reason": " "}).status_code == 422
    coupon.refresh_from_db()
    assert coupon.state == "pending"
    desk.post(address, {"reason": "顾客改主意"})
    coupon.refresh_from_db()
    assert coupon.state == "held"
    assert coupon.events.get(verb="recall").note == "顾客改主意"
    # Sent by hand for one that is not at a shop, it is refused.
    assert desk.post(address, {"reason": "再来一次"}).status_code == 422


@pytest.mark.parametrize(
    "address", ["/admin/coupons/coupon/", "/admin/coupons/consumer/", "/admin/merchants/redemption/"]
)
def test_a_nickname_stays_text_whatever_it_is_made_of(scene, desk, address):
    used = Redemption.objects.finished().values_list("consumer_id", flat=True)
    page = shown(desk, address)
    for name, person in zip(HOSTILE, scene.folk, strict=True):
        if "redemption" not in address or person.pk in used:
            assert html.escape(name, quote=True) in page
    assert "<script>alert(1)" not in page
    assert "<b>粗" not in page


@pytest.mark.parametrize("address", [*PAGES, "/admin/"])
def test_no_page_asks_more_often_for_thirty_rows_than_for_one(
    scene, desk, address, django_assert_max_num_queries, django_assert_num_queries
):
    desk.get(address)  # what is remembered is remembered
    with django_assert_max_num_queries(60) as few:
        desk.get(address)
    scene.more(30)
    with django_assert_max_num_queries(len(few)):
        desk.get(address)
