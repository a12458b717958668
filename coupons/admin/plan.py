"""The plan desk: campaign, rounds, categories; pause with a public notice, release by approval."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse

from coupons import funding, ledger, pausing
from coupons.admin import place, shares
from coupons.desk import Campaigns, Categories, Rounds, joint_words, round_words
from coupons.lifecycle import propose
from coupons.models import Batch, Campaign, Category, Round
from huigou import clock
from huigou.admin.deed import Deed, PlainForm, ReasonForm
from huigou.admin.desk import DeskAdmin, Link, ReadOnlyMixin, Section
from huigou.listing import Listing
from huigou.money import yuan


class PauseForm(forms.Form):
    reason = forms.CharField(
        label="公告",
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="即时显示在买家首页和抽奖、扫码页面",
    )


def _pause_round(request: HttpRequest, row: Round, data: dict[str, Any]) -> str:
    pausing.pause_round(row.pk, data["reason"])
    return f"{row}已暂停，公告已发布"


def _resume_round(request: HttpRequest, row: Round, data: dict[str, Any]) -> str:
    pausing.resume_round(row.pk)
    return f"{row}已恢复"


def _paused(row: Any) -> dict[str, Any]:
    return {"状态": "已暂停" if row.paused_at else "未暂停", "公告": row.pause_notice}


class ReleaseForm(forms.Form):
    """One count per batch; filled in ``prepare``."""

    reason = forms.CharField(label="理由", max_length=300, widget=forms.Textarea(attrs={"rows": 2}))


def _offer_counts(form: forms.Form, request: HttpRequest, row: Round) -> None:
    pool_fen = ledger.pool_fen(row.campaign_id)
    proposed = propose(row, pool_fen)
    batches = Batch.objects.filter(pk__in=proposed).select_related("category")
    reason = form.fields.pop("reason")
    for batch in batches:
        form.fields[f"batch_{batch.pk}"] = forms.IntegerField(
            label=f"{batch.category.name} {batch.face_text} 元（张）",
            min_value=0,
            max_value=funding.most_to_release(batch, pool_fen),
            initial=proposed[batch.pk],
            help_text=f"奖池现有 {funding.left_of(batch, pool_fen):,} 张",
        )
    form.fields["reason"] = reason


def _propose_release(request: HttpRequest, row: Round, data: dict[str, Any]) -> str:
    counts = {int(name.removeprefix("batch_")): count for name, count in data.items() if name.startswith("batch_")}
    funding.propose_release(row, counts, maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return "已提交审批，批准后生效"


class RoundAdmin(ReadOnlyMixin, DeskAdmin):
    """Rounds: what each releases, and whether it stands still."""

    listing = Rounds
    exports = True
    note = "备奖后投放与牌面锁定；备奖前可提出修改投放，由财政局或领导小组审批。"
    deeds = (
        Deed(
            "pause",
            "暂停",
            "coupons.pause",
            _pause_round,
            PauseForm,
            facts=_paused,
            tone="danger",
            offered=lambda row: row.paused_at is None and row.booked_at is None,
            say=lambda row: f"{row}的抽奖和扫码立即停止，已扫码的券仍可录入。",
        ),
        Deed(
            "resume",
            "恢复",
            "coupons.pause",
            _resume_round,
            PlainForm,
            facts=_paused,
            offered=lambda row: row.paused_at is not None,
            say=lambda row: f"恢复{row}，暂停公告同时撤下。",
        ),
        Deed(
            "release",
            "修改投放",
            "coupons.propose_change",
            _propose_release,
            ReleaseForm,
            offered=lambda row: row.dealt_at is None,
            prepare=_offer_counts,
            on_row=False,
            say=lambda row: f"{row}的投放默认为奖池所余均分到剩余轮次。修改须经审批；备奖时奖池不足，本轮不能开抽。",
        ),
        *shares.DEEDS,
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("campaign")

    def sections(self, request: HttpRequest, row: Round) -> list[Section]:
        dealt = row.allotments.select_related("batch__category").order_by(
            "batch__category__position", "batch__face_fen"
        )
        if row.dealt_at:
            release = [(a.batch.category.name, a.batch.face_text, a.count, "已备奖") for a in dealt]
        else:
            counts = propose(row)
            batches = Batch.objects.filter(pk__in=counts).select_related("category")
            edited = set(row.allotments.exclude(edited_by=None).values_list("batch_id", flat=True))
            release = [
                (b.category.name, b.face_text, counts[b.pk], "已审批修改" if b.pk in edited else "按奖池均分")
                for b in batches.order_by("category__position", "face_fen")
            ]
        decks = row.decks.select_related("category").order_by("category__position")
        now = clock.now()
        return [
            Section(
                str(row),
                facts=[
                    ("状态", round_words(row, now, joint_words(row.campaign, now).get(row.pk, ""))),
                    ("抽奖开始", row.opens_at),
                    ("使用到期", clock.spoken(row.closes_at, end=True)),
                    ("录入截止", clock.spoken(row.entry_until, end=True)),
                    ("备奖时间", row.dealt_at),
                    ("到期入账", row.booked_at),
                    ("暂停公告", row.pause_notice),
                ],
            ),
            Section("投放", headings=("品类", "面额（元）", "数量（张）", "说明"), rows=release),
            Section(
                "奖票盒",
                headings=("品类", "奖票数", "已抽", "未抽", "承诺值"),
                rows=[(d.category.name, d.size, d.next_ticket, d.left, bytes(d.commitment).hex()) for d in decks],
                empty="尚未备奖",
            ),
            shares.section(row),
        ]


def _pause_category(request: HttpRequest, row: Category, data: dict[str, Any]) -> str:
    pausing.pause_category(row.pk, data["reason"])
    return f"{row}已暂停，公告已发布"


def _resume_category(request: HttpRequest, row: Category, data: dict[str, Any]) -> str:
    pausing.resume_category(row.pk)
    return f"{row}已恢复"


class CategoryAdmin(ReadOnlyMixin, DeskAdmin):
    """Categories come with the plan; here they are paused and resumed."""

    listing = Categories
    has_page = False
    deeds = (
        Deed(
            "pause",
            "暂停",
            "coupons.pause",
            _pause_category,
            PauseForm,
            facts=_paused,
            tone="danger",
            offered=lambda row: row.paused_at is None and row.is_active,
            say=lambda row: f"{row}的抽奖和扫码立即停止，已扫码的券仍可录入。",
        ),
        Deed(
            "resume",
            "恢复",
            "coupons.pause",
            _resume_category,
            PlainForm,
            facts=_paused,
            offered=lambda row: row.paused_at is not None,
        ),
    )


def _propose_fund(request: HttpRequest, row: Campaign, data: dict[str, Any]) -> str:
    funding.propose_fund(row, maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return "已提交审批：拨入资金"


def _propose_launch(request: HttpRequest, row: Campaign, data: dict[str, Any]) -> str:
    funding.propose_launch(row, maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return "已提交审批：活动上线"


class CampaignAdmin(ReadOnlyMixin, DeskAdmin):
    """Campaigns with their plan's findings and who signed them off."""

    listing = Campaigns
    deeds = (
        Deed(
            "fund",
            "申请拨入资金",
            "coupons.propose_change",
            _propose_fund,
            ReasonForm,
            on_row=False,
            offered=lambda row: row.launched_at is None,
            say=lambda row: "按方案各券数量与面额拨入奖池，由财政局或领导小组批准。",
        ),
        Deed(
            "launch",
            "申请上线",
            "coupons.propose_change",
            _propose_launch,
            ReasonForm,
            on_row=False,
            offered=lambda row: row.launched_at is None,
            say=lambda row: "上线后方案锁定，由领导小组或财政局批准。",
        ),
        *place.DEEDS,
    )

    def links(self, request: HttpRequest, listing: Listing) -> list[Link]:
        if request.user.has_perm("coupons.import_plan"):
            return [Link("导入方案", reverse("admin:merchants_merchant_plan"), is_main=True)]
        return []

    def sections(self, request: HttpRequest, row: Campaign) -> list[Section]:
        findings = row.findings.order_by("pk")
        batches = Batch.objects.filter(category__campaign=row).select_related("category")
        total = sum(b.planned * b.face_fen for b in batches)
        return [
            Section(
                str(row),
                facts=[
                    ("县（市、区）", row.county),
                    ("依据文件", row.document),
                    ("主办单位", row.host),
                    ("承办单位", row.organiser),
                    ("公众号", row.account_name),
                    ("资金总额（元）", yuan(row.budget_fen)),
                    ("方案合计（元）", yuan(total)),
                    ("方案合计（张）", sum(b.planned for b in batches)),
                    ("门槛倍数", row.multiplier),
                    ("录入时限（小时）", row.entry_hours),
                    ("每页条数", row.page_size),
                    ("抽奖方式", row.get_draw_mode_display()),
                    ("位置核对", row.get_place_policy_display()),
                    ("排除名单", row.get_exclusion_policy_display()),
                    ("方案版本", row.plan_version[:16]),
                    ("上线时间", row.launched_at),
                    ("结账时间", row.closed_at),
                ],
            ),
            Section(
                "方案核对问题与认可",
                headings=("代码", "工作表", "单元格", "问题", "认可理由", "认可人", "认可时间"),
                rows=[(f.code, f.sheet, f.cell, f.message, f.reason, f.accepted_by, f.accepted_at) for f in findings],
                empty="没有问题",
            ),
            place.section(row),
        ]
