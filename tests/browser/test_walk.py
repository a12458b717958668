"""The six steps of the plan's manual (附件 3), walked in Chromium on the county's own plan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from coupons.models import Coupon
from huigou.money import yuan
from merchants.models import BindingCode, Redemption
from tests.browser import steps
from tests.chromium import DESKTOP, Opener
from tests.exports.reading import rows_of, second
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)
WITHIN_MS = 2_500  # the coupon's page follows within two seconds; half a second for the browser


@pytest.fixture
def demo(transactional_db: None) -> None:
    call_command("create_demo", people=0, verbosity=0)


def one_time_code(category: str) -> str:
    row = BindingCode.objects.filter(outlet__merchant__categories__code=category, used_at=None).first()
    assert row is not None
    return str(row.code)


def test_the_manual_from_binding_to_the_exported_row(
    demo: None, site: Site, worker: None, opened: Opener, tmp_path: Path
) -> None:
    phone, counter = opened().new_page(), opened().new_page()

    steps.bind_consumer(phone, site)
    face = steps.draw(phone, site, "dining")
    assert face in {"100", "200", "500"}

    coupon = Coupon.objects.get()
    phone.goto(f"{site.url}/m/coupons")
    phone.get_by_role("link", name=re.compile("扫码支付")).first.click()
    link = steps.qr_on(phone)
    assert link.startswith(f"{site.url}/shop/c/")

    # A stranger's scan only says where to show it, and changes nothing.
    counter.goto(link)
    expect(counter.get_by_text("请到适用商家出示")).to_be_visible()
    coupon.refresh_from_db()
    assert coupon.state == Coupon.State.HELD

    steps.bind_clerk(counter, site, one_time_code("dining"))
    counter.goto(steps.qr_on(phone))
    counter.get_by_role("button", name="收下这张券").click()
    expect(phone.get_by_role("heading", name="已发送商家")).to_be_visible(timeout=WITHIN_MS)

    enter_under_and_over(counter, coupon)
    expect(phone.get_by_role("heading", name="已使用")).to_be_visible(timeout=WITHIN_MS)

    used = Redemption.objects.get()
    assert (used.state, used.amount_fen, used.kind) == (Redemption.State.USED, coupon.threshold_fen + 1800, "3")
    counter.goto(f"{site.url}/shop/redemptions")
    expect(counter.get_by_text(yuan(coupon.threshold_fen + 1800)).first).to_be_visible()

    desk = opened(viewport=DESKTOP, accept_downloads=True).new_page()
    steps.log_in(desk, site, "gongxin")
    [row] = rows_of(steps.download_uses(desk, site, tmp_path))
    assert {
        heading: row[heading] for heading in ("金额（元）", "消费金额（元）", "消费人数·加油品类", "备注", "小票号")
    } == {
        "金额（元）": int(face),
        "消费金额（元）": (coupon.threshold_fen + 1800) // 100,
        "消费人数·加油品类": "3（人）",
        "备注": "两桌，靠窗",
        "小票号": "0123",
    }
    assert (row["商家"], row["企业名称"]) == (used.outlet.name, used.merchant.name)
    assert (row["品类"], row["券号"]) == ("餐饮", str(coupon.pk))
    assert second(row["确认时间"]) == second(used.completed_at)
    assert second(row["扫码时间"]) == second(used.scanned_at)


def enter_under_and_over(counter: Page, coupon: Coupon) -> None:
    """One fen under the threshold the page says what is missing; over it the entry goes through."""
    counter.locator("#amount").fill(f"{(coupon.threshold_fen - 1) / 100:.2f}")
    expect(counter.locator("[data-sum]")).to_contain_text("0.01")
    counter.locator("#amount").fill(f"{(coupon.threshold_fen + 1800) / 100:.2f}")
    counter.get_by_text("3 人", exact=True).click()
    counter.get_by_text("小票号、备注").click()
    counter.locator("#receipt").fill("0123")
    counter.locator("#note").fill("两桌，靠窗")
    counter.locator("[data-submit]").click()
    counter.wait_for_url("**/done")


def test_the_short_code_serves_where_the_camera_does_not(demo: None, site: Site, opened: Opener) -> None:
    phone, counter = opened().new_page(), opened().new_page()
    steps.bind_consumer(phone, site)
    steps.draw(phone, site, "fuel")
    steps.bind_clerk(counter, site, one_time_code("fuel"))
    phone.goto(f"{site.url}/m/coupons/{Coupon.objects.get().pk}")
    counter.goto(f"{site.url}/shop/scan")
    counter.locator("[data-digits]").fill(phone.locator("[data-short]").inner_text())
    counter.get_by_role("button", name="核对短码").click()
    counter.wait_for_url("**/shop/redemptions/*")
    assert Redemption.objects.get().state == Redemption.State.PENDING
