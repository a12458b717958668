"""遇到问题: a consumer's complaint about a shop."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from coupons import consumers
from coupons.models import Campaign
from coupons.views.coupons import loaded, shown
from coupons.views.page import me_of, nothing_yet, page
from huigou import clock
from huigou.errors import Refusal
from merchants import complaints
from merchants.models import Merchant

SHOWN = 20


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


@require_http_methods(["GET", "HEAD", "POST"])
def problem(request: HttpRequest) -> HttpResponse:
    """Show the form and what became of earlier complaints, or take one in."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    consumer = consumers.current(request)
    entered = request.POST if request.method == "POST" else request.GET
    merchant_id, coupon_id = _number(entered.get("merchant")), _number(entered.get("coupon"))
    refusal = None
    if request.method == "POST":
        try:
            complaints.file(consumers.required(request), merchant_id, entered.get("text", ""), coupon_id or None)
        except Refusal as refused:
            refusal = refused
        else:
            messages.success(request, "已提交，处理结果会显示在本页")
            return redirect("m-problem")
    now = clock.now()
    coupon = loaded(consumer).filter(pk=coupon_id).first() if consumer and coupon_id else None
    about = next((use.merchant_id for use in coupon.redemptions.all()), 0) if coupon else 0
    return page(
        request,
        "m/problem.html",
        now=now,
        status=refusal.status if refusal else 200,
        campaign=campaign,
        me=me_of(consumer),
        refusal=refusal,
        merchants=Merchant.objects.filter(campaign=campaign).exclude(state=Merchant.State.APPLIED).only("name"),
        chosen=merchant_id or about,
        text=entered.get("text", ""),
        coupon=shown(coupon, now) if coupon else None,
        complaints=complaints.mine(consumer)[:SHOWN] if consumer else [],
    )
