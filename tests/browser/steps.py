"""What people do on the pages, as steps that several browser tests share."""

from __future__ import annotations

import io
import re
from pathlib import Path

import zxingcpp
from django.conf import settings
from PIL import Image
from playwright.sync_api import Page, expect

import coupons
from tests.serving import Site

PLAN = Path(coupons.__file__).parent / "demo_plan"


def bind_consumer(page: Page, site: Site, name: str = "王小明", phone: str = "19900001001") -> None:
    """Bind by name, phone and the code that a demonstration shows on the page."""
    page.goto(f"{site.url}/m/bind")
    page.locator("#name").fill(name)
    page.locator("#phone").fill(phone)
    take_code(page)
    page.get_by_label(re.compile("不定位，我声明")).check()
    page.get_by_label(re.compile("我同意按")).check()
    page.get_by_role("button", name="绑定", exact=True).click()
    page.wait_for_url("**/m/**")


def take_code(page: Page) -> None:
    """Ask for the SMS code and type what the page shows."""
    page.get_by_role("button", name="获取验证码").click()
    shown = page.locator("[data-demo-code]")
    expect(shown).to_have_text(re.compile(r"^\d{6}$"), timeout=20_000)
    page.locator("#code").fill(shown.inner_text())


def bind_clerk(page: Page, site: Site, code: str, phone: str = "19900002001", name: str = "李店员") -> None:
    """Bind a clerk by the one-time code."""
    page.goto(f"{site.url}/shop/bind")
    page.locator("#once").fill(code)
    page.locator("#name").fill(name)
    page.locator("#phone").fill(phone)
    take_code(page)
    page.get_by_label(re.compile("我知道")).check()
    page.get_by_role("button", name="绑定", exact=True).click()
    page.wait_for_url("**/shop/**")


def draw(page: Page, site: Site, category: str) -> str:
    """Turn the wheel and return what was won, in yuan as the page says it."""
    page.goto(f"{site.url}/m/draw/{category}")
    page.locator("[data-go]").click()
    prize = page.locator("[data-prize]")
    expect(prize).to_be_visible(timeout=20_000)
    return prize.locator("[data-r=face]").inner_text()


def qr_on(page: Page) -> str:
    """Read the QR from a screenshot of the page, as a clerk's phone would."""
    picture = Image.open(io.BytesIO(page.screenshot()))
    [found] = zxingcpp.read_barcodes(picture)
    return found.text


def log_in(page: Page, site: Site, username: str) -> None:
    """Log in at the back office with the demonstration's own account."""
    page.goto(f"{site.url}/admin/login/")
    page.locator("[name=username]").fill(username)
    page.locator("[name=password]").fill((settings.VAR_DIR / "keys" / "demo_password").read_text().strip())
    page.locator("[type=submit]").first.click()
    page.wait_for_url("**/admin/")


def hand_in_plan(page: Page) -> None:
    """Hand the county's four workbooks in on the page for it, and come to where the plan is reviewed."""
    for name in ("活动设置", "活动时间", "附件1", "附件2"):
        page.get_by_label(re.compile(name)).set_input_files(next(PLAN.glob(f"{name}*.xlsx")))
    page.get_by_role("button", name="核对").click()
    page.get_by_role("button", name="认可并导入").wait_for()


def download_uses(page: Page, site: Site, folder: Path) -> Path:
    """Ask for 优惠券使用 as Excel, follow it until the worker has written it, and download it."""
    page.goto(f"{site.url}/admin/merchants/redemption/")
    page.get_by_role("link", name="导出 Excel").click()
    page.get_by_role("button", name="开始导出").click()
    ready = page.get_by_role("link", name=re.compile("下载 Excel"))
    ready.wait_for(timeout=30_000)
    with page.expect_download() as taken:
        ready.click()
    saved = folder / taken.value.suggested_filename
    taken.value.save_as(saved)
    return saved
