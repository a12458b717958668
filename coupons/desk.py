"""The lists of the back office that ``coupons`` alone can answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Sum
from django.urls import reverse
from django.utils.functional import cached_property

from coupons import tallies
from coupons.models import (
    Batch,
    Campaign,
    Category,
    ChangeRequest,
    Consumer,
    Coupon,
    Exclusion,
    Notice,
    Person,
    Reveal,
    Round,
)
from huigou.listing import (
    Column,
    DaysForm,
    Kind,
    Listing,
    NameField,
    PhoneField,
    PickField,
    WordField,
    by_name,
    by_phone,
    within,
)
from huigou.models import Department
from huigou.money import short_yuan
from huigou.paging import Stretch
from huigou.roles import CHANGES

State = Coupon.State


class CampaignListing(Listing):
    """A list about one campaign: the current one, or another chosen in the query bar once there are several."""

    subject: Campaign | None

    @classmethod
    def open(cls, params: Mapping[str, Any], now: dt.datetime) -> CampaignListing:
        campaigns = list(Campaign.objects.order_by("-launched_at", "-pk"))
        launched = [c for c in campaigns if c.launched_at]
        asked = str(params.get("campaign", ""))
        chosen = next((c for c in campaigns if str(c.pk) == asked), None)
        current = chosen or next(iter(launched or campaigns), None)
        made = cls(params, now, current)
        made.add_campaigns(campaigns)
        return made

    def add_campaigns(self, campaigns: list[Campaign]) -> None:
        """Offer the choice where there is one."""
        if len(campaigns) > 1 and "campaign" not in self.form.fields:
            self.form.fields["campaign"] = PickField("活动", [(str(c.pk), str(c)) for c in campaigns])
            self.form.full_clean()
            self.is_valid = self.form.is_valid()

    @property
    def page_size(self) -> int:  # type: ignore[override]
        return self.subject.page_size if self.subject else 20

    def categories(self) -> list[tuple[str, str]]:
        """Return the choices of 品类."""
        rows = Category.objects.filter(campaign=self.subject).values_list("code", "name")
        return [(code, name) for code, name in rows]

    def faces(self) -> list[tuple[str, str]]:
        """Return the choices of 面额."""
        rows = (
            Batch.objects.filter(category__campaign=self.subject)
            .order_by("face_fen")
            .values_list("face_fen", flat=True)
        )
        return [(str(face), f"{short_yuan(face)} 元") for face in rows.distinct()]


# ---- what long lists share


def days(cleaned: Mapping[str, Any], column: str) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions on a cell's day that the query bar's two days make, and their parameters."""
    where, params = [], {}
    for name, sign in (("since", ">="), ("until", "<=")):
        if cleaned.get(name):
            where.append(f"{column} {sign} %({name})s")
            params[name] = cleaned[name]
    return where, params


def blocks(found: Iterable[Sequence[Any]]) -> list[Stretch]:
    """Return the stretches of (block, count, …), newest first."""
    size = tallies.BLOCK
    newest = sorted(found, key=lambda row: row[0], reverse=True)
    return [Stretch(Q(pk__gte=row[0] * size, pk__lt=(row[0] + 1) * size), row[1]) for row in newest]


def people(name: str = "", phone: str = "") -> list[int]:
    """Return the persons of a search; few, and found first, so that a long list is read by their index."""
    rows = Person.objects.all()
    if name:
        rows = rows.filter(by_name(name))
    if phone:
        rows = rows.filter(by_phone(phone))
    return list(rows.values_list("pk", flat=True))


def consumers_of(persons: list[int]) -> list[int]:
    """Return the consumers behind some persons, over each unbinding and binding again."""
    return list(Consumer.objects.filter(person__in=persons).values_list("pk", flat=True))


# ---- 优惠券管理


class BatchFilters(forms.Form):
    category = PickField("品类")


class Batches(CampaignListing):
    """优惠券管理: what the plan gives, what was drawn, used, taken back at expiry, and is still to come.

    总数量 = 领取数量 - 到期收回 + 未发.
    """

    code = "batches"
    title = "优惠券管理"
    Filters = BatchFilters
    columns = (
        Column("券名", lambda b: b.name, width=14),
        Column("面额", lambda b: b.face_fen, Kind.FACE, width=8),
        Column("总数量", lambda b: b.planned, Kind.COUNT, total="planned", width=10),
        Column(
            "领取数量",
            lambda b: b.drawn,
            Kind.COUNT,
            total="drawn",
            width=10,
            link=lambda b: f"{reverse('admin:coupons_coupon_changelist')}?category={b.category.code}&face={b.face_fen}",
        ),
        Column(
            "使用数量",
            lambda b: b.used,
            Kind.COUNT,
            total="used",
            width=10,
            link=lambda b: (
                f"{reverse('admin:merchants_redemption_changelist')}?category={b.category.code}&face={b.face_fen}"
            ),
        ),
        Column("到期收回", lambda b: b.lapsed, Kind.COUNT, total="lapsed", width=10),
        Column("未发", lambda b: b.left, Kind.COUNT, total="left", width=10),
        Column("未发金额", lambda b: b.left * b.face_fen, Kind.MONEY, total="left_fen", width=14),
        Column("品类", lambda b: b.category.name, width=10),
        Column("生成时间", lambda b: b.created_at, Kind.MOMENT, width=20),
    )

    def prepare(self, form: forms.Form) -> None:
        form.fields["category"].choices = [("", "全部…"), *self.categories()]  # type: ignore[attr-defined]

    def base(self) -> QuerySet[Any]:
        return (
            Batch.objects.filter(category__campaign=self.subject)
            .select_related("category")
            .order_by("category__position", "face_fen")
        )

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        return rows.filter(category__code=cleaned["category"]) if cleaned.get("category") else rows

    @cached_property
    def _drawn(self) -> dict[int, tuple[int, int, int]]:
        """Return {batch: (drawn, used, lapsed)}."""
        sums = ("sum(n)", "sum(n) FILTER (WHERE k.state = 'used')", f"sum(n) FILTER (WHERE {LAPSED_CELL})")
        ids = list(Batch.objects.filter(category__campaign=self.subject).values_list("pk", flat=True))
        found = tallies.COUPONS.read(
            ["k.batch_id"], sums, where=["k.batch_id = ANY(%(batches)s)"], batches=ids, now=self.now
        )
        return {batch: (drawn, used, lapsed) for batch, drawn, used, lapsed in found}

    def finish(self, rows: list[Any]) -> list[Any]:
        for row in rows:
            row.drawn, row.used, row.lapsed = self._drawn.get(row.pk, (0, 0, 0))
            row.left = row.planned - row.drawn + row.lapsed
        return rows

    def sums(self) -> dict[str, int]:
        rows = self.finish(list(self.rows))
        sums = {
            name: sum(getattr(row, name) for row in rows) for name in ("planned", "drawn", "used", "lapsed", "left")
        }
        return {**sums, "left_fen": sum(row.left * row.face_fen for row in rows)}


def is_lapsed(now: dt.datetime) -> Q:
    """Return the condition that a coupon has lapsed at an instant, booked or not yet."""
    return Q(state=State.EXPIRED) | Q(state=State.HELD, expires_at__lte=now)


LAPSED_CELL = "(k.state = 'expired' OR (k.state = 'held' AND k.expires_at <= %(now)s))"  # the same of a tally's cell


# ---- 买家管理


class ConsumerFilters(DaysForm):
    name = NameField()
    phone = PhoneField()
    place = PickField("位置核对", Consumer.Place.choices)
    bound = PickField("状态", [("bound", "已绑定"), ("unbound", "已解绑")])


class Consumers(CampaignListing):
    """买家管理: who is bound, and how many coupons each drew and used in this campaign."""

    code = "consumers"
    title = "买家管理"
    Filters = ConsumerFilters
    columns = (
        Column("姓名", lambda c: c.person.masked_name, full=lambda c: c.person.name or "", width=10),
        Column(
            "手机号",
            lambda c: c.person.masked_phone,
            full=lambda c: c.person.phone or "",
            width=14,
            link=lambda c: reverse("admin:coupons_consumer_page", args=[c.pk]),
        ),
        Column("微信名", lambda c: c.wechat_name, width=18),
        Column("位置核对", lambda c: c.get_place_display(), width=10),
        Column("领取", lambda c: c.drawn, Kind.COUNT, width=8),
        Column("使用", lambda c: c.used, Kind.COUNT, width=8),
        Column("绑定时间", lambda c: c.bound_at, Kind.MOMENT, width=20),
        Column("状态", lambda c: "已解绑" if c.unbound_at else "已绑定", width=8),
    )

    def base(self) -> QuerySet[Any]:
        return Consumer.objects.select_related("person").order_by("-pk")

    def is_search(self) -> bool:
        return bool(self.cleaned.get("name") or self.cleaned.get("phone"))

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "bound_at"))
        if self.is_search():
            rows = rows.filter(person__in=people(cleaned.get("name", ""), cleaned.get("phone", "")))
        if cleaned.get("place"):
            rows = rows.filter(place=cleaned["place"])
        if cleaned.get("bound"):
            rows = rows.filter(unbound_at__isnull=cleaned["bound"] == "bound")
        return rows

    def stretches(self) -> list[Stretch]:
        where, params = days(self.cleaned, "k.day")
        for name, condition, value in (
            ("place", "k.place = %(place)s", self.cleaned.get("place")),
            ("bound", "k.is_bound = %(bound)s", self.cleaned.get("bound") == "bound"),
        ):
            if self.cleaned.get(name):
                where.append(condition)
                params[name] = value
        return blocks(tallies.CONSUMERS.read(["k.block"], where=where, **params))

    def finish(self, rows: list[Any]) -> list[Any]:
        """Count each holder's coupons for all rows of a page in one query."""
        counted = (
            Coupon.objects.filter(holder__in=[row.pk for row in rows], round__campaign=self.subject)
            .values("holder_id")
            .annotate(drawn=Count("pk"), used=Count("pk", filter=Q(state=State.USED)))
        )
        by_holder = {row["holder_id"]: row for row in counted}
        for row in rows:
            found: Mapping[str, Any] = by_holder.get(row.pk, {})
            row.drawn, row.used = found.get("drawn", 0), found.get("used", 0)
        return rows


# ---- 审批事项


class ChangeFilters(DaysForm):
    verb = PickField("事项", [(verb, step.title) for verb, step in CHANGES.items()])
    state = PickField("状态", ChangeRequest.State.choices)
    department = PickField("经办部门", Department.choices)


CHANGE_TONES = {"proposed": "wait", "approved": "good", "rejected": "bad", "void": "off"}


class Changes(CampaignListing):
    """审批事项: what one department asks for and another decides."""

    code = "changes"
    title = "审批事项"
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


# ---- 活动、轮次、品类


class NoFilters(forms.Form):
    """A list that needs none."""


class Campaigns(Listing):
    """活动与方案."""

    code = "campaigns"
    title = "活动与方案"
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


def round_words(round_: Round, now: dt.datetime) -> str:
    """Return a round's state as people say it."""
    if round_.paused_at:
        return "已暂停"
    state = round_.state(now)
    if state == "over":
        return "已入账" if round_.booked_at else "已结束，待入账"
    if state == "open":
        return "进行中"
    return "已备奖" if round_.dealt_at else "未备奖"


ROUND_TONES = {"已暂停": "bad", "进行中": "good", "已备奖": "wait", "已结束，待入账": "wait"}


class Rounds(CampaignListing):
    """轮次: times, release, state."""

    code = "rounds"
    title = "轮次"
    Filters = NoFilters
    columns = (
        Column("轮次", str, link=lambda r: reverse("admin:coupons_round_page", args=[r.pk])),
        Column("抽奖开始", lambda r: r.opens_at, Kind.MOMENT, width=20),
        Column("使用到期", lambda r: r.closes_at, Kind.MOMENT, width=20),
        Column("录入截止", lambda r: r.entry_until, Kind.MOMENT, width=20),
        Column("投放（张）", lambda r: r.released, Kind.COUNT, total="released"),
        Column("已抽（张）", lambda r: r.drawn, Kind.COUNT, total="drawn"),
        Column("状态", lambda r: r.words, tone=lambda r: ROUND_TONES.get(r.words, "off"), width=12),
        Column("暂停公告", lambda r: r.pause_notice, width=30),
    )

    def base(self) -> QuerySet[Any]:
        return Round.objects.filter(campaign=self.subject).order_by("number")

    def finish(self, rows: list[Any]) -> list[Any]:
        released, drawn = self._counts()
        for row in rows:
            row.released, row.drawn = released.get(row.pk, 0), drawn.get(row.pk, 0)
            row.words = round_words(row, self.now)
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
        Column("代码", lambda c: c.code),
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


# ---- 排除名单、公告、查看记录


class ExclusionFilters(DaysForm):
    phone = PhoneField("手机号")
    source = PickField("来源", Exclusion.Source.choices)
    state = PickField("状态", [("in", "在名单"), ("out", "已移出")])
    drew = PickField("本期领取", [("yes", "领取过")])


class Exclusions(Listing):
    """排除名单: by keyed hash, nobody's number is stored."""

    code = "exclusions"
    title = "排除名单"
    Filters = ExclusionFilters
    columns = (
        Column("编号", lambda e: e.pk),
        Column("来源", lambda e: e.get_source_display()),
        Column("说明", lambda e: e.note, width=30),
        # Where the policy lets them take part, this is what 纪委监委 looks for; where it does not, it stays empty.
        Column(
            "本期领取",
            lambda e: e.drawn,
            Kind.COUNT,
            link=lambda e: reverse("admin:coupons_consumer_page", args=[e.consumer]) if e.consumer else "",
        ),
        Column("加入时间", lambda e: e.added_at, Kind.MOMENT, width=20),
        Column("移出时间", lambda e: e.removed_at, Kind.MOMENT, width=20),
        Column(
            "状态",
            lambda e: "已移出" if e.removed_at else "在名单",
            tone=lambda e: "off" if e.removed_at else "wait",
        ),
    )

    def base(self) -> QuerySet[Any]:
        return Exclusion.objects.order_by("-pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "added_at"))
        if kept := cleaned.get("phone"):
            # Only the whole number is kept, hashed: four digits find nobody here.
            key = bytes.fromhex(kept.partition("~")[0]) if "~" in kept else b""
            rows = rows.filter(phone_key=key)
        if cleaned.get("source"):
            rows = rows.filter(source=cleaned["source"])
        if cleaned.get("state"):
            rows = rows.filter(removed_at__isnull=cleaned["state"] == "in")
        if cleaned.get("drew"):
            drew = Coupon.objects.filter(
                holder__person__phone_key=OuterRef("phone_key"), round__campaign=Campaign.objects.current()
            )
            rows = rows.filter(Exists(drew))
        return rows

    def finish(self, rows: list[Any]) -> list[Any]:
        """Count what each number drew in the current campaign, for all rows of a page in one query."""
        drawn = Coupon.objects.filter(
            holder__person__phone_key__in=[row.phone_key for row in rows], round__campaign=Campaign.objects.current()
        )
        counted = {
            bytes(key): (count, holder)
            for key, count, holder in drawn.values_list("holder__person__phone_key").annotate(
                Count("pk"), Max("holder_id")
            )
        }
        for row in rows:
            row.drawn, row.consumer = counted.get(bytes(row.phone_key), (0, None))
        return rows


class NoticeFilters(DaysForm):
    words = WordField("标题")


class Notices(CampaignListing):
    """公告."""

    code = "notices"
    title = "公告"
    Filters = NoticeFilters
    columns = (
        Column("标题", lambda n: n.title, width=30),
        Column("内容", lambda n: n.body if len(n.body) < 60 else n.body[:58] + "…", width=50),
        Column("开始展示", lambda n: n.shown_from, Kind.MOMENT, width=20),
        Column("结束展示", lambda n: n.shown_until, Kind.MOMENT, width=20),
        Column("状态", lambda n: n.words, tone=lambda n: {"展示中": "good", "待展示": "wait"}.get(n.words, "off")),
    )

    def base(self) -> QuerySet[Any]:
        return Notice.objects.filter(campaign=self.subject).order_by("-shown_from", "-pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "shown_from"))
        return rows.filter(title__icontains=cleaned["words"]) if cleaned.get("words") else rows

    def finish(self, rows: list[Any]) -> list[Any]:
        for row in rows:
            over = row.shown_until is not None and row.shown_until <= self.now
            row.words = "已结束" if over else "展示中" if row.shown_from <= self.now else "待展示"
        return rows


class RevealFilters(DaysForm):
    words = WordField("理由")


class Reveals(Listing):
    """个人信息查看记录: who looked at whose full number, and why."""

    code = "reveals"
    title = "个人信息查看记录"
    Filters = RevealFilters
    columns = (
        Column("时间", lambda r: r.at, Kind.MOMENT, width=20),
        Column("查看人", lambda r: str(r.staff), width=20),
        Column("个人信息", lambda r: str(r.person), width=20),
        Column("理由", lambda r: r.reason, width=40),
    )

    def base(self) -> QuerySet[Any]:
        return Reveal.objects.select_related("staff", "person").order_by("-pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "at"))
        return rows.filter(reason__icontains=cleaned["words"]) if cleaned.get("words") else rows
