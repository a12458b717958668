"""Take a picture of every page into docs/screens/ (``make shots``): phone and desktop, in the dark and in large print.

Runs on a new database of its own with the demonstration's plan, a cast so that the pages show something, and one walk
through the manual for the states on the way. Needs Chromium. ``make shots ARGS="m-home m-draw"`` takes some.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests import demo_site  # sets Django up, first

from PIL import Image  # isort: skip
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from coupons.models import Coupon
from huigou.theme import MENU
from merchants.models import BindingCode
from tests.browser import steps
from tests.chromium import CHROMIUM, PHONE, QUIET
from tests.every_page import ERRORS, Shown, acts, error_page
from tests.serving import Site

OUT = Path(__file__).resolve().parent.parent / "docs" / "screens"
DESKTOP = {"width": 1280, "height": 800}
SMALL = {"width": 320, "height": 640}
COLOURS = 96  # the pages have few; it keeps a picture at some tens of kilobytes
PAPER = {"width": 794, "height": 1123}  # A4 at 96 dpi
# The six menus that the old system had, by the names that README and the manuals use; the others go by their model.
BUREAU = {
    "reports/shopfigures": "admin-shops",
    "merchants/redemption": "admin-uses",
    "coupons/coupon": "admin-draws",
    "coupons/consumer": "admin-consumers",
    "merchants/merchant": "admin-merchants",
    "coupons/batch": "admin-batches",
    "coupons/changerequest": "admin-changes",
}
ON_DESKTOP = {
    "m-home", "m-draw", "m-draw-done", "m-coupons", "m-coupon", "m-merchants", "m-rules", "shop-scan", "shop-entry",
    "shop-redemptions", "public", "public-round", "public-log", "public-verify",
}  # fmt: skip
IN_THE_DARK = {"m-home", "m-draw", "m-draw-done", "m-coupons", "m-coupon", "shop-entry", "shop-redemptions", "public"}
IN_LARGE_PRINT = {"m-home", "m-draw", "m-draw-done", "m-coupons", "m-coupon", "m-bind", "shop-scan", "shop-entry"}
ON_SMALL = {"m-home", "m-coupon", "m-draw"}
ON_PAPER = {"m-coupons", "m-rules", "public-round"}
wanted: set[str] = set()


def picture(page: Page, name: str, suffix: str, *, full: bool = False) -> None:
    """Keep what the page shows, with few colours: small enough for the repository."""
    if wanted and name not in wanted:
        return
    page.wait_for_timeout(400)
    path = OUT / f"{name}-{suffix}.png"
    page.screenshot(path=path, full_page=full)
    small = Image.open(path).convert("RGB").quantize(colors=COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


@contextmanager
def opened(browser: Browser, viewport: dict[str, int] = PHONE, **more: object) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=viewport, locale="zh-CN", timezone_id="Asia/Shanghai", **more)
    yield context
    context.close()


def walk(browser: Browser, site: Site) -> None:
    """Bind, draw, scan and enter as the manual says, taking pictures of the states on the way."""
    with opened(browser) as mine, opened(browser) as theirs:
        phone, shop = mine.new_page(), theirs.new_page()
        steps.bind_consumer(phone, site, "陈晓", "19900009001")
        steps.draw(phone, site, "lodging")
        picture(phone, "m-draw-won", "phone")
        code = BindingCode.objects.filter(outlet__merchant__categories__code="fuel", used_at=None).get()
        steps.draw(phone, site, "fuel")
        steps.bind_clerk(shop, site, str(code.code), "19900009002", "周店员")
        coupon = Coupon.objects.filter(batch__category__code="fuel").latest("pk")
        phone.goto(f"{site.url}/m/coupons/{coupon.pk}")
        shop.goto(steps.qr_on(phone))
        shop.get_by_role("button", name="收下这张券").click()
        shop.wait_for_url("**/shop/redemptions/*")
        shop.locator("#amount").fill(f"{coupon.threshold_fen // 100 - 20}")
        shop.locator("[data-submit]").click()
        picture(shop, "shop-refused-under", "phone")
        shop.get_by_role("button", name="改金额").click()
        shop.locator("#amount").fill(f"{coupon.threshold_fen // 100 + 18}")
        shop.locator("[data-kind] label").first.click()
        picture(shop, "shop-entry-typed", "phone")
        shop.context.set_offline(True)
        shop.locator("[data-submit]").click()
        shop.locator("[data-network][open]").wait_for()
        picture(shop, "shop-refused-network", "phone")
        shop.context.set_offline(False)
        shop.wait_for_url("**/done")


def take(browser: Browser, site: Site, shown: Shown) -> None:
    """Take one page's pictures: always on a phone, and wherever else it matters."""
    ways: list[tuple[str, dict[str, int], str, bool]] = [("phone", PHONE, "light", False)]
    ways += [("desktop", DESKTOP, "light", False)] * (shown.name in ON_DESKTOP)
    ways += [("dark", PHONE, "dark", False)] * (shown.name in IN_THE_DARK)
    ways += [("large", PHONE, "light", True)] * (shown.name in IN_LARGE_PRINT)
    ways += [("320", SMALL, "light", False)] * (shown.name in ON_SMALL)
    for suffix, viewport, scheme, large in ways:
        with opened(browser, viewport, color_scheme=scheme) as context:
            page = _open(context, site, shown, large=large)
            picture(page, shown.name, suffix)
    if shown.name in ON_PAPER:
        with opened(browser, PAPER) as context:
            page = _open(context, site, shown, large=False)
            page.emulate_media(media="print")
            picture(page, shown.name, "print")


def _open(context: BrowserContext, site: Site, shown: Shown, *, large: bool) -> Page:
    cookies = ([("large", "1")] if large else []) + ([cookie] if (cookie := shown.cookie()) else [])
    context.add_cookies([{"name": name, "value": value, "url": site.url} for name, value in cookies])
    page = context.new_page()
    answer = page.goto(site.url + shown.address())
    if answer is None or answer.status != shown.status:
        raise SystemExit(f"{shown.name}: {answer and answer.status}")
    return page


def errors(browser: Browser, site: Site) -> None:
    """Take the pages of errors, as handlers and middleware render them."""
    with opened(browser) as context:
        page = context.new_page()
        for name in ERRORS:
            page.route("**/broken", _answer(error_page(name)))
            page.goto(f"{site.url}/broken")
            picture(page, f"error-{name}", "phone")
            page.unroute("**/broken")


def _answer(body: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(body=body, content_type="text/html")


def bureau(browser: Browser, site: Site) -> None:
    """Log 工信局 in and take the login, every page of its menu, a shop's page and a plan under review."""
    with opened(browser, DESKTOP) as desk, opened(browser) as phone:
        page = desk.new_page()
        page.goto(f"{site.url}/admin/login/")
        picture(page, "admin-login", "desktop")
        steps.log_in(page, site, "gongxin")
        phone.add_cookies(desk.cookies())
        for suffix, tab in (("desktop", page), ("phone", phone.new_page())):
            for name, address in menu():
                answer = tab.goto(site.url + address)
                # What this department may not see is not on its menu either.
                if answer is not None and answer.status == 200:
                    picture(tab, name, suffix)
            tab.goto(f"{site.url}/admin/merchants/merchant/")
            tab.locator("tbody tr a").first.click()
            tab.wait_for_url("**/page/")
            picture(tab, "admin-merchant", suffix)
            tab.goto(f"{site.url}/admin/merchants/merchant/plan/")
            steps.hand_in_plan(tab)
            picture(tab, "admin-plan-review", suffix)


def menu() -> list[tuple[str, str]]:
    """Return (name, address) of every page on the back office's menus."""
    found = []
    for group in MENU:
        for item in group["items"]:
            address = str(item["link"])
            parts = urlsplit(address).path.strip("/").split("/")[1:]
            model = "/".join(parts[:2])
            own = "-".join(parts[1:]) or "home"
            found.append((BUREAU.get(model, f"admin-{own}") if len(parts) == 2 else f"admin-{own}", address))
    return found


def main() -> None:
    """Take all pictures, or those whose names are given."""
    wanted.update(sys.argv[1:])
    OUT.mkdir(parents=True, exist_ok=True)
    on = demo_site.staged()
    move = demo_site.mover()
    with demo_site.served() as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        first = True
        for pages in acts(on, move):
            for shown in pages:
                if not wanted or shown.name in wanted:
                    take(browser, site, shown)
            if first:
                walk(browser, site)
                errors(browser, site)
                bureau(browser, site)
            first = False
        browser.close()
    taken = list(OUT.glob("*.png"))
    size = sum(path.stat().st_size for path in taken) / 1_048_576
    print(f"{len(taken)} pictures, {size:.1f} MiB")  # noqa: T201


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as broken:
        raise SystemExit(str(broken)) from broken
