"""活动结账: what is left, where it goes (返还财政 or 转作下一轮), and the end of the books."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse

from coupons import closing, ledger
from coupons.models import Campaign
from coupons.models.books import Account
from huigou.admin.deed import Deed, ReasonForm
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin, Section
from huigou.listing import Column, Kind, Listing
from huigou.money import yuan
from reports.models import Closing, Settlement
from reports.reconcile.sums import KINDS

FREE = [(kind.value, KINDS[kind.value]) for kind in (Account.POOL, Account.FORFEITED, Account.DISALLOWED)]


class Campaigns(Listing):
    """The campaigns and whether their books are closed."""

    title = "活动结账"
    columns = (
        Column("活动", str, link=lambda c: reverse("admin:reports_closing_page", args=[c.pk])),
        Column("资金总额", lambda c: c.budget_fen, Kind.MONEY),
        Column("上线时间", lambda c: c.launched_at, Kind.MOMENT),
        Column("结账时间", lambda c: c.closed_at, Kind.MOMENT),
        Column(
            "状态",
            lambda c: "已结账" if c.closed_at else "未结账",
            tone=lambda c: "good" if c.closed_at else "wait",
        ),
    )

    def base(self) -> Any:
        return Closing.objects.filter(launched_at__isnull=False).order_by("-launched_at")


class LeftForm(ReasonForm):
    """Which kinds of what is left."""

    kinds = forms.MultipleChoiceField(
        label="哪些余额", choices=FREE, initial=[kind for kind, _ in FREE], widget=forms.CheckboxSelectMultiple
    )


class CarryForm(LeftForm):
    following = forms.TypedChoiceField(label="下一轮活动", coerce=int, required=False, empty_value=None)


def _offer_following(form: forms.Form, request: HttpRequest, row: Campaign) -> None:
    others = Campaign.objects.filter(closed_at=None).exclude(pk=row.pk).order_by("-pk")
    form.fields["following"].choices = [("", "以后再定"), *((c.pk, str(c)) for c in others)]  # type: ignore[attr-defined]


def _return(request: HttpRequest, row: Campaign, data: dict[str, Any]) -> str:
    made = closing.propose_return(
        row,
        maker=request.user,  # type: ignore[arg-type]
        reason=data["reason"],
        kinds=data["kinds"],
    )
    return f"已提交审批：{made.summary}"


def _carry(request: HttpRequest, row: Campaign, data: dict[str, Any]) -> str:
    following = Campaign.objects.filter(pk=data["following"]).first() if data["following"] else None
    made = closing.propose_carry(
        row,
        following,
        maker=request.user,  # type: ignore[arg-type]
        reason=data["reason"],
        kinds=data["kinds"],
    )
    return f"已提交审批：{made.summary}"


def _close(request: HttpRequest, row: Campaign, data: dict[str, Any]) -> str:
    made = closing.propose_close(row, maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return f"已提交审批：{made.summary}"


def _open(row: Campaign) -> bool:
    return row.closed_at is None


class ClosingAdmin(ReadOnlyMixin, DeskAdmin):
    """The end of a campaign."""

    listing = Campaigns
    exports = False
    note = "末轮录入时限过后，余额返还财政或转作下一轮活动资金；付清商家、余额为零后结账，此后数据库拒绝任何改动。"
    deeds = (
        Deed("return", "提出返还财政", "coupons.propose_return", _return, LeftForm, offered=_open, on_row=False),
        Deed(
            "carry",
            "提出转作下一轮",
            "coupons.propose_carry",
            _carry,
            CarryForm,
            prepare=_offer_following,
            offered=_open,
            on_row=False,
        ),
        Deed(
            "close",
            "提出结账",
            "coupons.propose_close",
            _close,
            ReasonForm,
            offered=_open,
            on_row=False,
            tone="danger",
            say=lambda row: "结账后本期账目永久封存，不能再改。",
        ),
    )

    def page_title(self, row: Campaign) -> str:
        return f"{row} 结账"

    def sections(self, request: HttpRequest, row: Campaign) -> list[Section]:
        found = ledger.balances(row.pk)
        sums: dict[str, int] = {}
        for party, fen in found.items():
            sums[party.kind] = sums.get(party.kind, 0) + fen
        inside = sum(fen for kind, fen in sums.items() if kind != Account.TREASURY)
        rows = [(KINDS[kind], yuan(sums.get(kind, 0))) for kind in Account.values if kind != Account.TREASURY]
        steps = row.changes.filter(verb__in=["return", "carry", "close"]).select_related("maker", "checker")
        return [
            Section("结账条件", headings=("条件", "情况", "达到"), rows=_conditions(row, sums)),
            Section(
                f"资金去向（合计 {yuan(inside)} 元，资金总额 {yuan(row.budget_fen)} 元）",
                headings=("账户", "金额（元）"),
                rows=rows,
            ),
            Section(
                "已提出的事项",
                headings=("摘要", "状态", "经办", "审批", "执行时间"),
                rows=[
                    (c.summary, c.get_state_display(), str(c.maker), str(c.checker or ""), c.executed_at) for c in steps
                ],
            ),
        ]


def _conditions(row: Campaign, sums: dict[str, int]) -> list[tuple[str, str, bool]]:
    unbooked = row.rounds.filter(booked_at=None).count()
    out = sum(sums.get(kind, 0) for kind in closing.OUT)
    payable = sums.get(Account.PAYABLE, 0)
    left = sum(sums.get(kind, 0) for kind in closing.FREE)
    made = Settlement.objects.filter(campaign=row).first()
    is_paid = made is not None and made.state == Settlement.State.PAID
    return [
        ("各轮到期入账", f"还有 {unbooked} 轮" if unbooked else "全部入账", not unbooked),
        ("没有未了结的券", f"{yuan(out)} 元", not out),
        ("商家结算已付款", made.get_state_display() if made else "未汇总", is_paid or not payable),
        ("没有应付未付", f"{yuan(payable)} 元", not payable),
        ("余额已返还或转出", f"尚余 {yuan(left)} 元", not left),
    ]
