"""录入: amount and kind of a scanned coupon, its recall, and the list of a day."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.contrib import messages
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from coupons.ledger import Actor
from coupons.lifecycle import freezing
from coupons.models.books import ActorKind
from huigou import clock
from huigou.errors import Refusal
from huigou.money import parse_yuan, short_yuan, yuan
from merchants import binding, redemption
from merchants.errors import NO_REDEMPTION
from merchants.models import Clerk, Redemption
from merchants.views.page import refusal_page, shop_page, shown, window_of
from merchants.views.scan import request_key

QUICK_NUMBERS = 7  # buttons for 1 to 7 diners or nights; more are typed
SOON = dt.timedelta(hours=2)
FIELDS = ("amount", "kind", "kind_more", "note", "receipt_no", "payment")


def rows_of(clerk: Clerk) -> QuerySet[Redemption]:
    """Return the redemptions of a clerk's outlet with all that ``shown`` needs."""
    rows = Redemption.objects.filter(outlet_id=clerk.outlet_id)
    return rows.select_related("category", "consumer__person", "clerk__person")


def one(clerk: Clerk, redemption_id: int) -> Redemption:
    """Return one redemption of the clerk's outlet; raises NO_REDEMPTION."""
    row = rows_of(clerk).filter(pk=redemption_id).first()
    if row is None:
        raise NO_REDEMPTION()
    return row


def entry_from(values: Any) -> redemption.Entry:
    """Return what a form or a script entered; raises BAD_INPUT for an amount that is none."""
    kind = values.get("kind") or ""
    return redemption.Entry(
        amount_fen=parse_yuan(values.get("amount") or "", what="消费金额"),
        kind=values.get("kind_more") or "" if kind == "more" else kind,
        note=values.get("note") or "",
        receipt_no=values.get("receipt_no") or "",
        payment=values.get("payment") or "",
        request_key=request_key(str(values.get("key") or "")),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def entry(request: HttpRequest, redemption_id: int) -> HttpResponse:
    """Show the entry form; a posted one (a page without scripts) is entered."""
    clerk = binding.current(request)
    if clerk is None:
        return redirect("shop-bind")
    refusal = None
    if request.method == "POST":
        try:
            redemption.complete(clerk, redemption_id, entry_from(request.POST))
            return redirect("shop-done", redemption_id)
        except Refusal as refused:
            refusal = refused
    try:
        row = one(clerk, redemption_id)
    except Refusal as refused:
        return refusal_page(request, clerk, refused)
    if row.state == Redemption.State.USED:
        return redirect("shop-done", row.pk)
    if row.state != Redemption.State.PENDING:
        return refusal_page(request, clerk, NO_REDEMPTION())
    return _form(request, clerk, row, refusal)


def _form(request: HttpRequest, clerk: Clerk, row: Redemption, refusal: Refusal | None) -> HttpResponse:
    category, now = row.category, clock.now()
    since = freezing.frozen_since(clerk.outlet.merchant.campaign_id)
    values = {name: request.POST.get(name, "") for name in FIELDS}
    values["receipt_no"] = values["receipt_no"] or row.receipt_no
    return shop_page(
        request,
        "shop/entry.html",
        clerk=clerk,
        status=refusal.status if refusal else 200,
        refusal=refusal,
        now=now,
        redemption=shown(row) | window_of(row.entry_until, since, now),
        kind={
            "label": category.kind_label,
            "type": category.kind_type,
            "choices": category.kind_choices,
            "unit": category.kind_unit,
            "quick": [str(n) for n in range(1, QUICK_NUMBERS + 1)],
        },
        values=values,
        key=str(uuid.uuid4()),
        asks_payment=category.cashless,
        payments=Redemption.Payment.choices[1:],
        recall_url=reverse("shop-recall", args=[row.pk]),
        entry_page={
            "id": row.pk,
            "threshold_fen": row.threshold_fen,
            "face_fen": row.face_fen,
            "kind_label": category.kind_label,
            "asks_payment": category.cashless,
        },
    )


@require_safe
def done(request: HttpRequest, redemption_id: int) -> HttpResponse:
    """Show what was entered."""
    clerk = binding.current(request)
    if clerk is None:
        return redirect("shop-bind")
    row = one(clerk, redemption_id)
    if row.state == Redemption.State.PENDING:
        return redirect("shop-entry", row.pk)
    return shop_page(request, "shop/done.html", clerk=clerk, redemption=shown(row))


@require_POST
def recall(request: HttpRequest, redemption_id: int) -> HttpResponse:
    """Send a scanned coupon back to its holder."""
    clerk = binding.required(request)
    try:
        redemption.recall(redemption_id, Actor(ActorKind.CLERK, clerk.pk), "店员撤回", clerk=clerk)
    except Refusal as refusal:
        return refusal_page(request, clerk, refusal)
    messages.success(request, "已撤回，这张券回到顾客手里")
    return redirect("shop-scan")


@require_safe
def redemptions(request: HttpRequest) -> HttpResponse:
    """List what is pending first, with its countdown, then a day's redemptions and their sums."""
    clerk = binding.current(request)
    if clerk is None:
        return redirect("shop-bind")
    now = clock.now()
    day = _day(request, now)
    start = dt.datetime.combine(day, dt.time(), tzinfo=clock.SHANGHAI)
    finished = rows_of(clerk).filter(completed_at__gte=start, completed_at__lt=start + dt.timedelta(days=1))
    counted = finished.counted().aggregate(count=Count("pk"), face=Sum("face_fen"), amount=Sum("amount_fen"))
    size = clerk.outlet.merchant.campaign.page_size
    pages = max(1, -(-finished.count() // size))
    number = min(max(1, _number(request.GET.get("page"))), pages)
    waiting = rows_of(clerk).pending().order_by("entry_until", "pk")
    since = freezing.frozen_since(clerk.outlet.merchant.campaign_id)
    pending = [_waiting(row, since, now) for row in waiting]
    listed = finished.order_by("-completed_at", "-pk")[(number - 1) * size : number * size]
    return shop_page(
        request,
        "shop/redemptions.html",
        clerk=clerk,
        now=now,
        tab="list",
        day=day,
        day_text=f"{'今天 ' if day == now.date() else ''}{day.month}月{day.day}日",
        sums={
            "count": counted["count"],
            "face": short_yuan(counted["face"] or 0),
            "amount": yuan(counted["amount"] or 0),
        },
        pending=pending,
        rows=[shown(row) for row in listed],
        page=number,
        pages=pages,
    )


def _waiting(row: Redemption, since: dt.datetime | None, now: dt.datetime) -> dict[str, Any]:
    window = window_of(row.entry_until, since, now)
    late = window["entry_until"] - now < SOON
    return shown(row) | window | {"url": reverse("shop-entry", args=[row.pk]), "late": late}


def _day(request: HttpRequest, now: dt.datetime) -> dt.date:
    try:
        return parse_date(request.GET.get("day", "")) or now.date()
    except ValueError:
        return now.date()


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else 1
