"""A firm's settlements on its own page: what it was allowed and paid, and where a claw-back begins."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from huigou.admin.desk import Section
from huigou.money import yuan
from merchants.admin.firm_page import link
from merchants.models import Merchant
from reports.models import SettlementLine


def section(request: HttpRequest, row: Merchant) -> Section | None:
    """Return a firm's lines of all settlements, None for departments that do not see money."""
    if not request.user.has_perm("reports.view_settlementline"):
        return None
    lines = SettlementLine.objects.filter(merchant=row).select_related("settlement__campaign").order_by("-settlement")
    may_claw_back = request.user.has_perm("coupons.propose_clawback")
    return Section(
        "结算与追回",
        headings=("结算", "状态", "使用（张）", "计入（张）", "补贴（元）", "已付（元）", "追回（元）", "操作"),
        rows=[
            (
                link(reverse("admin:reports_settlementline_page", args=[line.pk]), line.settlement.campaign),
                line.settlement.get_state_display(),
                line.uses,
                line.counted,
                yuan(line.counted_fen),
                yuan(line.paid_fen),
                yuan(line.clawed_back_fen),
                _claw_back(line) if may_claw_back and line.paid_fen > line.clawed_back_fen else "",
            )
            for line in lines
        ],
        empty="尚未汇总结算",
    )


def _claw_back(line: SettlementLine) -> Any:
    href = reverse("admin:reports_settlementline_rowdeed", args=[line.pk, "clawback"])
    return format_html('<a class="link link-danger" data-dialog href="{}">提出追回</a>', href)
