"""Names under which figures that stand in no table of their own have a page."""

from __future__ import annotations

from coupons.models import Campaign
from merchants.models import Merchant


class ShopFigures(Merchant):
    """商家统计 as a page: its lines are sums, its right is its own."""

    class Meta:
        proxy = True
        verbose_name = verbose_name_plural = "商家统计"


class Reallocation(Campaign):
    """品类调整 as a page of a campaign."""

    class Meta:
        proxy = True
        verbose_name = verbose_name_plural = "品类调整"


class Closing(Campaign):
    """活动结账 as a page of a campaign."""

    class Meta:
        proxy = True
        verbose_name = verbose_name_plural = "活动结账"
