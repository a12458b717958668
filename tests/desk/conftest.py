"""A county whose coupons are in every state, and the bureau's browser."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest
from django.test import Client

from coupons import lifecycle
from coupons.models import Consumer, Coupon
from huigou.models import Staff
from merchants import redemption
from merchants.models import Clerk, Merchant
from tests import factories
from tests.redemption.ground import held

HOSTILE = [
    "😀🎉家有喜事",
    '小"王"\'s',
    "<b>粗</b><script>alert(1)</script>",
    '=HYPERLINK("http://x","点我")',
    "+86 你好",
    "???",
    "",
]


@pytest.fixture
def desk(bureau: Staff) -> Client:
    """The browser of 工信局, logged in."""
    client = Client()
    client.force_login(bureau, "django.contrib.auth.backends.ModelBackend")
    return client


@dataclass
class Scene:
    """Two rounds on: coupons unused, sent, used, lapsed and forfeited, at two shops."""

    county: factories.County
    shops: list[Merchant]
    clerks: list[Clerk]
    folk: list[Consumer]
    now: dt.datetime

    def more(self, count: int) -> list[Coupon]:
        """Let some more people draw and spend a fuel coupon each in round 2."""
        coupons = [held(self.county, person, "fuel", 2) for person in factories.some_consumers(count)]
        for coupon in coupons:
            factories.used(coupon, self.clerks[1])
        return coupons


@pytest.fixture
def scene(db: None, at) -> Scene:  # type: ignore[no-untyped-def]
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 60, ("dining", 200): 20, ("fuel", 50): 100})
    lifecycle.sweep()
    at("2022-06-25 09:05")
    shops = [factories.a_merchant(county, name="乾安火锅店", stat_status="listed")]
    shops.append(factories.a_merchant(county, name="乾安加油站"))
    clerks = [factories.a_clerk(shop, f"李店员{place}") for place, shop in enumerate(shops)]
    folk = [factories.a_consumer("王小明", wechat_name=name) for name in HOSTILE]
    first = [held(county, person, "dining") for person in folk]
    factories.used(first[0], clerks[0], first[0].threshold_fen + 1800)
    factories.scanned(first[1], clerks[0])  # never entered: the shop gives its subsidy up
    now = at("2022-07-01 10:00")
    redemption.forfeit_overdue()
    lifecycle.sweep()
    second = [held(county, person, "dining", 2) for person in folk]
    factories.used(second[0], clerks[0], second[0].threshold_fen + 6200)
    factories.scanned(second[1], clerks[0])
    now = at("2022-07-01 11:30")
    factories.used(held(county, folk[2], "fuel", 2), clerks[1])
    return Scene(county, shops, clerks, folk, now)
