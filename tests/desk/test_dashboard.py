"""首页: its numbers beside the rows, its clock, its lamps, and who gets which way."""

from __future__ import annotations

import html
import re

import pytest

from coupons.models import Coupon, Freeze
from huigou.models import Department
from merchants.models import Redemption
from reports.dashboard import health, numbers
from tests import factories


@pytest.fixture
def busy(scene):
    scene.more(3)
    return scene


def test_the_numbers_are_what_the_rows_come_to(busy):
    seen = numbers.see(busy.county.campaign, busy.now)
    states = {"used": 6, "sent": 1, "unused": 5, "lapsed": 5, "forfeited": 1}
    assert {state: seen.count(state) for state in states} == states
    assert seen.count() == Coupon.objects.count() == 18
    assert seen.uses == Redemption.objects.finished().count() == 6
    assert seen.amount == sum(Redemption.objects.finished().values_list("amount_fen", flat=True))


def test_the_page_shows_clock_numbers_and_their_ways(busy, desk):
    page = desk.get("/admin/").content.decode()
    state = desk.get("/admin/reports/shopfigures/dashboard.json").json()
    assert state["round"]["words"] == "进行中"
    assert state["round"]["target_ms"] > state["round"]["now_ms"]
    for group in state["groups"]:
        for figure in group["figures"]:
            assert figure["value"] in page
            assert not figure["href"] or html.escape(figure["href"]) in page
    words = [figure["title"] for group in state["groups"] for figure in group["figures"]]
    assert words == [
        "已领取（张）", "已使用（张）", "待录入（张）", "未使用（张）", "到期收回（张）", "商家放弃（张）",
        "消费金额（元）", "拉动倍数", "未发放（元）", "账目", "后台任务",
    ]  # fmt: skip
    assert len(re.findall(r"data-chart=", page)) == 4


def test_books_that_are_red_are_red_here(busy):
    Freeze.objects.create(campaign=busy.county.campaign, findings=[{"code": "states"}] * 2, frozen_at=busy.now)
    figure = numbers.books(numbers.see(busy.county.campaign, busy.now))
    assert (figure.value, figure.tone, figure.note) == ("冻结", "bad", "核对问题 2 项")


def test_a_worker_that_does_not_answer_shows(busy):
    figure = health.figure(busy.now)
    assert (figure.value, figure.tone) == ("异常", "bad")
    assert figure.note == "任务进程 0 个，排队任务 0 个，滞留消息 0 条"


def test_who_may_not_see_a_list_gets_its_number_without_the_way(busy):
    links = numbers.Links(factories.a_staff(Department.MEDIA))
    figure = numbers.groups(numbers.see(busy.county.campaign, busy.now))[0][1][0]
    assert links.shown(figure)["href"] == ""
    assert links.shown(figure)["value"] == "18"
