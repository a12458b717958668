"""The code on the screen: two decoders of different origin read it, and no old, foreign or spent one is accepted."""

from __future__ import annotations

import datetime as dt
import io
import uuid

import cv2
import numpy as np
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page

from coupons import consumers, lifecycle
from coupons.models import Coupon
from huigou import clock
from merchants.models import Redemption
from tests import factories
from tests.chromium import Opener
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)
SMALL = {"width": 320, "height": 640}
PICTURES = 10  # of each kind


def read_by_zxing(picture: bytes) -> str:
    [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    return found.text


def read_by_opencv(picture: bytes) -> str:
    text, *_ = cv2.QRCodeDetector().detectAndDecode(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR))
    return str(text)


def screenshot(site: Site, page: Page, coupon: Coupon) -> bytes:
    """Return what the holder's phone shows."""
    page.goto("about:blank")  # the coupon before asks on by itself, and must not with the next one's cookie
    cookie = {"name": consumers.COOKIE, "value": consumers.cookie_of(coupon.holder), "url": site.url}
    page.context.add_cookies([cookie])
    page.goto(f"{site.url}/m/coupons/{coupon.pk}", wait_until="domcontentloaded")
    page.wait_for_selector("[data-qr] path[d^=M]", state="attached")
    return page.screenshot()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_two_decoders_read_the_code_from_a_small_screen(county, wang, site: Site, opened: Opener, scheme: str) -> None:
    coupon = factories.drawn(county, wang)
    picture = screenshot(site, opened(viewport=SMALL, color_scheme=scheme).new_page(), coupon)
    read = read_by_zxing(picture)
    assert read.startswith(f"{site.url}/shop/c/")
    assert read_by_opencv(picture) == read


def test_of_forty_screenshots_that_should_not_count_none_does(at, site: Site, opened: Opener, phone_of) -> None:  # type: ignore[no-untyped-def]
    """Ten a minute and a second old, ten at another shop, ten of another category, ten spent: 0 of 40 accepted.

    Each picture is shown twice: what one shop may not take, another is shown when it is spent or old.
    """
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 200, ("book", 50): 200})
    lifecycle.deal(county.rounds[0].pk)
    now = at("2022-06-25 09:05")
    diner = factories.a_clerk(factories.a_merchant(county, ["dining"]))
    bookseller = factories.a_clerk(factories.a_merchant(county, ["book"]))
    suspended = factories.a_clerk(factories.a_merchant(county, ["dining"], state="suspended", state_reason="整改"))
    refused: list[str] = []
    page = opened(viewport=SMALL).new_page()

    def present(picture: bytes, clerk) -> None:  # type: ignore[no-untyped-def]
        token = read_by_zxing(picture).rsplit("/", 1)[1]
        body = {"token": token, "key": str(uuid.uuid4())}
        answer = phone_of(clerk).post("/api/v1/scans", body, content_type="application/json").json()
        refused.append(answer.get("code", "accepted"))

    def shots(category: str) -> list[tuple[Coupon, bytes]]:
        coupons = factories.drawn_by_many(county, factories.some_consumers(PICTURES), category)
        return [(coupon, screenshot(site, page, coupon)) for coupon in coupons]

    dinners, books = shots("dining"), shots("book")
    for _, picture in dinners:
        present(picture, suspended)
    for _, picture in books:
        present(picture, diner)
    for coupon, picture in dinners:
        factories.used(coupon, diner)
        present(picture, diner)
    at(now + dt.timedelta(seconds=61))
    for _, picture in books:
        present(picture, bookseller)
    assert {code: refused.count(code) for code in refused} == {
        "merchant_not_active": PICTURES,
        "wrong_merchant": PICTURES,
        "coupon_used": PICTURES,
        "code_stale": PICTURES,
    }
    # The same clerks and a fresh picture: the refusals above are not a scanner that refuses everything.
    present(screenshot(site, page, books[0][0]), bookseller)
    assert refused[-1] == "accepted"
    assert Redemption.objects.pending().count() == 1
    assert clock.now() == now + dt.timedelta(seconds=61)
