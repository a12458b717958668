"""Inside WeChat in a real Chromium: there and back unasked, its position and its scanner, under the strict policy."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from coupons import codes, consumers, lifecycle
from coupons.models import Consumer
from huigou import clock, geo
from merchants import binding
from merchants.models import Redemption
from tests import factories
from tests.chromium import PHONE
from tests.leafs.loopback import FakeWeChat, an_account
from tests.people_data.conftest import SECRET
from tests.people_data.test_wechat_pages import INSIDE
from tests.serving import free_port, running, wait_for, web
from tests.targets import too_small

pytestmark = pytest.mark.django_db(transaction=True)
SKETCH = Path(__file__).resolve().parents[2] / "coupons" / "demo_plan" / "county.geojson"


@pytest.fixture
def account(settings, monkeypatch) -> Iterator[FakeWeChat]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with an_account(settings, SECRET) as server:
        yield server


@pytest.fixture
def address(transactional_db, database_environment, static_files, account) -> Iterator[str]:
    """Serve the pages to phones inside WeChat, from a process that knows WeChat by its settings alone."""
    port = free_port()
    environment = {
        **database_environment,
        "WECHAT_APP_ID": account.app_id,
        "WECHAT_APP_SECRET": SECRET,
        "WECHAT_API_BASE": account.base,
        "WECHAT_OPEN_BASE": account.base,
        "WECHAT_JSSDK_URL": f"{account.base}/open/js/jweixin.js",
    }
    with running(web(port), environment):
        wait_for(f"http://127.0.0.1:{port}/readyz")
        yield f"http://127.0.0.1:{port}"


def test_the_walk_inside_wechat(browser, address, account):
    county = factories.a_county(
        opens_at=clock.now() - dt.timedelta(hours=1),
        boundary=json.loads(SKETCH.read_text()),
        place_policy="required",
    )
    lifecycle.deal(county.rounds[0].pk)
    lng, lat = geo.to_gcj02(124.0, 45.0)
    account.location = {"longitude": lng, "latitude": lat, "accuracy": 20}
    context = browser.new_context(viewport=PHONE, locale="zh-CN", user_agent=INSIDE)
    page = context.new_page()
    page.set_default_timeout(10_000)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if "Content Security Policy" in m.text else None)
    try:
        page.goto(f"{address}/m/bind?next=/m/coupons")
        page.get_by_text("已通过微信进入").wait_for()
        assert too_small(page) == []
        page.click("[data-locate]")
        page.get_by_text("已取得位置").wait_for()
        given = page.evaluate("window.wxGiven")
        plain = f"jsapi_ticket=K-{account.token}&noncestr={given['nonceStr']}&timestamp={given['timestamp']}"
        plain += f"&url={address}/m/bind?next=/m/coupons"
        assert given["signature"] == hashlib.sha1(plain.encode()).hexdigest()  # noqa: S324 (WeChat's algorithm)
        assert (given["appId"], given["jsApiList"]) == (account.app_id, ["getLocation"])
        page.fill("[name=name]", "王小明")
        page.fill("[name=phone]", "19900004321")
        page.click("[data-send-code]")
        page.wait_for_selector("[data-demo]:not([hidden])")
        page.fill("[name=code]", page.inner_text("[data-demo-code]"))
        page.check("[name=consent]")
        page.click("form button:text-is('绑定')")
        page.get_by_text("已确认您在乾安县内").wait_for()
        assert page.url.partition("#")[0] == f"{address}/m/coupons"
        wang = Consumer.objects.get()
        assert (wang.openid, wang.place) == ("o-wang", "inside")
        assert [cookie["name"] for cookie in context.cookies() if cookie["name"] == consumers.COOKIE]

        page.goto(f"{address}/m/privacy")
        page.get_by_role("link", name="登记", exact=True).wait_for()
        assert too_small(page) == []
        coupon = factories.drawn(county, wang)
        clerk = factories.a_clerk(factories.a_merchant(county, name="乾安火锅店"))
        context.add_cookies([{"name": binding.COOKIE, "value": binding.cookie_of(clerk), "url": address}])
        account.scanned = f"{address}/shop/c/{codes.show(coupon.pk, clock.now()).token}"
        page.goto(f"{address}/shop/scan")
        page.click("[data-open-camera]")
        page.wait_for_url("**/shop/redemptions/*")
        assert Redemption.objects.get().coupon_id == coupon.pk
    finally:
        context.close()
    assert troubles == []
