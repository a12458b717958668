"""Which lists can be exported."""

from __future__ import annotations

from coupons import desk as coupon_desk
from coupons import station_desk
from huigou.listing import Listing
from huigou.staff_list import StaffList
from merchants import attempt_desk
from merchants import desk as merchant_desk
from reports.desk import Freezes, Lines, Settlements
from reports.figures import ShopFigures
from reports.trail import Trail

LISTS: dict[str, type[Listing]] = {
    listing.code: listing
    for listing in (
        ShopFigures,
        merchant_desk.Uses,
        merchant_desk.Coupons,
        coupon_desk.Consumers,
        merchant_desk.Merchants,
        coupon_desk.Batches,
        coupon_desk.Changes,
        coupon_desk.Rounds,
        coupon_desk.Categories,
        coupon_desk.Notices,
        station_desk.Stations,
        station_desk.Assists,
        coupon_desk.Reveals,
        merchant_desk.Clerks,
        merchant_desk.Complaints,
        merchant_desk.Inspections,
        attempt_desk.Attempts,
        coupon_desk.Exclusions,
        coupon_desk.Campaigns,
        merchant_desk.Outlets,
        Freezes,
        Settlements,
        Lines,
        StaffList,
        Trail,
    )
}
