"""品类调整: use and forecast per category and face, a try of a move on the rounds left, and the request for it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse

from coupons.models import Campaign
from coupons.plan import reallocate
from coupons.plan.reallocate import BatchUse, Shift
from huigou import clock
from huigou.admin.deed import Deed
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin, Section
from huigou.errors import Refusal
from huigou.listing import Column, Kind, Listing
from huigou.money import yuan
from reports.models import Reallocation


class Campaigns(Listing):
    """The campaigns whose money can be moved between categories and faces."""

    title = "品类调整"
    columns = (
        Column("活动", str, link=lambda c: reverse("admin:reports_reallocation_page", args=[c.pk])),
        Column("资金总额", lambda c: c.budget_fen, Kind.MONEY),
        Column("可调整时间", lambda c: f"第{reallocate.after_round(c)}轮结束后"),
        Column(
            "状态",
            lambda c: "已结账" if c.closed_at else "进行中",
            tone=lambda c: "wait" if c.closed_at else "good",
        ),
    )

    def base(self) -> Any:
        return Reallocation.objects.filter(launched_at__isnull=False).order_by("-launched_at")


class MoveForm(forms.Form):
    """So many coupons of one batch become coupons of another."""

    source = forms.TypedChoiceField(label="从", coerce=int)
    target = forms.TypedChoiceField(label="到", coerce=int)
    count = forms.IntegerField(label="调出张数", min_value=1, max_value=1_000_000)

    def offer(self, uses: list[BatchUse]) -> None:
        """Fill in the batches."""
        choices = [(u.batch.pk, f"{u.batch.category.name} {u.batch.face_text} 元（奖池 {u.in_pool} 张）") for u in uses]
        self.fields["source"].choices = choices  # type: ignore[attr-defined]
        self.fields["target"].choices = choices  # type: ignore[attr-defined]

    def shift(self) -> Shift:
        """Return the wish."""
        return Shift(self.cleaned_data["source"], self.cleaned_data["target"], self.cleaned_data["count"])


class ProposeForm(MoveForm):
    reason = forms.CharField(label="理由", max_length=300, widget=forms.Textarea(attrs={"rows": 2}))


def _offer(form: forms.Form, request: HttpRequest, row: Campaign) -> None:
    form.offer(reallocate.use(row, clock.now()))  # type: ignore[attr-defined]
    for name in MoveForm.base_fields:
        form.fields[name].initial = request.GET.get(name)


def _propose(request: HttpRequest, row: Campaign, data: dict[str, Any]) -> str:
    shift = Shift(data["source"], data["target"], data["count"])
    change = reallocate.propose(row, [shift], maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return f"已提交审批：{change.summary}"


def _percent(use: BatchUse) -> str:
    return "—" if use.use_rate is None else f"{use.use_rate:.1%}"


class ReallocationAdmin(ReadOnlyMixin, DeskAdmin):
    """Money moves between categories and faces, to the fen."""

    listing = Campaigns
    exports = False
    note = (
        "方案：第五轮结束后根据各品类使用情况进行适当调整。调整以整张为单位，资金一分不多、一分不少，须两个部门办理。"
    )
    deeds = (
        Deed(
            "propose",
            "提出调整",
            "coupons.propose_realloc",
            _propose,
            ProposeForm,
            prepare=_offer,
            on_row=False,
            offered=lambda row: row.closed_at is None,
            say=lambda row: "批准后即时生效，之后各轮按新的奖池均分投放。除不尽的数量会给出最接近的可行数量。",
        ),
    )

    def page_title(self, row: Campaign) -> str:
        return f"{row} 品类调整"

    def sections(self, request: HttpRequest, row: Campaign) -> list[Section]:
        now = clock.now()
        uses = reallocate.use(row, now)
        return [self._when(row, now), self._use(uses), self._try(request, row, uses)]

    @staticmethod
    def _when(row: Campaign, now: Any) -> Section:
        try:
            reallocate.refuse_if_early(row, now)
            said = "现在可以提出"
        except Refusal as refused:
            said = str(refused)
        left = row.rounds.filter(dealt_at=None).count()
        return Section("何时可调整", facts=[("状态", said), ("尚未备奖的轮次", f"{left} 轮")])

    @staticmethod
    def _use(uses: list[BatchUse]) -> Section:
        total = sum(use.in_pool * use.batch.face_fen for use in uses)
        rows = [
            (
                use.batch.category.name,
                use.batch.face_text,
                use.planned,
                use.drawn,
                use.used,
                use.live,
                use.lapsed,
                _percent(use),
                use.in_pool,
                yuan(use.in_pool * use.batch.face_fen),
                use.forecast_used,
            )
            for use in uses
        ]
        headings = (
            "品类",
            "面额（元）",
            "计划（张）",
            "已抽中",
            "已使用",
            "未了结",
            "已到期",
            "使用率",
            "奖池（张）",
            "奖池（元）",
            "预计终了使用（张）",
        )
        return Section(f"使用情况与预计（奖池合计 {yuan(total)} 元）", headings=headings, rows=rows)

    @staticmethod
    def _try(request: HttpRequest, row: Campaign, uses: list[BatchUse]) -> Section:
        asked = request.GET if "count" in request.GET else None
        form = MoveForm(asked)
        form.offer(uses)
        extra: dict[str, Any] = {"form": form, "tried": [], "refused": ""}
        if asked is not None and form.is_valid():
            try:
                shift = form.shift()
                [step] = reallocate.exchanges(row, [shift])
                extra["step"] = f"{step}，共 {yuan(step.amount_fen)} 元"
                extra["tried"] = _told(row, shift)
                address = reverse("admin:reports_reallocation_rowdeed", args=[row.pk, "propose"])
                extra["propose"] = f"{address}?source={shift.source}&target={shift.target}&count={shift.count}"
                extra["may_propose"] = request.user.has_perm("coupons.propose_realloc") and row.closed_at is None
            except Refusal as refused:
                extra["refused"] = str(refused)
        extra["rounds"] = list(row.rounds.filter(dealt_at=None).order_by("number"))
        return Section("试算", template="admin/desk/try_move.html", extra=extra)


def _told(row: Campaign, shift: Shift) -> list[tuple[str, str, list[tuple[int, int, int]], int, int]]:
    """Return for both batches: name, face, (before, after, change) of each round left, and the sums."""
    found = reallocate.simulate(row, [shift])
    return [
        (
            f.batch.category.name,
            f.batch.face_text,
            [(was, then, then - was) for was, then in zip(f.before, f.after, strict=True)],
            sum(f.before),
            sum(f.after),
        )
        for f in found
        if f.batch.pk in (shift.source, shift.target)
    ]
