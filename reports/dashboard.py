"""首页: how the campaign stands right now. Every number is what the list that it leads to counts or sums."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, cast

from django.core.cache import cache
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate, TruncHour
from django.http import HttpRequest
from django.urls import reverse

from coupons.desk import is_lapsed, round_words
from coupons.models import Balance, Campaign, ChangeRequest, Coupon, Deck, Freeze, OutboxMessage, Round
from coupons.models.books import Account
from huigou import clock
from huigou.celery import app
from huigou.money import short_yuan, yuan
from merchants.models import Complaint, Redemption

State = Coupon.State
TOP_SHOPS = 10
HEALTH_LIFE_S = 15


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the dashboard's first state to the index page; unfold calls it."""
    context["title"] = "首页"
    context["is_fullwidth"] = "1"
    context["dash"] = state(clock.now()) if request.user.has_perm("reports.view_shopfigures") else None
    context["dash_url"] = reverse("admin:reports_dashboard")
    return context


def state(now: dt.datetime) -> dict[str, Any]:
    """Return what the page and its refresh show; amounts as text in yuan, charts as numbers."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return {"campaign": "", "round": None, "figures": [], "charts": {}, "at": _clock(now)}
    coupons = _coupons(campaign, now)
    uses = _uses(campaign)
    return {
        "campaign": str(campaign),
        "at": _clock(now),
        "round": _round(campaign, now),
        "figures": _figures(campaign, coupons, uses, now),
        "charts": {
            "category": _by_category(campaign, now),
            "face": _by_face(campaign, now),
            "time": _over_time(campaign, now),
            "shops": _top_shops(campaign),
        },
    }


def _clock(now: dt.datetime) -> str:
    return f"{clock.local(now):%H:%M:%S}"


def _round(campaign: Campaign, now: dt.datetime) -> dict[str, Any] | None:
    rounds = list(campaign.rounds.order_by("number"))
    current = next((r for r in rounds if r.state(now) == "open"), None) or next(
        (r for r in rounds if r.state(now) == "before"), None
    )
    current = current or (rounds[-1] if rounds else None)
    if current is None:
        return None
    state_ = current.state(now)
    target = {"before": current.opens_at, "open": current.closes_at}.get(state_)
    decks = Deck.objects.filter(round=current).aggregate(
        size=Sum("size", default=0), drawn=Sum("next_ticket", default=0)
    )
    return {
        "title": str(current),
        "words": round_words(current, now),
        "span": f"{clock.spoken(current.opens_at)} — {clock.spoken(current.closes_at, end=True)}",
        "label": {"before": "距开始", "open": "距到期"}.get(state_, "已结束"),
        "target_ms": int(target.timestamp() * 1000) if target else None,
        "now_ms": int(now.timestamp() * 1000),
        "release": f"本轮奖票 {decks['size']:,} 张，已抽 {decks['drawn']:,} 张",
        "notice": current.pause_notice,
    }


def _coupons(campaign: Campaign, now: dt.datetime) -> dict[str, int]:
    rows = Coupon.objects.filter(round__campaign=campaign)
    lapsed = is_lapsed(now)
    return rows.aggregate(
        drawn=Count("pk"),
        drawn_fen=Sum("face_fen", default=0),
        unused=Count("pk", filter=Q(state=State.HELD, expires_at__gt=now)),
        pending=Count("pk", filter=Q(state=State.PENDING)),
        used=Count("pk", filter=Q(state=State.USED)),
        lapsed=Count("pk", filter=lapsed),
        lapsed_fen=Sum("face_fen", filter=lapsed, default=0),
        forfeited=Count("pk", filter=Q(state=State.FORFEITED)),
    )


def _uses(campaign: Campaign) -> dict[str, int]:
    rows = Redemption.objects.counted().filter(merchant__campaign=campaign)
    return rows.aggregate(count=Count("pk"), face=Sum("face_fen", default=0), amount=Sum("amount_fen", default=0))


def _link(name: str, query: str = "") -> str:
    return reverse(f"admin:{name}_changelist") + (f"?{query}" if query else "")


def _figure(title: str, value: str, note: str, href: str, tone: str = "") -> dict[str, str]:
    return {"title": title, "value": value, "note": note, "href": href, "tone": tone}


def _figures(
    campaign: Campaign, coupons: dict[str, int], uses: dict[str, int], now: dt.datetime
) -> list[dict[str, str]]:
    pool = Balance.objects.filter(campaign=campaign, account_kind=Account.POOL).aggregate(
        s=Sum("amount_fen", default=0)
    )
    ratio = uses["amount"] / uses["face"] if uses["face"] else None
    freeze = Freeze.objects.filter(campaign=campaign, released_at=None).first()
    asked = ChangeRequest.objects.filter(state=ChangeRequest.State.PROPOSED).count()
    complaints = Complaint.objects.filter(merchant__campaign=campaign, state=Complaint.State.NEW).count()
    soon = Redemption.objects.pending().filter(merchant__campaign=campaign).order_by("entry_until").first()
    until = f"最早 {clock.spoken(soon.entry_until, end=True)} 截止" if soon else "没有待录入"
    claims, spent = "coupons_coupon", "merchants_redemption"
    health, is_well = _health()
    return [
        _figure("已领取（张）", f"{coupons['drawn']:,}", f"{coupons['drawn_fen'] // 100:,} 元", _link(claims)),
        _figure("未使用（张）", f"{coupons['unused']:,}", "在买家手中", _link(claims, "state=unused")),
        _figure(
            "待录入（张）",
            f"{coupons['pending']:,}",
            until,
            _link(claims, "state=sent"),
            "wait" if coupons["pending"] else "",
        ),
        _figure("已使用（张）", f"{coupons['used']:,}", f"{uses['face'] // 100:,} 元", _link(spent)),
        _figure(
            "到期收回（张）",
            f"{coupons['lapsed']:,}",
            f"{coupons['lapsed_fen'] // 100:,} 元",
            _link(claims, "state=lapsed"),
        ),
        _figure(
            "商家放弃（张）",
            f"{coupons['forfeited']:,}",
            "逾期未录入",
            _link(claims, "state=forfeited"),
            "bad" if coupons["forfeited"] else "",
        ),
        _figure("消费金额（元）", yuan(uses["amount"]), "买家实际消费", _link("reports_shopfigures")),
        _figure(
            "拉动倍数",
            f"{ratio:.2f}" if ratio else "—",
            "消费金额 ÷ 消费券金额",
            _link("reports_shopfigures", "group=category"),
        ),
        _figure("奖池余额（元）", yuan(pool["s"]), f"资金总额 {yuan(campaign.budget_fen)} 元", _link("coupons_batch")),
        _figure(
            "账目",
            "冻结" if freeze else "正常",
            f"核对问题 {len(freeze.findings)} 项" if freeze else "逐分钟核对",
            "",
            "bad" if freeze else "good",
        ),
        _figure(
            "待审批",
            f"{asked:,}",
            "审批事项",
            _link("coupons_changerequest", "state=proposed"),
            "wait" if asked else "",
        ),
        _figure(
            "待受理投诉",
            f"{complaints:,}",
            "投诉处理",
            _link("merchants_complaint", "state=new"),
            "wait" if complaints else "",
        ),
        _figure("后台任务", "正常" if is_well else "异常", health, "", "good" if is_well else "bad"),
    ]


def _health() -> tuple[str, bool]:
    """Return how the worker and the queues are, asked of them every few seconds at most."""
    known = cache.get("dash:health")
    if known is None:
        try:
            workers = app.control.ping(timeout=0.4)
        except Exception:
            workers = []
        late = OutboxMessage.objects.filter(
            state=OutboxMessage.State.WAITING, next_try_at__lt=clock.now() - dt.timedelta(minutes=2)
        ).count()
        words = f"任务进程 {len(workers)} 个，滞留消息 {late} 条"
        known = (words, bool(workers) and not late)
        cache.set("dash:health", known, HEALTH_LIFE_S)
    return known


# ---- charts: labels, series, and where a click leads


def _states(now: dt.datetime) -> dict[str, Q]:
    return {
        "已使用": Q(state=State.USED),
        "待录入": Q(state=State.PENDING),
        "未使用": Q(state=State.HELD, expires_at__gt=now),
        "到期收回": is_lapsed(now),
        "商家放弃": Q(state=State.FORFEITED),
    }


def _stacked(rows: list[dict[str, Any]], names: dict[str, Q], label: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    return {
        "labels": [label(row) for row in rows],
        "series": [{"name": name, "data": [row[f"s{i}"] for row in rows]} for i, name in enumerate(names)],
    }


def _by_category(campaign: Campaign, now: dt.datetime) -> dict[str, Any]:
    names = _states(now)
    rows = (
        Coupon.objects.filter(round__campaign=campaign)
        .values("batch__category__name", "batch__category__code", "batch__category__position")
        .annotate(**{f"s{i}": Count("pk", filter=q) for i, q in enumerate(names.values())})
        .order_by("batch__category__position")
    )
    found = list(rows)
    links = [_link("coupons_coupon", f"category={row['batch__category__code']}") for row in found]
    return {
        **_stacked(cast("list[dict[str, Any]]", found), names, lambda row: row["batch__category__name"]),
        "links": links,
    }


def _by_face(campaign: Campaign, now: dt.datetime) -> dict[str, Any]:
    names = _states(now)
    rows = (
        Coupon.objects.filter(round__campaign=campaign)
        .values("face_fen")
        .annotate(**{f"s{i}": Count("pk", filter=q) for i, q in enumerate(names.values())})
        .order_by("face_fen")
    )
    found = list(rows)
    links = [_link("coupons_coupon", f"face={row['face_fen']}") for row in found]
    return {
        **_stacked(cast("list[dict[str, Any]]", found), names, lambda row: f"{short_yuan(row['face_fen'])} 元"),
        "links": links,
    }


def _over_time(campaign: Campaign, now: dt.datetime) -> dict[str, Any]:
    """Return uses and spending per day, per hour while the campaign is younger than two days."""
    first = Round.objects.filter(campaign=campaign).order_by("opens_at").first()
    hourly = first is not None and now - first.opens_at < dt.timedelta(days=2)
    trunc = TruncHour if hourly else TruncDate
    rows = list(
        Redemption.objects.counted()
        .filter(merchant__campaign=campaign)
        .annotate(slot=trunc("completed_at", tzinfo=clock.SHANGHAI))
        .values("slot")
        .annotate(uses=Count("pk"), amount=Sum("amount_fen"), face=Sum("face_fen"))
        .order_by("slot")
    )
    labels, links = [], []
    for row in rows:
        slot = row["slot"]
        day = clock.local(slot).date() if hourly else slot
        labels.append(f"{clock.local(slot):%d日%H时}" if hourly else f"{day.month}/{day.day}")
        links.append(_link("merchants_redemption", f"since={day}&until={day}"))
    return {
        "labels": labels,
        "series": [
            {"name": "使用（张）", "data": [row["uses"] for row in rows]},
            {"name": "消费金额（元）", "data": [row["amount"] / 100 for row in rows]},
        ],
        "links": links,
    }


def _top_shops(campaign: Campaign) -> dict[str, Any]:
    rows = list(
        Redemption.objects.counted()
        .filter(merchant__campaign=campaign)
        .values("merchant_id", "merchant__name")
        .annotate(amount=Sum("amount_fen"), face=Sum("face_fen"))
        .order_by("-amount")[:TOP_SHOPS]
    )
    return {
        "labels": [row["merchant__name"] for row in rows],
        "series": [
            {"name": "消费金额（元）", "data": [row["amount"] / 100 for row in rows]},
            {"name": "消费券金额（元）", "data": [row["face"] / 100 for row in rows]},
        ],
        "links": [_link("merchants_redemption", f"merchant={row['merchant_id']}") for row in rows],
    }
