"""What every clerks' page has in common."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpRequest, HttpResponse

from coupons.lifecycle import freezing
from coupons.views.page import page
from huigou import clock
from huigou.errors import Refusal
from huigou.money import short_yuan, yuan
from merchants.models import Clerk, Redemption

# Five screens that a clerk tells apart at a glance; everything else is the sixth.
SCREENS = {
    "coupon_used": "used",
    "coupon_pending_elsewhere": "used",
    "already_entered": "used",
    "coupon_expired": "expired",
    "code_stale": "expired",
    "entry_late": "expired",
    "paper_replaced": "expired",
    "wrong_merchant": "wrong",
    "merchant_not_active": "wrong",
    "under_threshold": "under",
}
TITLES = {
    "coupon_used": "已使用过",
    "coupon_pending_elsewhere": "别处已扫",
    "already_entered": "已录入过",
    "coupon_expired": "券已过期",
    "code_stale": "码已失效",
    "entry_late": "录入已截止",
    "wrong_merchant": "不能在本店用",
    "merchant_not_active": "本店暂不能核销",
    "under_threshold": "未达到门槛",
    "code_unreadable": "没认出二维码",
    "short_code_tries": "暂停输入短码",
    "one_at_a_time": "一次只能用一张",
    "second_coupon": "请确认另一笔消费",
    "own_coupon": "不能核销自己的券",
    "paper_tries": "暂停核对纸质券",
    "paper_replaced": "纸质券已作废",
}
ICONS = {"used": "ticket", "expired": "clock", "wrong": "shop", "under": "alert", "network": "offline"}


def screen_of(refusal: Refusal) -> dict[str, str]:
    """Return which of the refusal screens shows a refusal, and its title."""
    return {"screen": SCREENS.get(refusal.code, "other"), "title": TITLES.get(refusal.code, "不能核销")}


def shop_page(request: HttpRequest, template: str, *, clerk: Clerk | None, **context: Any) -> HttpResponse:
    """Render a clerks' page."""
    campaign = clerk.outlet.merchant.campaign if clerk else context.pop("campaign", None)
    if campaign is not None:
        context["campaign"] = campaign
    return page(request, template, now=context.pop("now", None) or clock.now(), clerk=clerk, **context)


def refusal_page(request: HttpRequest, clerk: Clerk | None, refusal: Refusal, **again: str) -> HttpResponse:
    """Show one of the refusal screens, with what to do."""
    screen = screen_of(refusal)
    return shop_page(
        request,
        "shop/refusal.html",
        clerk=clerk,
        refusal=refusal,
        status=refusal.status,
        screen_icon=ICONS.get(screen["screen"], "alert"),
        **screen,
        **again,
    )


def window_of(until: dt.datetime, since: dt.datetime | None, now: dt.datetime) -> dict[str, Any]:
    """Return how a window for entries is shown; one that a freeze since then cut into stands still and grows."""
    return {"entry_until": freezing.extended(until, since, now), "stands_still": since is not None and since < until}


def shown(redemption: Redemption) -> dict[str, Any]:
    """Return a redemption as pages show it; category, consumer's person and clerk's person must be loaded."""
    category = redemption.category
    amount = redemption.amount_fen
    pills = {"used": "pill-live", "pending": "pill-wait", "forfeited": "pill-stop"}
    unit = category.kind_unit if category.kind_type == "number" else ""
    return {
        "id": redemption.pk,
        "category_code": category.code,
        "category": category.name,
        "face": short_yuan(redemption.face_fen),
        "threshold": short_yuan(redemption.threshold_fen),
        "holder": redemption.consumer.person.masked_name,
        "clerk": redemption.clerk.person.masked_name,
        "scanned_at": redemption.scanned_at,
        "entry_until": redemption.entry_until,
        "completed_at": redemption.completed_at,
        "amount": "" if amount is None else yuan(amount),
        "remaining": "" if amount is None else yuan(amount - redemption.face_fen),
        "kind_label": category.kind_label,
        "kind": f"{redemption.kind} {unit}".strip(),
        "receipt_no": redemption.receipt_no,
        "note": redemption.note,
        "state_text": redemption.get_state_display(),
        "pill": pills.get(redemption.state, ""),
    }
