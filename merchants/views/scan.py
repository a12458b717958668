"""扫码: the scan page, and what the QR's link opens."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from coupons.codes import Presented
from coupons.lifecycle import freezing
from coupons.models import Campaign, Coupon
from huigou import arriving, clock
from huigou.errors import Refusal
from huigou.money import short_yuan
from merchants import binding, presenting, redemption
from merchants.models import Clerk, Redemption
from merchants.views import wechat
from merchants.views.page import refusal_page, shop_page

# Refusals that one more field on the same page can lift.
LIFTED_BY = {"second_coupon": "another", "same_receipt": "another", "paper_digits": "paper"}


def request_key(text: str | None) -> uuid.UUID | None:
    """Return a form's or script's request number, None when it has none."""
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        return None


@require_http_methods(["GET", "HEAD", "POST"])
def scan(request: HttpRequest) -> HttpResponse:
    """Show camera, photo and short code; a posted short code (a page without scripts) is scanned."""
    clerk = binding.current(request)
    if clerk is None:
        return redirect("shop-bind")
    if request.method == "POST":
        try:
            presented = redemption.token_from_short(clerk, request.POST.get("short_code", ""))
            done = redemption.scan(clerk, presented)
        except Refusal as refusal:
            return refusal_page(request, clerk, refusal)
        return redirect("shop-entry", done.pk)
    pending = Redemption.objects.pending().filter(outlet_id=clerk.outlet_id).order_by("entry_until")
    dues = list(pending.values_list("entry_until", flat=True)[:100])
    since, now = freezing.frozen_since(clerk.outlet.merchant.campaign_id), clock.now()
    first_due = min((freezing.extended(due, since, now) for due in dues), default=None)
    response = shop_page(
        request,
        "shop/scan.html",
        clerk=clerk,
        tab="scan",
        pending=len(dues),
        first_due=first_due,
        now=now,
        frozen=since is not None,
        wx_script=arriving.script_for(request),
    )
    return arriving.allow_script(request, response)


@require_http_methods(["GET", "HEAD", "POST"])
def coupon(request: HttpRequest, token: str) -> HttpResponse:
    """Show a presented coupon to a bound clerk, whose POST locks it; anybody else is sent to a shop."""
    clerk = binding.current(request)
    if clerk is None and request.method != "POST" and (way := wechat.recognise(request, request.get_full_path())):
        return way  # 扫一扫 opens the link in WeChat's browser, which may have lost the clerk's cookie
    if clerk is None:
        return shop_page(
            request, "shop/coupon.html", clerk=None, campaign=Campaign.objects.current(), status=_stranger(request)
        )
    now = clock.now()
    try:
        # A claim of an earlier look outlives the code; without one the code itself must be fresh.
        claimed = presenting.from_claim(clerk, request.POST.get("claim") or request.GET.get("claim") or "", now)
        presented = claimed or redemption.coupon_from_token(token)
        if request.method == "POST":
            return _lock(request, clerk, token, presented)
        row = presenting.coupon_of(presented)
        if (open_scan := presenting.pending_here(clerk, row)) is not None:
            return redirect("shop-entry", open_scan.pk)
        refusal = presenting.foresee(clerk, presented, row)
    except Refusal as refused:
        return refusal_page(request, clerk, refused)
    if refusal is not None:
        return refusal_page(request, clerk, refusal)
    return _shown(request, clerk, presented, row, asks=request.GET.get("asks", ""))


def _stranger(request: HttpRequest) -> int:
    """Return 200 for a look and 401 for an attempt to lock by somebody who is no clerk."""
    return 401 if request.method == "POST" else 200


def _lock(request: HttpRequest, clerk: Clerk, token: str, presented: Presented) -> HttpResponse:
    options = redemption.ScanOptions(
        another_purchase=request.POST.get("another") == "1",
        receipt_no=request.POST.get("receipt_no", ""),
        paper_last4=request.POST.get("paper_last4", ""),
        request_key=request_key(request.POST.get("key")),
    )
    try:
        done = redemption.scan(clerk, presented, options)
    except Refusal as refusal:
        asks = LIFTED_BY.get(refusal.code)
        if asks is None:
            raise
        row = presenting.coupon_of(presented)
        return _shown(request, clerk, presented, row, asks=asks, refusal=refusal)
    return redirect("shop-entry", done.pk)


def _shown(
    request: HttpRequest, clerk: Clerk, presented: Presented, row: Coupon, *, asks: str, refusal: Refusal | None = None
) -> HttpResponse:
    now = clock.now()
    category = row.batch.category
    return shop_page(
        request,
        "shop/coupon.html",
        clerk=clerk,
        now=now,
        status=refusal.status if refusal else 200,
        refusal=refusal,
        coupon={
            "category_code": category.code,
            "category": category.name,
            "face": short_yuan(row.face_fen),
            "threshold": short_yuan(row.threshold_fen),
            "expires_at": row.expires_at,
            "holder": row.holder.person.masked_name,
        },
        claim=presenting.claim(clerk, presented, now),
        key=str(uuid.uuid4()),
        needs_another=asks == "another",
        needs_digits=presented.is_paper,
    )


def page_that_asks(clerk: Clerk, presented: Presented, token: str, refusal: Refusal) -> str:
    """Return the address of the page that asks for what would lift a refusal, '' when nothing would."""
    asks = LIFTED_BY.get(refusal.code)
    if asks is None:
        return ""
    note = presenting.claim(clerk, presented, clock.now())
    return f"{reverse('shop-coupon', args=[token or 'x'])}?asks={asks}&claim={note}"
