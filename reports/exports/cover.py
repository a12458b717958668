"""The cover sheet: what the file holds, with which filter, who took it and when, its hash, and how the books stood."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, Sum

from coupons.models import Campaign, Freeze, Transfer
from coupons.models.books import Account
from huigou import clock
from huigou.listing import Column, Kind, Listing
from huigou.money import yuan
from reports import reconcile

ROWS, DIGEST = "行数", "行内容 SHA-256"  # the labels that a recount looks for


@dataclass(frozen=True)
class Written:
    """What the sheets hold: rows, sheets, the hash over the rows, {total's name: sum} in fen or pieces."""

    rows: int
    sheets: int
    digest: str
    sums: Mapping[str, int]


@dataclass(frozen=True)
class Cover:
    """Who takes an export, its number, how the check of the books came out, and why persons are in it, if they are."""

    who: str
    number: str = ""
    books: str = ""
    reason: str = ""

    def lines(self, listing: Listing, columns: list[Column], done: Written) -> list[tuple[str, str]]:
        """Return labels and values, top to bottom."""
        campaign = listing.subject if isinstance(listing.subject, Campaign) else None
        persons = f"含完整姓名和手机号，理由：{self.reason}" if self.reason else "已隐去"
        return [
            ("内容", listing.title),
            ("活动", str(campaign) if campaign else "全部"),
            *(listing.spoken() or [("筛选条件", "全部")]),
            ("导出人", self.who),
            ("导出时间", moment_text(listing.now)),
            ("导出编号", self.number),
            (ROWS, f"{done.rows}"),
            ("工作表", f"{done.sheets} 张"),
            *_sums(columns, done),
            ("个人信息", persons),
            (DIGEST, done.digest),
            ("方案版本", (campaign.plan_version if campaign else "") or "未登记"),
            ("账目状态", self.books or books_state(campaign)),
            *_against_the_books(listing, campaign, done),
        ]

    def mark(self, now: dt.datetime) -> str:
        """Return what every printed page says at its foot."""
        return f"{self.who}　{moment_text(now)}　导出编号 {self.number or '无'}"


def _sums(columns: list[Column], done: Written) -> list[tuple[str, str]]:
    said = []
    for column in columns:
        if column.total in done.sums and column.kind in (Kind.MONEY, Kind.FACE):
            said.append((f"{column.heading}合计", f"{yuan(done.sums[column.total])} 元"))
        elif column.total in done.sums and column.kind is Kind.COUNT:
            said.append((f"{column.heading}合计", f"{done.sums[column.total]:,}"))
    return said


def _against_the_books(listing: Listing, campaign: Campaign | None, done: Written) -> list[tuple[str, str]]:
    """Compare all uses of a campaign with the ledger, which counts them by another way; same snapshot, same sum."""
    if campaign is None or listing.code != "uses" or set(listing.kept) - {"campaign"}:
        return []
    booked, shown = booked_uses_fen(campaign), done.sums.get("face", 0)
    if booked == shown:
        return [("与账目核对", f"相符：账上核销净额 {yuan(booked)} 元")]
    return [("与账目核对", f"不符：账上核销净额 {yuan(booked)} 元，本表 {yuan(shown)} 元")]


def booked_uses_fen(campaign: Campaign) -> int:
    """Return the value of coupons used and not given back, as the ledger has it."""
    into = Q(code=Transfer.Code.COMPLETE, credit_kind=Account.PAYABLE)
    back = Q(code=Transfer.Code.REVERSE)
    sums = Transfer.objects.filter(campaign=campaign).aggregate(
        used=Sum("amount_fen", filter=into, default=0), reversed=Sum("amount_fen", filter=back, default=0)
    )
    return sums["used"] - sums["reversed"]


def books_state(campaign: Campaign | None) -> str:
    """Say whether a campaign's books stand still."""
    freeze = Freeze.objects.filter(campaign=campaign, released_at=None).first() if campaign else None
    return f"冻结中（核对问题 {len(freeze.findings)} 项）" if freeze else "正常（未冻结）"


def checked_books(campaign: Any) -> str:
    """Check the books of an export's campaign, freeze them on red, and return what the cover says."""
    if not isinstance(campaign, Campaign) or campaign.launched_at is None:
        return ""
    report = reconcile.check(campaign)
    reconcile.freeze_if_red(campaign, report.findings)
    if report.is_green:
        return f"核对平衡（{moment_text(report.checked_at)}，流水 {report.transfers} 条）；{books_state(campaign)}"
    return f"发现问题 {len(report.findings)} 项（{moment_text(report.checked_at)}）；{books_state(campaign)}"


def moment_text(moment: dt.datetime) -> str:
    return f"{clock.local(moment):%Y-%m-%d %H:%M:%S}"
