"""审批事项, 活动与方案, 轮次 and 品类."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Count, QuerySet, Sum
from django.urls import reverse

from coupons import lottery
from coupons.desk.campaign import CampaignListing
from coupons.models import (
    Campaign,
    Category,
    ChangeRequest,
    Deck,
    Round,
)
from huigou.listing import (
    Column,
    DaysForm,
    Kind,
    Listing,
    PickField,
    within,
)
from huigou.models import Department
from huigou.roles import CHANGES


class ChangeFilters(DaysForm):
    verb = PickField("事项", [(verb, step.title) for verb, step in CHANGES.items()])
    state = PickField("状态", ChangeRequest.State.choices)
    department = PickField("经办部门", Department.choices)


CHANGE_TONES = {"proposed": "wait", "approved": "good", "rejected": "bad", "void": "off"}


class Changes(CampaignListing):
    """审批事项: what one department asks for and another decides."""

    code = "changes"
    title = "审批事项"
    nothing = "还没有提出过审批事项"
    Filters = ChangeFilters
    columns = (
        Column("编号", lambda c: c.pk, width=8),
        Column("事项", lambda c: CHANGES[c.verb].title if c.verb in CHANGES else c.verb, width=14),
        Column(
            "摘要",
            lambda c: c.summary,
            width=40,
            link=lambda c: reverse("admin:coupons_changerequest_page", args=[c.pk]),
        ),
        Column("理由", lambda c: c.reason, width=30),
        Column("经办", lambda c: f"{c.get_maker_department_display()} {c.maker.first_name or c.maker.username}"),
        Column("提出时间", lambda c: c.made_at, Kind.MOMENT, width=20),
        Column("状态", lambda c: c.get_state_display(), tone=lambda c: CHANGE_TONES[c.state], width=8),
        Column(
            "审批",
            lambda c: (
                f"{c.get_checker_department_display()} {c.checker.first_name or c.checker.username}"
                if c.checker
                else ""
            ),
        ),
        Column("决定时间", lambda c: c.decided_at, Kind.MOMENT, width=20),
    )

    @classmethod
    def open(cls, params: Mapping[str, Any], now: dt.datetime) -> CampaignListing:
        made = super().open(params, now)
        if not made.cleaned.get("campaign"):
            made.subject = None  # what waits for a decision must not hide behind another campaign
        return made

    def base(self) -> QuerySet[Any]:
        rows = ChangeRequest.objects.select_related("maker", "checker").order_by("-pk")
        return rows.filter(campaign=self.subject) if self.subject else rows

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "made_at"))
        for name, column in (("verb", "verb"), ("state", "state"), ("department", "maker_department")):
            if cleaned.get(name):
                rows = rows.filter(**{column: cleaned[name]})
        return rows


class NoFilters(forms.Form):
    """A list that needs none."""


class Campaigns(Listing):
    """活动与方案."""

    code = "campaigns"
    title = "活动与方案"
    nothing = "还没有活动：由工信局按“导入方案”"
    Filters = NoFilters
    columns = (
        Column("活动", str, link=lambda c: reverse("admin:coupons_campaign_page", args=[c.pk]), width=24),
        Column("县（市、区）", lambda c: c.county),
        Column("依据文件", lambda c: c.document, width=24),
        Column("资金总额（元）", lambda c: c.budget_fen, Kind.MONEY),
        Column("门槛倍数", lambda c: c.multiplier, Kind.COUNT),
        Column("轮次", lambda c: c.round_count, Kind.COUNT),
        Column("方案问题", lambda c: c.finding_count, Kind.COUNT),
        Column("上线时间", lambda c: c.launched_at, Kind.MOMENT, width=20),
        Column(
            "状态",
            lambda c: "已结账" if c.closed_at else "进行中" if c.launched_at else "未上线",
            tone=lambda c: "off" if c.closed_at else "good" if c.launched_at else "wait",
        ),
    )

    def base(self) -> QuerySet[Any]:
        return Campaign.objects.annotate(
            round_count=Count("rounds", distinct=True), finding_count=Count("findings", distinct=True)
        ).order_by("-launched_at", "-pk")


AWAITED = "待摇号"  # registration has ended and somebody is still to be drawn


def round_words(round_: Round, now: dt.datetime, joint: str = "") -> str:
    """Return a round's state as people say it; ``joint`` is what ``joint_words`` says of it."""
    also = f"，{joint}" if joint else ""
    if round_.paused_at:
        return f"已暂停{also}"
    state = round_.state(now)
    if state == "over":
        return f"已入账{also}" if round_.booked_at else f"已结束，待入账{also}"
    if state == "open":
        return joint or "进行中"
    return "已备奖" if round_.dealt_at else "未备奖"


def round_tone(words: str) -> str:
    """Return the tone of a round's state."""
    if words.startswith("已暂停") or words.endswith(("未开奖", "未开完")):
        return "bad"
    return {"进行中": "good", "已备奖": "wait", "已结束，待入账": "wait", AWAITED: "wait"}.get(words, "off")


def joint_words(campaign: Campaign | None, now: dt.datetime) -> dict[int, str]:
    """Return {round: what is to be said of its joint draws}: 待摇号, or which were not held; no query for the wheel."""
    if campaign is None or campaign.draw_mode != Campaign.DrawMode.LOTTERY:
        return {}
    awaited, missed = lottery.awaited(campaign, now), lottery.undrawn(campaign, now)
    said: dict[int, list[str]] = {}
    decks = Deck.objects.filter(pk__in=[*awaited, *missed]).select_related("category")
    for deck in decks.order_by("round", "category__position", "pk") if awaited or missed else ():
        words = f"{deck.category.name}{missed[deck.pk].word}" if deck.pk in missed else AWAITED
        said.setdefault(deck.round_id, []).append(words)
    return {number: "、".join(dict.fromkeys(words)) for number, words in said.items()}


class Rounds(CampaignListing):
    """轮次: times, release, state."""

    code = "rounds"
    title = "轮次"
    nothing = "还没有轮次：先在“活动与方案”导入方案"
    Filters = NoFilters
    columns = (
        Column("轮次", str, link=lambda r: reverse("admin:coupons_round_page", args=[r.pk])),
        Column("抽奖开始", lambda r: r.opens_at, Kind.MOMENT, width=20),
        Column("使用到期", lambda r: r.closes_at, Kind.MOMENT, width=20),
        Column("录入截止", lambda r: r.entry_until, Kind.MOMENT, width=20),
        Column("投放（张）", lambda r: r.released, Kind.COUNT, total="released"),
        Column("已抽（张）", lambda r: r.drawn, Kind.COUNT, total="drawn"),
        Column("状态", lambda r: r.words, tone=lambda r: round_tone(r.words), width=24),
        Column("暂停公告", lambda r: r.pause_notice, width=30),
    )

    def base(self) -> QuerySet[Any]:
        return Round.objects.filter(campaign=self.subject).order_by("number")

    def finish(self, rows: list[Any]) -> list[Any]:
        released, drawn = self._counts()
        joint = joint_words(self.subject, self.now)
        for row in rows:
            row.released, row.drawn = released.get(row.pk, 0), drawn.get(row.pk, 0)
            row.words = round_words(row, self.now, joint.get(row.pk, ""))
        return rows

    def _counts(self) -> tuple[dict[int, int], dict[int, int]]:
        rounds = Round.objects.filter(campaign=self.subject)
        released = dict(rounds.annotate(n=Sum("allotments__count", default=0)).values_list("pk", "n"))
        drawn = dict(rounds.annotate(n=Sum("decks__next_ticket", default=0)).values_list("pk", "n"))
        return released, drawn

    def sums(self) -> dict[str, int]:
        released, drawn = self._counts()
        return {"released": sum(released.values()), "drawn": sum(drawn.values())}


class Categories(CampaignListing):
    """品类: how each is drawn and entered, and whether it stands still."""

    code = "categories"
    title = "品类"
    Filters = NoFilters
    columns = (
        Column("品类", lambda c: c.name),
        Column("代码", lambda c: c.code, only="workbook"),
        Column("别名", lambda c: "、".join(c.aliases), width=24),
        Column("消费种类", lambda c: c.kind_label),
        Column("填法", lambda c: c.get_kind_type_display()),
        Column("选项", lambda c: "、".join(c.kind_choices), width=24),
        Column("每轮抽奖次数", lambda c: c.turns, Kind.COUNT),
        Column("每轮空奖数", lambda c: c.blanks, Kind.COUNT),
        Column("不得现金", lambda c: "是" if c.cashless else "否"),
        Column(
            "状态",
            lambda c: "已暂停" if c.paused_at else "启用" if c.is_active else "不投放",
            tone=lambda c: "bad" if c.paused_at else "good" if c.is_active else "off",
        ),
        Column("暂停公告", lambda c: c.pause_notice, width=30),
    )

    def base(self) -> QuerySet[Any]:
        return Category.objects.filter(campaign=self.subject).order_by("position", "pk")
