"""Bad lines, impatient fingers and old habits: nothing is drawn or booked twice, and no answer is lost."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from coupons import codes, consumers
from coupons.models import Consumer, Coupon, Draw
from huigou import clock
from merchants import binding
from merchants.models import Clerk, Redemption
from tests import factories
from tests.chromium import Opener
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)
# A village's 3G, as Chromium's own tools name it: 400 kbit/s each way, 400 ms.
SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
READY_ON_3G_S = 10
BACK_SOON_MS = 20_000


def phone_of(opened: Opener, site: Site, *people: Consumer | Clerk, **more: object) -> BrowserContext:
    """Return a phone on which people are bound."""
    context = opened(**more)
    for who in people:
        module = consumers if isinstance(who, Consumer) else binding
        context.add_cookies([{"name": module.COOKIE, "value": module.cookie_of(who), "url": site.url}])
    return context


def on_3g(context: BrowserContext) -> Page:
    """Return a page whose line is slow."""
    page = context.new_page()
    tools = context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.send("Network.emulateNetworkConditions", SLOW_3G)
    return page


def won(page: Page) -> str:
    """Return the receipt once the result stands on the page."""
    expect(page.locator("[data-prize]")).to_be_visible(timeout=BACK_SOON_MS)
    return page.locator("[data-prize] [data-r=receipt]").text_content() or ""


def test_on_3g_a_double_tap_draws_once_and_the_page_is_soon_there(
    county, wang, fresh_site: Site, opened: Opener
) -> None:
    page = on_3g(phone_of(opened, fresh_site, wang, reduced_motion="no-preference"))
    begun = time.monotonic()
    page.goto(f"{fresh_site.url}/m/draw/dining")
    expect(page.locator("[data-go].ready")).to_be_enabled()
    assert time.monotonic() - begun < READY_ON_3G_S
    page.locator("[data-go]").dblclick()
    page.locator("[data-wheel]").click(position={"x": 20, "y": 20}, force=True)
    receipt = won(page)
    assert [bytes(row.entry_hash).hex() for row in Draw.objects.all()] == [receipt]


def test_a_line_dead_before_the_draw_is_confirmed_when_it_is_back(county, wang, site: Site, opened: Opener) -> None:
    context = phone_of(opened, site, wang)
    page = context.new_page()
    page.goto(f"{site.url}/m/draw/dining")
    context.set_offline(True)
    page.locator("[data-go]").click()
    expect(page.locator("[data-say]")).to_contain_text("正在确认")
    expect(page.locator("[data-offline]")).to_be_visible()
    assert "失败" not in page.locator("main").inner_text()
    assert Draw.objects.count() == 0
    context.set_offline(False)
    receipt = won(page)
    assert bytes(Draw.objects.get().entry_hash).hex() == receipt


def test_back_and_forward_after_a_draw_show_the_same_answer(county, wang, site: Site, opened: Opener) -> None:
    page = phone_of(opened, site, wang).new_page()
    page.goto(f"{site.url}/m/")
    page.locator("[data-category=dining] [data-go]").click()
    page.locator("[data-go]").click()
    receipt = won(page)
    page.go_back()
    expect(page.locator("[data-category=dining] [data-go]")).to_contain_text("看消费券")
    page.go_forward()
    assert won(page) == receipt
    assert Draw.objects.count() == 1


def test_two_tabs_that_draw_at_once_share_one_answer(county, wang, fresh_site: Site, opened: Opener) -> None:
    context = phone_of(opened, fresh_site, wang)
    tabs = [context.new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(f"{fresh_site.url}/m/draw/dining")
    for tab in tabs:
        tab.locator("[data-go]").click(no_wait_after=True)
    drawn = Draw.objects.all
    for tab in tabs:
        # The same answer again, or the refusal that says it was given, with the way to it.
        expect(tab.locator("[data-say]")).to_contain_text(re.compile("恭喜|已抽中"), timeout=BACK_SOON_MS)
        assert tab.locator("[data-prize]").is_visible() or tab.locator("[data-refused-link]").is_visible()
    assert drawn().count() == 1
    assert Coupon.objects.count() == 1


def test_two_tabs_of_a_clerk_book_one_entry(county, wang, li, site: Site, opened: Opener) -> None:
    scan = factories.scanned(factories.drawn(county, wang), li)
    context = phone_of(opened, site, li)
    tabs = [context.new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(f"{site.url}/shop/redemptions/{scan.pk}")
    for tab, amount in zip(tabs, ("640", "880"), strict=True):
        tab.locator("#amount").fill(amount)
        tab.get_by_text("2 人", exact=True).click()
    tabs[0].locator("[data-submit]").click()
    tabs[0].wait_for_url("**/done")
    tabs[1].locator("[data-submit]").click()
    expect(tabs[1].locator("main")).to_contain_text(re.compile("已录入|640.00"))
    scan.refresh_from_db()
    assert (scan.amount_fen, scan.coupon.steps) == (64_000, 3)


def test_back_after_an_entry_leads_to_what_was_entered(county, wang, li, site: Site, opened: Opener) -> None:
    scan = factories.scanned(factories.drawn(county, wang), li)
    page = phone_of(opened, site, li).new_page()
    page.goto(f"{site.url}/shop/redemptions")
    page.get_by_role("link", name="去录入").click()
    page.locator("#amount").fill("318")
    page.get_by_text("3 人", exact=True).click()
    page.locator("[data-submit]").dblclick()
    page.wait_for_url("**/done")
    page.go_back()
    expect(page.locator("main")).to_contain_text("318.00")
    scan.refresh_from_db()
    assert (scan.amount_fen, scan.coupon.steps) == (31_800, 3)


def test_a_clerk_on_3g_by_keyboard_alone_from_the_code_to_the_end(county, wang, li, site: Site, opened: Opener) -> None:
    coupon = factories.drawn(county, wang)
    page = on_3g(phone_of(opened, site, li))
    page.goto(f"{site.url}/shop/scan")
    tab_to(page, "digits")
    page.keyboard.type(codes.show(coupon.pk, clock.now()).short_code)
    page.keyboard.press("Enter")
    page.wait_for_url("**/shop/redemptions/*")
    expect(page.locator("#amount")).to_be_focused()
    page.keyboard.type("299")
    page.keyboard.press("Enter")
    under = page.locator("[data-under]")
    expect(under).to_contain_text("还差 1 元")
    page.keyboard.press("Escape")
    expect(page.locator("#amount")).to_be_focused()
    page.keyboard.type("318.5")
    expect(page.locator("[data-sum]")).to_contain_text("218.50")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")  # the second of the buttons
    page.keyboard.press("Enter")
    page.wait_for_url("**/done")
    row = Redemption.objects.get()
    assert (row.amount_fen, row.kind) == (31_850, "2")


def tab_to(page: Page, name: str, most: int = 30) -> None:
    """Press Tab until a field has the focus, as somebody without a mouse does."""
    for _ in range(most):
        if page.evaluate("document.activeElement.id") == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way to #{name} by keyboard")
