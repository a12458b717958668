"""What a phone itself does: the opening without a reload, the nearest shop first, a screen that stays awake."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from typing import Any

import pytest
import qrcode
from playwright.sync_api import Route

from coupons import codes, consumers, lifecycle, lottery
from coupons.models import Campaign, Consumer, Draw
from huigou import clock, geo
from merchants import binding
from merchants.models import Clerk, Merchant, Outlet
from tests import factories
from tests.chromium import Opener
from tests.every_page import crowd
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)


def as_(who: Consumer | Clerk, site: Site) -> list[dict[str, str]]:
    module: Any = consumers if isinstance(who, Consumer) else binding
    return [{"name": module.COOKIE, "value": module.cookie_of(who), "url": site.url}]


def test_at_nine_the_button_works_without_a_reload_however_late_the_scripts_come(
    at, site: Site, opened: Opener
) -> None:
    at("2022-06-25 08:30")
    county = factories.a_county()
    lifecycle.deal(county.rounds[0].pk)
    opens_at = county.rounds[0].opens_at
    at(opens_at - dt.timedelta(milliseconds=200))
    phone = opened()
    phone.add_cookies(as_(factories.a_consumer(), site))
    page = phone.new_page()

    def late(route: Route) -> None:  # the page was opened before nine, its scripts come after it
        time.sleep(0.4)
        route.continue_()

    page.route(re.compile(r"/js/draw[^/]*[.]js"), late)
    answer = page.goto(f"{site.url}/m/draw/dining")
    assert answer is not None
    assert "未开始" in answer.text()
    at(opens_at + dt.timedelta(seconds=1))
    page.evaluate("window.stillThisPage = true")
    page.locator("button[data-go]:not([disabled])").click()
    page.locator("[data-prize]:not([hidden])").wait_for()
    assert page.evaluate("window.stillThisPage")
    assert Draw.objects.count() == 1


def test_a_registration_opens_by_itself_and_its_result_comes_by_itself(at, site: Site, opened: Opener) -> None:
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 8}, draw_mode=Campaign.DrawMode.LOTTERY)
    first = county.rounds[0]
    lifecycle.deal(first.pk)
    at(first.opens_at - dt.timedelta(milliseconds=200))
    phone = opened()
    phone.add_cookies(as_(factories.a_consumer(), site))
    page = phone.new_page()
    page.add_init_script("Math.random = () => 0")  # else pages spread over six seconds
    page.goto(f"{site.url}/m/register/dining")
    page.evaluate("window.stillThisPage = true")
    at(first.opens_at + dt.timedelta(seconds=1))
    page.locator("button[data-go]:not([disabled])").wait_for()
    assert page.evaluate("window.stillThisPage")
    page.locator("button[data-go]").click()
    page.get_by_role("heading", name="已报名").wait_for()
    ends_at = lottery.ends_at(first)
    at(ends_at - dt.timedelta(milliseconds=200))
    page.reload()
    at(ends_at + dt.timedelta(seconds=1))
    page.get_by_role("heading", name="恭喜，摇中了").wait_for()
    assert Draw.objects.count() == 1


HURRY = "const real = setTimeout; window.setTimeout = (deed, ms, ...more) => real(deed, ms / 20, ...more);"


def test_a_page_that_waits_for_nothing_any_more_leads_on_by_itself(county, wang, site: Site, opened: Opener) -> None:
    phone = opened()
    phone.add_init_script(HURRY)
    phone.add_cookies(as_(wang, site))
    page = phone.new_page()
    with crowd(county.rounds[0].pk):
        page.goto(f"{site.url}/m/wait?next=/m/draw/dining")
        page.get_by_text("第 9,413 位").wait_for()
        phone.clear_cookies()  # withdrawn on another phone, or the round is over: the line does not answer any more
        page.wait_for_url("**/m/bind?next=/m/wait")


PLACES = {"远店": (45.30, 124.30), "近店": (45.004, 124.0), "停业店": (45.001, 124.0), "中店": (45.05, 124.0)}
# One is read off a map that is half a kilometre aside: taken as it stands it would be 770 m away.
ON_A_MAP = {"近店": geo.to_gcj02(124.0, 45.004)}


def test_shops_stand_by_distance_and_the_position_stays_on_the_phone(county, site: Site, opened: Opener) -> None:
    for name, (latitude, longitude) in PLACES.items():
        lng, lat = ON_A_MAP.get(name, (longitude, latitude))
        where = {
            "latitude": round(lat, 6),
            "longitude": round(lng, 6),
            "datum": "GCJ-02" if name in ON_A_MAP else "WGS-84",
        }
        state = Merchant.State.SUSPENDED if name == "停业店" else Merchant.State.ACTIVE
        shop = factories.a_merchant(county, name=name, state=state, state_reason="整改" if name == "停业店" else "")
        Outlet.objects.filter(merchant=shop).update(name=name, **where)
        Outlet.objects.filter(merchant=shop).update(address="某街 1 号", hours="9:00–21:00", phone="0438-0000168")
    page = opened(geolocation={"latitude": 45.0, "longitude": 124.0}, permissions=["geolocation"]).new_page()
    asked: list[str] = []
    page.goto(f"{site.url}/m/merchants")
    page.on("request", lambda request: asked.append(request.url))
    page.click("[data-near]")
    page.get_by_text("已按直线距离排列").wait_for()
    assert page.locator("[data-shops] h2").all_inner_texts() == ["近店", "中店", "远店", "停业店"]
    nearest = page.locator("[data-shops] li").first
    for said in ("约 450 米", "某街 1 号", "9:00–21:00", "参加中"):
        assert said in nearest.inner_text()
    assert nearest.locator("a").get_attribute("href") == "tel:04380000168"
    assert "整改" in page.locator("[data-shops] li").last.inner_text()
    assert [url for url in asked if "/static/" not in url] == []


COUNTED = """
window.awake = 0;
const real = navigator.wakeLock.request.bind(navigator.wakeLock);
navigator.wakeLock.request = async (kind) => { const lock = await real(kind); window.awake += 1; return lock; };
"""


def test_the_screen_is_kept_awake_while_the_code_is_shown_and_only_then(
    county, wang, zhao, li, site: Site, opened: Opener
) -> None:
    phone = opened()
    phone.add_init_script(COUNTED)
    held = factories.drawn(county, wang)
    page = phone.new_page()
    phone.add_cookies(as_(wang, site))
    page.goto(f"{site.url}/m/coupons/{held.pk}")
    page.wait_for_function("window.awake === 1")
    used = factories.used(factories.drawn(county, zhao), li, 40_000)
    phone.add_cookies(as_(zhao, site))
    page.goto(f"{site.url}/m/coupons/{used.pk}")
    page.wait_for_timeout(300)
    assert page.evaluate("window.awake") == 0


# A machine without a camera: what the camera would see is drawn, and a browser's own decoder says what it would read.
CAMERA = """
const rows = %s, canvas = document.createElement("canvas"), step = 8;
canvas.width = canvas.height = rows.length * step;
const pen = canvas.getContext("2d");
setInterval(() => {
  pen.fillStyle = "#fff"; pen.fillRect(0, 0, canvas.width, canvas.height); pen.fillStyle = "#000";
  rows.forEach((row, y) => row.forEach((on, x) => on && pen.fillRect(x * step, y * step, step, step)));
}, 100);
navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(10);
"""
OWN_DECODER = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code"]; }
  async detect() { return [{ rawValue: %s }]; }
};
"""


@pytest.mark.parametrize("decoder", ["the browser's own", "the server's"])
def test_the_camera_reads_by_the_browsers_decoder_or_else_by_the_servers(
    county, wang, li, site: Site, opened: Opener, decoder: str
) -> None:
    link = f"{site.url}/shop/c/{codes.show(factories.drawn(county, wang).pk, clock.now()).token}"
    seen = qrcode.QRCode(border=4)
    seen.add_data(link)
    counter = opened()
    counter.add_init_script(CAMERA % json.dumps(seen.get_matrix()))
    own = decoder == "the browser's own"
    counter.add_init_script(OWN_DECODER % json.dumps(link) if own else "delete window.BarcodeDetector")
    counter.add_cookies(as_(li, site))
    page, frames = counter.new_page(), []
    page.on("request", lambda request: frames.append(request.url) if "/scans/photo" in request.url else None)
    page.goto(f"{site.url}/shop/scan")
    page.click("[data-open-camera]")
    page.wait_for_url("**/shop/redemptions/*")
    assert bool(frames) is not own
