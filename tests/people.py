"""The standing people of the tests: citizen 王, clerk 李, stranger 赵, and the departments' staff."""

from __future__ import annotations

import pytest

from coupons.models import Consumer
from huigou.models import Department, Staff
from merchants.models import Clerk, Merchant
from tests import factories


@pytest.fixture
def bureau(db: None) -> Staff:
    """工信局, who makes most changes."""
    return factories.a_staff(Department.INDUSTRY)


@pytest.fixture
def finance(db: None) -> Staff:
    """财政局."""
    return factories.a_staff(Department.FINANCE)


@pytest.fixture
def auditor(db: None) -> Staff:
    """审计局."""
    return factories.a_staff(Department.AUDIT)


@pytest.fixture
def leaders(db: None) -> Staff:
    """领导小组."""
    return factories.a_staff(Department.LEADERS)


@pytest.fixture
def county(db: None, at) -> factories.County:  # type: ignore[no-untyped-def]
    """A small campaign, live and dealt, at five past nine of its first day."""
    from coupons import lifecycle

    at("2022-06-25 08:30")
    made = factories.a_county()
    lifecycle.deal(made.rounds[0].pk)
    at("2022-06-25 09:05")
    return made


@pytest.fixture
def wang(county: factories.County) -> Consumer:
    """Citizen 王."""
    return factories.a_consumer("王小明")


@pytest.fixture
def zhao(county: factories.County) -> Consumer:
    """Stranger 赵."""
    return factories.a_consumer("赵生")


@pytest.fixture
def shop(county: factories.County) -> Merchant:
    """The hot-pot place that takes part in every category."""
    return factories.a_merchant(county, name="乾安火锅店")


@pytest.fixture
def li(shop: Merchant) -> Clerk:
    """Clerk 李 of the hot-pot place."""
    return factories.a_clerk(shop, "李店员")
