"""The numbers of 首页, each with the list that it leads to and what that list must say."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db.models import Sum
from django.urls import reverse

from coupons.desk import joint_words, round_words
from coupons.models import Balance, Batch, Campaign, Deck, Freeze
from coupons.models.books import Account
from coupons.tallies import COUPONS
from huigou import clock
from huigou.models import Staff
from huigou.money import yuan
from merchants.models import Redemption
from merchants.tallies import USES

STATES = {"used": "已使用", "sent": "待录入", "unused": "未使用", "lapsed": "到期收回", "forfeited": "商家放弃"}
# How a coupon counts at an instant, booked or not: the filter 状态 of 优惠券领取.
_STATE = """CASE k.state WHEN 'used' THEN 'used' WHEN 'pending' THEN 'sent' WHEN 'forfeited' THEN 'forfeited'
            WHEN 'expired' THEN 'lapsed' ELSE CASE WHEN k.expires_at <= %(now)s THEN 'lapsed' ELSE 'unused' END END"""


@dataclass(frozen=True)
class To:
    """A list of the back office and its filters."""

    model: str  # app_model
    query: Mapping[str, Any] = field(default_factory=dict)

    @property
    def right(self) -> str:
        app, model = self.model.split("_")
        return f"{app}.view_{model}"

    @property
    def href(self) -> str:
        address = reverse(f"admin:{self.model}_changelist")
        return f"{address}?{urlencode(self.query)}" if self.query else address


@dataclass(frozen=True)
class Figure:
    """One number: what its list counts (共 N 条) or sums in its last line."""

    title: str
    value: str
    note: str
    to: To | None = None
    tone: str = ""


@dataclass(frozen=True)
class Chart:
    """Labels, and for each series its numbers and where each of them leads."""

    labels: list[str]
    series: list[tuple[str, list[float], list[To]]]


class Links:
    """Addresses for one person: none where the list is not theirs to see."""

    def __init__(self, staff: Staff) -> None:
        self.staff = staff

    def href(self, to: To | None) -> str:
        return to.href if to and self.staff.has_perm(to.right) else ""

    def shown(self, f: Figure) -> dict[str, Any]:
        return {"title": f.title, "value": f.value, "note": f.note, "href": self.href(f.to), "tone": f.tone}

    def chart(self, chart: Chart) -> dict[str, Any]:
        series = [
            {"name": name, "data": data, "links": [self.href(to) for to in tos]} for name, data, tos in chart.series
        ]
        return {"labels": chart.labels, "series": series}


@dataclass
class Seen:
    """What one instant's sums say: coupons by (batch, state), and what was spent, in all."""

    campaign: Campaign
    now: dt.datetime
    batches: list[Batch]
    coupons: dict[tuple[int, str], int]
    spent: list[tuple[Any, ...]]  # (hour, merchant, redemptions, face, amount)

    def count(self, *states: str) -> int:
        return sum(n for (_, state), n in self.coupons.items() if not states or state in states)

    def fen(self, *states: str) -> int:
        faces = {batch.pk: batch.face_fen for batch in self.batches}
        return sum(faces[batch] * n for (batch, state), n in self.coupons.items() if not states or state in states)

    @property
    def uses(self) -> int:
        return sum(row[2] for row in self.spent)

    @property
    def face(self) -> int:
        return sum(row[3] for row in self.spent)

    @property
    def amount(self) -> int:
        return sum(row[4] for row in self.spent)

    @property
    def left_fen(self) -> int:
        """What is not out with anybody and was never used: the last line of 未发金额 in 优惠券管理."""
        planned = sum(batch.planned * batch.face_fen for batch in self.batches)
        return planned - self.fen() + self.fen("lapsed")


def see(campaign: Campaign, now: dt.datetime) -> Seen:
    """Read the kept sums of a campaign."""
    batches = list(
        Batch.objects.filter(category__campaign=campaign)
        .select_related("category")
        .order_by("category__position", "face_fen")
    )
    found = COUPONS.read(
        ["k.batch_id", _STATE],
        where=["k.batch_id = ANY(%(batches)s)"],
        batches=[batch.pk for batch in batches],
        now=now,
    )
    coupons: dict[tuple[int, str], int] = defaultdict(int)
    for batch, state, n in found:
        coupons[batch, state] += n
    spent = USES.read(
        ["k.hour_at", "k.merchant_id"],
        ("sum(n)", "sum(n * face_fen)", "sum(amount_fen)"),
        where=[
            "k.state = 'used'",
            "k.merchant_id IN (SELECT id FROM merchants_merchant WHERE campaign_id = %(campaign)s)",
        ],
        campaign=campaign.pk,
    )
    return Seen(campaign, now, batches, coupons, sorted(spent))


def round_of(seen: Seen) -> dict[str, Any] | None:
    """Return the round that is open, or the next one, or the last one, with its clock."""
    rounds, now = list(seen.campaign.rounds.order_by("number")), seen.now
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
        "words": round_words(current, now, joint_words(seen.campaign, now).get(current.pk, "")),
        "of": f"共 {len(rounds)} 轮",
        "span": f"{clock.spoken(current.opens_at)} — {clock.spoken(current.closes_at, end=True)}",
        "label": {"before": "距开始", "open": "距到期"}.get(state_, "已结束"),
        "target_ms": int(target.timestamp() * 1000) if target else None,
        "now_ms": int(now.timestamp() * 1000),
        "size": decks["size"],
        "drawn": decks["drawn"],
        "release": f"本轮奖票 {decks['size']:,} 张，已抽 {decks['drawn']:,} 张",
        "notice": current.pause_notice,
    }


def groups(seen: Seen) -> list[tuple[str, list[Figure]]]:
    """Return the numbers in their groups, most asked for first."""
    return [("消费券", _coupons(seen)), ("资金与拉动", _money(seen))]


def _claims(title: str, seen: Seen, state: str, note: str, tone: str = "") -> Figure:
    count = seen.count(state)
    return Figure(title, f"{count:,}", note, To("coupons_coupon", {"state": state}), tone if count else "")


def _coupons(seen: Seen) -> list[Figure]:
    drawn, fen = seen.count(), seen.fen()
    soon = Redemption.objects.pending().filter(merchant__campaign=seen.campaign).order_by("entry_until").first()
    until = f"最早 {clock.spoken(soon.entry_until, end=True)} 截止" if soon else "没有待录入"
    return [
        Figure("已领取（张）", f"{drawn:,}", f"{yuan(fen)} 元", To("coupons_coupon")),
        Figure(
            "已使用（张）",
            f"{seen.uses:,}",
            f"{yuan(seen.face)} 元",
            To("merchants_redemption"),
        ),
        _claims("待录入（张）", seen, "sent", until, "wait"),
        _claims("未使用（张）", seen, "unused", f"在买家手中，{yuan(seen.fen('unused'))} 元"),
        _claims("到期收回（张）", seen, "lapsed", f"{yuan(seen.fen('lapsed'))} 元"),
        _claims("商家放弃（张）", seen, "forfeited", "逾期未录入", "bad"),
    ]


def _money(seen: Seen) -> list[Figure]:
    pool = Balance.objects.filter(campaign=seen.campaign, account_kind=Account.POOL).aggregate(
        s=Sum("amount_fen", default=0)
    )
    ratio = seen.amount / seen.face if seen.face else None
    return [
        Figure("消费金额（元）", yuan(seen.amount), "买家实际消费", To("reports_shopfigures")),
        Figure(
            "拉动倍数",
            f"{ratio:.2f}" if ratio else "—",
            "消费金额 ÷ 消费券金额",
            To("reports_shopfigures", {"group": "category"}),
        ),
        Figure(
            "未发放（元）",
            yuan(seen.left_fen),
            f"其中奖池 {yuan(pool['s'])}，预算 {yuan(seen.campaign.budget_fen)}",
            To("coupons_batch"),
        ),
    ]


def books(seen: Seen) -> Figure:
    """Say whether the books are green, or frozen and by how many findings."""
    to = To("coupons_freeze")
    freeze = Freeze.objects.filter(campaign=seen.campaign, released_at=None).first()
    if freeze:
        return Figure("账目", "冻结", f"核对问题 {len(freeze.findings)} 项", to, tone="bad")
    return Figure("账目", "正常", "逐分钟核对，未发现问题", to, tone="good")
