"""买家管理, 排除名单 and who looked at whose number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.urls import reverse

from coupons import tallies
from coupons.desk.campaign import CampaignListing, blocks, days, people
from coupons.models import (
    Campaign,
    Consumer,
    Coupon,
    Exclusion,
    Notice,
    Reveal,
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
    within,
)
from huigou.paging import Stretch

State = Coupon.State


class ConsumerFilters(DaysForm):
    name = NameField()
    phone = PhoneField()
    place = PickField("位置核对", Consumer.Place.choices)
    bound = PickField("状态", [("bound", "已绑定"), ("unbound", "已解绑")])


class Consumers(CampaignListing):
    """买家管理: who is bound, and how many coupons each drew and used in this campaign."""

    code = "consumers"
    title = "买家管理"
    nothing = "还没有人绑定：买家在手机上绑定后列在这里"
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
        Column("微信名", lambda c: c.wechat_name, width=18, of_person=True),
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


class ExclusionFilters(DaysForm):
    phone = PhoneField("手机号")
    source = PickField("来源", Exclusion.Source.choices)
    state = PickField("状态", [("in", "在名单"), ("out", "已移出")])
    drew = PickField("本期领取", [("yes", "领取过")])


class Exclusions(Listing):
    """排除名单: by keyed hash, nobody's number is stored."""

    code = "exclusions"
    title = "排除名单"
    nothing = "名单还是空的：按“添加”加入，商家员工绑定后自动加入"
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
    nothing = "还没有公告"
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
    nothing = "还没有人查看过完整姓名或手机号"
    Filters = RevealFilters
    columns = (
        Column("时间", lambda r: r.at, Kind.MOMENT, width=20),
        Column("查看人", lambda r: str(r.staff), width=20),
        Column("个人信息", lambda r: str(r.person), width=20, of_person=True),
        Column("理由", lambda r: r.reason, width=40),
    )

    def base(self) -> QuerySet[Any]:
        return Reveal.objects.select_related("staff", "person").order_by("-pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "at"))
        return rows.filter(reason__icontains=cleaned["words"]) if cleaned.get("words") else rows
