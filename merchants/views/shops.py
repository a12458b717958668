"""适用商家: where coupons can be spent, with each shop's status and reason."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from coupons.models import Campaign, Category
from coupons.views.page import nothing_yet, page
from huigou import clock
from merchants.models import Merchant, Outlet


def shops_of(campaign: Campaign, category: Category | None) -> list[dict[str, Any]]:
    """Return every place of every listed firm, those taking part first; three queries, however many."""
    rows = Merchant.objects.filter(campaign=campaign).order_by("seq", "pk")
    if category is not None:
        rows = rows.filter(categories=category)
    rows = rows.prefetch_related("categories", Prefetch("outlets", Outlet.objects.order_by("pk")))
    found = [_shop(merchant, outlet) for merchant in rows for outlet in list(merchant.outlets.all()) or [None]]
    return sorted(found, key=lambda shop: not shop["active"])


def _shop(merchant: Merchant, outlet: Outlet | None) -> dict[str, Any]:
    active = merchant.state == Merchant.State.ACTIVE and outlet is not None and outlet.is_active
    text = (
        "参加中" if active else "暂未营业" if merchant.state == Merchant.State.ACTIVE else merchant.get_state_display()
    )
    phone = (outlet.phone if outlet else "") or merchant.phone
    position = outlet.position if outlet else None
    return {
        "name": outlet.name if outlet else merchant.name,
        "merchant": merchant.name,
        "categories": "、".join(category.name for category in merchant.categories.all()),
        "active": active,
        "state_text": text,
        "pill": "pill-live" if active else "pill-stop",
        "reason": merchant.state_reason or ("站点列明后参加" if merchant.is_collective and outlet is None else ""),
        "offer": merchant.offer,
        "address": (outlet.address if outlet else "") or merchant.address,
        "hours": outlet.hours if outlet else "",
        "phone": phone,
        "tel": re.sub(r"[^0-9+]", "", phone),
        "lat": f"{position.lat:.6f}" if position else "",
        "lng": f"{position.lng:.6f}" if position else "",
    }


@require_safe
def merchants(request: HttpRequest) -> HttpResponse:
    """List the shops, all or of one category; readable without binding."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    categories = list(Category.objects.filter(campaign=campaign, is_active=True))
    chosen = next((each for each in categories if each.code == request.GET.get("category")), None)
    shops = shops_of(campaign, chosen)
    return page(
        request,
        "m/merchants.html",
        now=clock.now(),
        tab="merchants",
        campaign=campaign,
        categories=categories,
        category=chosen,
        shops=shops,
        active_count=sum(shop["active"] for shop in shops),
    )
