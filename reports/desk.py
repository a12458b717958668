"""The lists of the money: 账目核对, 商家结算 and its shops."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from coupons.models import Freeze
from huigou.listing import Column, Kind, Listing
from reports.models import Settlement, SettlementLine

TONES = {"collected": "wait", "frozen": "wait", "audited": "wait", "approved": "wait", "paid": "good"}


class Freezes(Listing):
    """Every time that money stood still, and why."""

    code = "freezes"
    title = "账目核对"
    nothing = "没有冻结过：每次核对都平衡"
    columns = (
        Column("编号", lambda f: f.pk, width=8, link=lambda f: reverse("admin:coupons_freeze_page", args=[f.pk])),
        Column("活动", lambda f: str(f.campaign)),
        Column("冻结时间", lambda f: f.frozen_at, Kind.MOMENT),
        Column("核对问题", lambda f: len(f.findings), Kind.COUNT),
        Column(
            "状态",
            lambda f: "已解冻" if f.released_at else "冻结中",
            tone=lambda f: "good" if f.released_at else "bad",
        ),
        Column("解冻时间", lambda f: f.released_at, Kind.MOMENT),
    )

    def base(self) -> Any:
        return Freeze.objects.select_related("campaign").order_by("-pk")


class Settlements(Listing):
    """A campaign's settlement."""

    code = "settlements"
    title = "商家结算"
    nothing = "尚未汇总：活动结束后，由工信局按“汇总本期结算”"
    columns = (
        Column("活动", lambda s: str(s.campaign), link=lambda s: reverse("admin:reports_settlement_page", args=[s.pk])),
        Column("状态", lambda s: s.get_state_display(), tone=lambda s: TONES[s.state]),
        Column("汇总时间", lambda s: s.built_at, Kind.MOMENT),
        Column("锁定时间", lambda s: s.frozen_at, Kind.MOMENT),
        Column("审计时间", lambda s: s.audited_at, Kind.MOMENT),
        Column("批准时间", lambda s: s.approved_at, Kind.MOMENT),
        Column("付款时间", lambda s: s.paid_at, Kind.MOMENT),
    )

    def base(self) -> Any:
        return Settlement.objects.select_related("campaign").order_by("-pk")


class Lines(Listing):
    """The shops of all settlements."""

    code = "lines"
    title = "商家结算明细"
    columns = (
        Column(
            "商家",
            lambda x: x.merchant.name,
            link=lambda x: reverse("admin:reports_settlementline_page", args=[x.pk]),
        ),
        Column("活动", lambda x: str(x.settlement.campaign)),
        Column("使用", lambda x: x.uses, Kind.COUNT),
        Column("计入", lambda x: x.counted, Kind.COUNT),
        Column("补贴", lambda x: x.counted_fen, Kind.MONEY),
        Column("已付", lambda x: x.paid_fen, Kind.MONEY),
    )

    def base(self) -> Any:
        return SettlementLine.objects.select_related("merchant", "settlement__campaign").order_by("-settlement", "pk")
