"""首页 in Chromium: its numbers and charts come anew by themselves, and a bar opens its list."""

from __future__ import annotations

import re

import pytest

from tests import factories
from tests.chromium import DESKTOP, Opener

pytestmark = pytest.mark.django_db(transaction=True)


def test_numbers_come_anew_by_themselves_and_a_bar_opens_its_list(county, site, opened: Opener, bureau, li):
    coupons = factories.drawn_by_many(county, factories.some_consumers(3))
    factories.used(coupons[0], li)
    context = opened(viewport=DESKTOP)
    page = context.new_page()
    page.clock.install()
    page.goto(f"{site.url}/admin/login/")
    page.locator("[name=username]").fill(bureau.username)
    page.locator("[name=password]").fill("invented-pass-1")
    page.locator("[type=submit]").first.click()
    page.wait_for_url("**/admin/")
    drawn = page.get_by_role("link", name=re.compile("已领取"))
    assert drawn.locator("b").inner_text() == "3"
    factories.drawn(county, factories.a_consumer())
    page.clock.run_for(11_000)
    drawn.get_by_text("4", exact=True).wait_for()
    table = page.locator(".desk-card", has=page.locator("[data-chart=category]"))
    table.get_by_text("查看数据").click()
    assert table.get_by_role("row").nth(1).inner_text().split() == ["餐饮", "1", "0", "3", "0", "0"]
    page.locator("[data-chart=category]").click(position=_middle(page))
    page.wait_for_url(re.compile(r"/admin/coupons/coupon/\?category=dining&state="))
    assert page.locator(".desk-pager").inner_text().startswith("共 ")


def _middle(page) -> dict[str, float]:
    box = page.locator("[data-chart=category]").bounding_box()
    return {"x": box["width"] * 0.53, "y": box["height"] * 0.7}
