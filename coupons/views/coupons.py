"""我的消费券 and 扫码支付: what somebody holds, held, and drew."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from coupons import codes, consumers, outbox
from coupons.errors import COUPON_GONE
from coupons.models import Campaign, Consumer, Coupon, Draw
from coupons.views.home import stage_of
from coupons.views.page import bind_url, me_of, page
from huigou import arriving, clock, qr
from huigou.money import short_yuan, yuan

HISTORY = 100  # rows shown of what is over; a campaign has 35 draws a person
PILLS = {"held": "pill-live", "pending": "pill-wait", "expired": "pill-stop"}
REMINDERS = {"won": "抽中消费券时", "expiring": "到期前一天", "used": "消费券用掉时"}
STEPS = {"held": 0, "pending": 1, "used": 2, "forfeited": 2}


def shown_state(coupon: Coupon, now: dt.datetime) -> str:
    """Return a coupon's state as the clock has it: a held one past its end is expired, whether booked or not."""
    return Coupon.State.EXPIRED if coupon.state == Coupon.State.HELD and now >= coupon.expires_at else coupon.state


def shown(coupon: Coupon, now: dt.datetime) -> dict[str, Any]:
    """Return a coupon as pages and the API show it; its batch, draw and redemptions must be loaded."""
    state = shown_state(coupon, now)
    last = _last_use(coupon)
    outlet = last.outlet.name if last else ""
    spent = ""
    if last is not None and last.amount_fen is not None:
        spent = f"{outlet}，消费 {yuan(last.amount_fen)} 元，{clock.spoken(last.completed_at)}"
    category = coupon.batch.category
    return {
        "id": coupon.pk,
        "category_code": category.code,
        "category": category.name,
        "face": short_yuan(coupon.face_fen),
        "threshold": short_yuan(coupon.threshold_fen),
        "state": state,
        "state_text": Coupon.State(state).label,
        "pill": PILLS.get(state, ""),
        "step": STEPS.get(state, -1),
        "drawn_at": coupon.drawn_at,
        "expires_at": coupon.expires_at,
        "outlet": outlet,
        "spent_text": spent,
        "detail": _detail(state, coupon, outlet, spent),
        "ticket": coupon.draw.ticket,
        "receipt": bytes(coupon.draw.entry_hash).hex(),
        "url": reverse("m-coupon", args=[coupon.pk]),
    }


def _last_use(coupon: Coupon) -> Any:
    """Return the latest use that stands. The only place where these pages look at a shop's side of a coupon."""
    standing = [use for use in coupon.redemptions.all() if use.state in ("pending", "used", "forfeited")]
    return max(standing, key=lambda use: use.pk, default=None)


def _detail(state: str, coupon: Coupon, outlet: str, spent: str) -> str:
    end = clock.spoken(coupon.expires_at, end=True)
    return {
        "pending": f"{outlet} 已扫码，等店员录入",
        "used": spent,
        "forfeited": f"已在{outlet}使用",
        "expired": f"{end}到期，金额已回奖池",
    }.get(state, f"{end}到期")


def loaded(consumer: Consumer) -> Any:
    """Return a person's coupons with all that ``shown`` needs; two queries, however many coupons."""
    rows = Coupon.objects.held_by(consumer).select_related("batch__category", "draw")
    return rows.prefetch_related("redemptions__outlet")


@require_safe
def coupons(request: HttpRequest) -> HttpResponse:
    """List what can be used, what is over, and every draw with its receipt."""
    consumer = consumers.current(request)
    if consumer is None:
        return redirect(bind_url(request))
    now = clock.now()
    rows = [shown(coupon, now) for coupon in loaded(consumer).order_by("expires_at", "-pk")[: 2 * HISTORY]]
    live = [row for row in rows if row["state"] in ("held", "pending")]
    past = sorted((row for row in rows if row not in live), key=lambda row: -row["id"])
    drawn = Draw.objects.filter(consumer__person_id=consumer.person_id, kind=Draw.Kind.DRAW)
    draws = [
        {
            "round": each.deck.round.number,
            "category": each.deck.category.name,
            "result": f"{short_yuan(each.face_fen)} 元" if each.face_fen else "谢谢参与",
            "at": each.drawn_at,
            "ticket": each.ticket,
            "receipt": bytes(each.entry_hash).hex(),
        }
        for each in drawn.select_related("deck__round", "deck__category").order_by("-pk")[:HISTORY]
    ]
    campaign = Campaign.objects.current()
    return page(
        request,
        "m/coupons.html",
        now=now,
        tab="coupons",
        campaign=campaign,
        how_to_get=_next_chance(campaign, now) if campaign and not live else "",
        me=me_of(consumer),
        live=live,
        past=past[:HISTORY],
        draws=draws,
        reminders=_reminders(request, consumer),
    )


def _reminders(request: HttpRequest, consumer: Consumer) -> list[dict[str, Any]]:
    """Return what somebody may be told of in WeChat, each once for a tap; nothing outside it or without a template."""
    if not (outbox.can_be_allowed() and arriving.is_inside(request) and consumer.openid):
        return []
    on, back = outbox.allowed(consumer), urlencode({"next": request.path})
    return [
        {"label": label, "on": kind in on, "url": f"{reverse('m-wechat-subscribe', args=[kind])}?{back}"}
        for kind, label in REMINDERS.items()
    ]


def _next_chance(campaign: Campaign, now: dt.datetime) -> str:
    """Say where the next coupon comes from: the round that is open, the next one's opening, or none."""
    stage = stage_of(campaign, now)
    if stage.current:
        return f"第{stage.current.number}轮正在抽奖，每类可以抽一张"
    return (
        f"第{stage.following.number}轮{clock.spoken(stage.following.opens_at)}开抽" if stage.following else "本期已结束"
    )


def code_of(request: HttpRequest, coupon_id: int, now: dt.datetime) -> dict[str, Any]:
    """Return the code of this 30-second step: the QR's path, the eight digits, and until when."""
    current = codes.show(coupon_id, now)
    link = f"{qr.origin(request)}/shop/c/{current.token}"
    return {"short": current.short_code, "until": int(current.valid_until.timestamp() * 1000), **qr.drawn(link)}


def one(request: HttpRequest, coupon_id: int) -> Coupon:
    """Return a coupon of the person who asks; raises NOT_BOUND, COUPON_GONE (also for somebody else's)."""
    coupon = loaded(consumers.required(request)).filter(pk=coupon_id).first()
    if coupon is None:
        raise COUPON_GONE()
    return coupon


@require_safe
def coupon(request: HttpRequest, coupon_id: int) -> HttpResponse:
    """Show one coupon with its living code."""
    if consumers.current(request) is None:
        return redirect(bind_url(request))
    row = one(request, coupon_id)
    now = clock.now()
    view = shown(row, now)
    code = code_of(request, row.pk, now) if view["state"] == Coupon.State.HELD else None
    return page(
        request,
        "m/coupon.html",
        now=now,
        tab="coupons",
        campaign=Campaign.objects.current(),
        coupon=view,
        code=code,
        coupon_page={"id": row.pk, "state": view["state"], "code": code, "step_ms": codes.STEP_S * 1000},
    )
