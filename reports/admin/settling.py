"""商家结算: collect, lock, audit, approve, pay; each shop with its uses, its opinions and its payment."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html

from coupons.models import Campaign
from huigou import deeds
from huigou.admin.deed import Deed, PlainForm, ReasonForm
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin, Section
from huigou.errors import BAD_INPUT
from huigou.money import parse_yuan, yuan
from reports import reconcile, settlement, settlement_books
from reports.desk import Lines, Settlements
from reports.models import AuditOpinion, Settlement, SettlementLine, SettlementUse

State = Settlement.State
VERDICTS = dict(SettlementUse.Verdict.choices)
MOST_USES = 500  # shown on a shop's page; the workbook holds all


def _page_of(made: Settlement) -> str:
    return reverse("admin:reports_settlement_page", args=[made.pk])


def _collect(request: HttpRequest, row: Any, data: dict[str, Any]) -> str:
    campaign = Campaign.objects.current()
    if campaign is None:
        raise BAD_INPUT(what="活动")
    reconcile.guard(campaign, "结算汇总")
    made = settlement.collect(campaign)
    return f"已汇总 {made.lines.count()} 家商家"


def _freeze(request: HttpRequest, row: Settlement, data: dict[str, Any]) -> str:
    settlement.freeze(row)
    return "已锁定，可由审计局出具意见"


def _finish_audit(request: HttpRequest, row: Settlement, data: dict[str, Any]) -> str:
    settlement.finish_audit(row, auditor=request.user)  # type: ignore[arg-type]
    return "审计已完成"


def _disallow(request: HttpRequest, row: Settlement, data: dict[str, Any]) -> str:
    made = settlement.propose_disallow(row, maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return f"已提交审批：{made.summary}"


def _settle(request: HttpRequest, row: Settlement, data: dict[str, Any]) -> str:
    made = settlement.propose_settle(row, maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return f"已提交审批：{made.summary}"


def _offer_payments(form: forms.Form, request: HttpRequest, row: Settlement) -> None:
    reason = form.fields.pop("reason")
    owed = row.lines.filter(counted_fen__gt=0, paid_fen=0).select_related("merchant")
    for line in owed:
        form.fields[f"line_{line.pk}"] = forms.CharField(
            label=f"{line.merchant.name} {yuan(line.counted_fen)} 元", max_length=50, required=False
        )
    form.fields["reason"] = reason


def _pay(request: HttpRequest, row: Settlement, data: dict[str, Any]) -> str:
    numbers = {
        int(name.removeprefix("line_")): number.strip()
        for name, number in data.items()
        if name.startswith("line_") and number.strip()
    }
    if not numbers:
        raise BAD_INPUT(what="付款凭证号")
    made = settlement.propose_pay(row, numbers, maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return f"已提交审批：{made.summary}"


def _in(*states: str) -> Any:
    return lambda row: row.state in states


class SettlementAdmin(ReadOnlyMixin, DeskAdmin):
    """The settlement as a whole."""

    listing = Settlements
    note = "汇总、锁定、审计、批准、付款依次办理，活动结束满规定天数后方可批准。每笔使用或计入，或有唯一的不计入原因。"
    deeds = (
        Deed(
            "collect",
            "汇总本期结算",
            "reports.collect_settlement",
            _collect,
            for_list=True,
            atomic=False,
            say=lambda _: "先核对账目，再按全部核销记录汇总各商家应得补贴。锁定前可反复汇总。",
        ),
        Deed(
            "freeze",
            "锁定",
            "reports.collect_settlement",
            _freeze,
            atomic=False,
            offered=_in(State.COLLECTED),
            say=lambda _: "锁定后不再受理退回，内容固定，交审计局审计。",
        ),
        Deed("finish", "完成审计", "reports.audit_settlement", _finish_audit, PlainForm, offered=_in(State.FROZEN)),
        Deed(
            "disallow",
            "提出不予补贴",
            "coupons.propose_disallow",
            _disallow,
            ReasonForm,
            offered=_in(State.FROZEN, State.AUDITED),
            on_row=False,
        ),
        Deed(
            "settle",
            "提出批准结算",
            "coupons.propose_settle",
            _settle,
            ReasonForm,
            offered=_in(State.AUDITED),
            on_row=False,
        ),
        Deed(
            "pay",
            "登记付款",
            "coupons.propose_pay",
            _pay,
            ReasonForm,
            prepare=_offer_payments,
            offered=_in(State.APPROVED),
            on_row=False,
            say=lambda _: "填写财政局的付款凭证号；每家一次付清，可分批登记。",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("campaign")

    def get_urls(self) -> list[Any]:
        books = self.admin_site.admin_view(self.books_view)
        return [path("<int:settlement_id>/books.zip", books, name="reports_settlement_books"), *super().get_urls()]

    def books_view(self, request: HttpRequest, settlement_id: int) -> HttpResponse:
        """Hand out all workbooks with their SHA-256 in one archive; the books are checked before."""
        if not request.user.has_perm("reports.view_settlement") or not request.user.has_perm("reports.add_exportjob"):
            raise PermissionDenied
        made = self.subject_row(request, str(settlement_id))
        reconcile.guard(made.campaign, "导出结算")
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            sums = []
            for name, content in settlement_books.books(made):
                archive.writestr(zipfile.ZipInfo(name, date_time=settlement_books.stamp(made)), content)
                sums.append(settlement_books.sum_line(name, content))
            listing = zipfile.ZipInfo("SHA256SUMS", date_time=settlement_books.stamp(made))
            archive.writestr(listing, "".join(sums))
        deeds.announce(request, "导出结算", "结算", made.pk, after={"内容散列": made.sha256})
        return HttpResponse(
            out.getvalue(),
            content_type="application/zip",
            headers={"Content-Disposition": f'attachment; filename="settlement-{made.pk}.zip"'},
        )

    def page_title(self, row: Settlement) -> str:
        return str(row)

    def sections(self, request: HttpRequest, row: Settlement) -> list[Section]:
        figures = settlement.summary(row)
        due = settlement.due_at(row.campaign)
        address = reverse("admin:reports_settlement_books", args=[row.pk])
        return [
            Section(
                row.get_state_display(),
                facts=[
                    ("计入补贴（元）", yuan(figures["counted_fen"])),
                    ("已付（元）", yuan(figures["paid_fen"])),
                    ("追回（元）", yuan(figures["clawed_back_fen"])),
                    ("最早批准时间", due),
                    ("汇总时间", row.built_at),
                    ("锁定时间", row.frozen_at),
                    ("审计时间", row.audited_at),
                    ("批准时间", row.approved_at),
                    ("付款时间", row.paid_at),
                    ("内容 SHA-256", row.sha256),
                    ("工作簿", format_html('<a class="link" href="{}" download>下载总表与各商家工作簿</a>', address)),
                ],
            ),
            Section(
                "每笔使用的结论",
                headings=("结论", "笔数", "面额合计（元）"),
                rows=[(VERDICTS[v], sums["uses"], yuan(sums["fen"])) for v, sums in figures["verdicts"].items()],
            ),
            Section(
                "各商家",
                headings=(
                    "商家",
                    "使用",
                    "计入",
                    "不计入",
                    "补贴（元）",
                    "审计意见",
                    "付款凭证号",
                    "已付（元）",
                    "追回（元）",
                ),
                rows=[_shop(line) for line in _lines_of(row)],
                empty="本期没有使用",
            ),
        ]


def _lines_of(made: Settlement) -> Any:
    lines = made.lines.select_related("merchant").prefetch_related("opinions")
    return lines.order_by("merchant__seq", "merchant_id")


def _shop(line: SettlementLine) -> tuple[Any, ...]:
    address = reverse("admin:reports_settlementline_page", args=[line.pk])
    given = [o for o in line.opinions.all() if o.use_id is None]
    single = len(line.opinions.all()) - len(given)
    said = max(given, key=lambda o: o.pk).get_opinion_display() if given else ""
    return (
        format_html('<a class="link" href="{}">{}</a>', address, line.merchant.name),
        line.uses,
        line.counted,
        line.uses - line.counted,
        yuan(line.counted_fen),
        f"{said}{f'；逐笔 {single} 条' if single else ''}",
        line.payment_no,
        yuan(line.paid_fen),
        yuan(line.clawed_back_fen),
    )


# ---- one shop's part


class OpinionForm(forms.Form):
    """审计局's word on a shop's part, or on one use of it."""

    use = forms.TypedChoiceField(label="对象", coerce=int, required=False, empty_value=None)
    opinion = forms.ChoiceField(label="意见", choices=AuditOpinion.Opinion.choices)
    text = forms.CharField(label="审计意见（文字）", max_length=2000, widget=forms.Textarea(attrs={"rows": 4}))


def _offer_uses(form: forms.Form, request: HttpRequest, row: SettlementLine) -> None:
    uses = row.details.order_by("redemption").values_list("pk", "redemption", "face_fen", "verdict")[:MOST_USES]
    form.fields["use"].choices = [  # type: ignore[attr-defined]
        ("", "整店"),
        *((pk, f"核销 {number}，{yuan(fen)} 元，{VERDICTS[verdict]}") for pk, number, fen, verdict in uses),
    ]


def _give_opinion(request: HttpRequest, row: SettlementLine, data: dict[str, Any]) -> str:
    use = row.details.filter(pk=data["use"]).first() if data["use"] else None
    settlement.give_opinion(row, data["opinion"], data["text"], auditor=request.user, use=use)  # type: ignore[arg-type]
    return "审计意见已登记"


class ClawBackForm(ReasonForm):
    amount = forms.CharField(label="追回金额（元）", max_length=20)


def _claw_back(request: HttpRequest, row: SettlementLine, data: dict[str, Any]) -> str:
    fen = parse_yuan(data["amount"], what="追回金额")
    made = settlement.propose_claw_back(row, fen, maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return f"已提交审批：{made.summary}"


class SettlementLineAdmin(ReadOnlyMixin, DeskAdmin):
    """One shop's part: every use with its one verdict."""

    listing = Lines
    deeds = (
        Deed(
            "opinion",
            "出具审计意见",
            "reports.audit_settlement",
            _give_opinion,
            OpinionForm,
            prepare=_offer_uses,
            offered=lambda row: row.settlement.state == State.FROZEN,
            say=lambda row: (
                f"{row.merchant.name}：计入 {row.counted} 笔，{yuan(row.counted_fen)} 元。逐笔意见优先于整店。"
            ),
        ),
        Deed(
            "clawback",
            "提出追回",
            "coupons.propose_clawback",
            _claw_back,
            ClawBackForm,
            offered=lambda row: row.paid_fen > row.clawed_back_fen,
            say=lambda row: f"已付 {yuan(row.paid_fen)} 元，已追回 {yuan(row.clawed_back_fen)} 元。",
            tone="danger",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("merchant", "settlement__campaign")

    def page_title(self, row: SettlementLine) -> str:
        return f"{row.merchant.name} 结算"

    def sections(self, request: HttpRequest, row: SettlementLine) -> list[Section]:
        uses = row.details.select_related("redemption__outlet", "redemption__category").order_by("redemption")
        return [
            Section(
                row.settlement.get_state_display(),
                facts=[
                    ("活动", format_html('<a class="link" href="{}">{}</a>', _page_of(row.settlement), row.settlement)),
                    ("使用（张）", row.uses),
                    ("计入（张）", row.counted),
                    ("补贴（元）", yuan(row.counted_fen)),
                    ("拉动消费（元）", yuan(row.spend_fen)),
                    ("付款凭证号", row.payment_no),
                    ("已付（元）", yuan(row.paid_fen)),
                    ("追回（元）", yuan(row.clawed_back_fen)),
                ],
            ),
            Section(
                "审计意见",
                headings=("对象", "意见", "文字", "审计人", "时间"),
                rows=[
                    (
                        f"核销 {o.use.redemption_id}" if o.use else "整店",
                        o.get_opinion_display(),
                        o.text,
                        str(o.auditor),
                        o.at,
                    )
                    for o in row.opinions.select_related("use", "auditor").order_by("-pk")
                ],
                empty="尚无意见",
            ),
            Section(
                f"明细（显示前 {MOST_USES} 笔，全部见工作簿）" if row.uses > MOST_USES else "明细",
                headings=(
                    "核销号",
                    "店面",
                    "品类",
                    "面额（元）",
                    "消费金额（元）",
                    "消费种类",
                    "扫码时间",
                    "确认时间",
                    "结论",
                ),
                rows=[
                    (
                        use.redemption_id,
                        use.redemption.outlet.name,
                        use.redemption.category.name,
                        yuan(use.face_fen),
                        "" if use.redemption.amount_fen is None else yuan(use.redemption.amount_fen),
                        use.redemption.kind,
                        use.redemption.scanned_at,
                        use.redemption.completed_at,
                        use.get_verdict_display(),
                    )
                    for use in uses[:MOST_USES]
                ],
            ),
        ]
