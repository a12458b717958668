"""Take a picture of every page, phone-sized and desktop, into docs/screens/ (`make shots`).

Runs on servers and a database of its own, with the demonstration's plan and one walk through the manual, so that the
pages show something. Needs Chromium.
"""

# ruff: noqa: E402 (Django is set up before its models are imported)
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huigou.settings")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

import django

django.setup()

from django.conf import settings
from django.core.management import call_command
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.progress import track

from coupons.models import Coupon
from merchants.models import BindingCode, Redemption
from tests.browser import steps
from tests.chromium import CHROMIUM, DESKTOP, PHONE, QUIET
from tests.serving import Site, free_port, running, wait_for

OUT = Path(__file__).resolve().parent.parent / "docs" / "screens"
CONSUMER = {
    "m-home": "/m/",
    "m-bind": "/m/bind",
    "m-draw": "/m/draw/lodging",
    "m-coupons": "/m/coupons",
    "m-merchants": "/m/merchants",
    "m-rules": "/m/rules",
    "m-privacy": "/m/privacy",
    "m-problem": "/m/problem",
    "public": "/public/",
    "public-round": "/public/rounds/1/",
    "public-verify": "/public/verify",
}
SHOP = {"shop-scan": "/shop/scan", "shop-redemptions": "/shop/redemptions", "shop-clerks": "/shop/clerks"}
BUREAU = {
    "admin-home": "/admin/",
    "admin-batches": "/admin/coupons/batch/",
    "admin-draws": "/admin/coupons/coupon/",
    "admin-uses": "/admin/merchants/redemption/",
    "admin-consumers": "/admin/coupons/consumer/",
    "admin-merchants": "/admin/merchants/merchant/",
    "admin-changes": "/admin/coupons/changerequest/",
}


@contextmanager
def served() -> Iterator[Site]:
    """Serve the shots' own database."""
    port = free_port()
    environment = {**os.environ, "HUIGOU_SERVING": "true", "VAR_DIR": str(settings.VAR_DIR)}
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--blocking-threads", "8", "--no-log", "huigou.wsgi:application",
    ]  # fmt: skip
    with running(command, environment):
        url = f"http://127.0.0.1:{port}"
        wait_for(url + "/readyz")
        yield Site(url, environment)


def picture(page: Page, name: str, suffix: str, *, full: bool = False) -> None:
    """Keep what the page shows, with few colours: small enough for the repository."""
    page.wait_for_timeout(400)
    path = OUT / f"{name}-{suffix}.png"
    page.screenshot(path=path, full_page=full)
    Image.open(path).convert("RGB").quantize(colors=128, dither=Image.Dither.NONE).save(path, optimize=True)


def walk(browser: Browser, site: Site) -> tuple[Page, Page]:
    """Bind, draw, scan and enter, taking pictures of the states on the way; return both people's pages."""
    phone = browser.new_context(viewport=PHONE, locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    shop = browser.new_context(viewport=PHONE, locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    if not Coupon.objects.exists():
        steps.bind_consumer(phone, site)
        for category in ("lodging", "dining", "fuel"):
            steps.draw(phone, site, category)
        picture(phone, "m-draw-won", "phone")
        code = BindingCode.objects.filter(outlet__merchant__categories__code="dining", used_at=None).get()
        steps.bind_clerk(shop, site, str(code.code))
        coupon = Coupon.objects.get(batch__category__code="dining")
        phone.goto(f"{site.url}/m/coupons/{coupon.pk}")
        picture(phone, "m-coupon", "phone")
        shop.goto(steps.qr_on(phone))
        picture(shop, "shop-coupon", "phone")
        shop.get_by_role("button", name="收下这张券").click()
        shop.wait_for_url("**/shop/redemptions/*")
        phone.wait_for_timeout(2_000)
        picture(phone, "m-coupon-pending", "phone")
        shop.locator("#amount").fill(str(coupon.threshold_fen // 100 + 18))
        shop.get_by_text("3 人", exact=True).click()
        picture(shop, "shop-entry", "phone")
        shop.locator("[data-submit]").click()
        shop.wait_for_url("**/done")
        picture(shop, "shop-done", "phone")
        phone.wait_for_timeout(2_000)
        picture(phone, "m-coupon-used", "phone")
    return phone, shop


def bureau(browser: Browser, site: Site) -> Page:
    """Log the demonstration's bureau in."""
    page = browser.new_context(viewport=DESKTOP, locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    page.goto(f"{site.url}/admin/login/")
    picture(page, "admin-login", "desktop")
    password = (Path(settings.VAR_DIR) / "keys" / "demo_password").read_text().strip()
    page.locator("[name=username]").fill("gongxin")
    page.locator("[name=password]").fill(password)
    page.locator("[type=submit]").first.click()
    page.wait_for_url("**/admin/")
    return page


def main() -> None:
    """Take all pictures."""
    OUT.mkdir(parents=True, exist_ok=True)
    call_command("create_demo")
    with served() as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        phone, shop = walk(browser, site)
        desk = bureau(browser, site)
        jobs = [(phone, name, path) for name, path in CONSUMER.items()]
        jobs += [(shop, name, path) for name, path in SHOP.items()]
        jobs += [(desk, name, path) for name, path in BUREAU.items()]
        for page, name, path in track(jobs, description="截图"):
            for suffix, size in (("phone", PHONE), ("desktop", DESKTOP)):
                page.set_viewport_size(size)
                answer = page.goto(site.url + path)
                if answer is None or answer.status >= 400:
                    raise SystemExit(f"{path}: {answer and answer.status}")
                picture(page, name, suffix)
        browser.close()
    print(f"{len(list(OUT.glob('*.png')))} pictures, {Redemption.objects.count()} redemption(s)")  # noqa: T201


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as broken:
        raise SystemExit(str(broken)) from broken
