"""The lists of the back office that need shops: 优惠券领取, 优惠券使用, 商家管理 and what belongs to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Count, Prefetch, Q, QuerySet, Sum
from django.urls import reverse

from coupons.desk import CampaignListing, is_lapsed
from coupons.models import Coupon
from huigou.listing import (
    Column,
    DaysForm,
    Kind,
    NameField,
    PhoneField,
    PickField,
    WordField,
    by_name,
    by_phone,
    within,
)
from merchants.models import Clerk, Complaint, Inspection, Merchant, Outlet, Redemption

State = Coupon.State
Spent = Redemption.State

# 使用情况 as the bureau's page writes it, and what it means for a coupon at an instant.
UNUSED, SENT, USED, LAPSED, FORFEITED = (
    "未使用 未发送",
    "使用 已发送商家",
    "已使用 已发送商家",
    "已过期",
    "已发送商家 未录入（商家放弃）",
)
USE_CODES = {"unused": UNUSED, "sent": SENT, "used": USED, "lapsed": LAPSED, "forfeited": FORFEITED}
USE_TONES = {UNUSED: "", SENT: "wait", USED: "good", LAPSED: "off", FORFEITED: "bad"}


def use_words(coupon: Coupon, now: dt.datetime) -> str:
    """Return 使用情况 of a coupon at an instant, whether or not the expiry is booked."""
    if coupon.state == State.HELD:
        return LAPSED if coupon.expires_at <= now else UNUSED
    return {State.PENDING: SENT, State.USED: USED, State.EXPIRED: LAPSED, State.FORFEITED: FORFEITED}[
        State(coupon.state)
    ]


def in_use_state(code: str, now: dt.datetime) -> Q:
    """Return the condition of the filter 状态."""
    return {
        "unused": Q(state=State.HELD, expires_at__gt=now),
        "sent": Q(state=State.PENDING),
        "used": Q(state=State.USED),
        "lapsed": is_lapsed(now),
        "forfeited": Q(state=State.FORFEITED),
    }[code]


# ---- 优惠券领取


class CouponFilters(DaysForm):
    name = NameField()
    phone = PhoneField()
    category = PickField("品类")
    state = PickField("状态", list(USE_CODES.items()))
    face = PickField("面额")
    round = PickField("轮次")
    channel = PickField("途径", [("self", "本人"), ("station", "服务站代抽")])


class Coupons(CampaignListing):
    """优惠券领取（领取情况）."""

    code = "coupons"
    title = "优惠券领取"
    Filters = CouponFilters
    more = frozenset({"face", "round", "channel"})
    deeds_heading = "退回"
    columns = (
        Column("金额", lambda c: c.face_fen, Kind.FACE, total="face", width=10),
        Column("类型（品类）", lambda c: c.batch.category.name, width=12),
        Column("姓名", lambda c: c.holder.person.masked_name, full=lambda c: c.holder.person.name or "", width=10),
        Column("微信名", lambda c: c.holder.wechat_name, width=18),
        Column("手机号", lambda c: c.holder.person.masked_phone, full=lambda c: c.holder.person.phone or "", width=14),
        Column("使用情况", lambda c: c.use, tone=lambda c: USE_TONES[c.use], width=20),
        Column("商家", lambda c: c.spent.outlet.name if c.spent else "", width=20),
        Column(
            "领取时间",
            lambda c: c.drawn_at,
            Kind.MOMENT,
            width=20,
            link=lambda c: reverse("admin:coupons_coupon_page", args=[c.pk]),
        ),
        Column("轮次", lambda c: f"第{c.round.number}轮", width=8, only="workbook"),
        Column("到期时间", lambda c: c.expires_at, Kind.MOMENT, width=20, only="workbook"),
        Column("券号", lambda c: c.pk, width=10, only="workbook"),
    )

    def prepare(self, form: forms.Form) -> None:
        form.fields["category"].choices = [("", "全部…"), *self.categories()]  # type: ignore[attr-defined]
        form.fields["face"].choices = [("", "全部…"), *self.faces()]  # type: ignore[attr-defined]
        rounds = self.subject.rounds.order_by("number") if self.subject else []
        form.fields["round"].choices = [("", "全部…"), *((str(r.number), str(r)) for r in rounds)]  # type: ignore[attr-defined]

    def base(self) -> QuerySet[Any]:
        spent = Redemption.objects.filter(state__in=[Spent.PENDING, Spent.USED, Spent.FORFEITED])
        return (
            Coupon.objects.filter(round__campaign=self.subject)
            .select_related("holder__person", "batch__category", "round")
            .prefetch_related(Prefetch("redemptions", spent.select_related("outlet"), to_attr="spending"))
            .order_by("-pk")
        )

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "drawn_at"))
        if cleaned.get("name"):
            rows = rows.filter(by_name(cleaned["name"], "holder__person"))
        if cleaned.get("phone"):
            rows = rows.filter(by_phone(cleaned["phone"], "holder__person"))
        if cleaned.get("category"):
            rows = rows.filter(batch__category__code=cleaned["category"])
        if cleaned.get("face"):
            rows = rows.filter(face_fen=int(cleaned["face"]))
        if cleaned.get("round"):
            rows = rows.filter(round__number=int(cleaned["round"]))
        if cleaned.get("state"):
            rows = rows.filter(in_use_state(cleaned["state"], self.now))
        if cleaned.get("channel"):
            rows = rows.filter(draw__channel=cleaned["channel"])
        return rows

    def finish(self, rows: list[Any]) -> list[Any]:
        for row in rows:
            row.spent = row.spending[0] if row.spending else None
            row.use = use_words(row, self.now)
        return rows

    def sums(self) -> dict[str, int]:
        return {"face": self.rows.order_by().aggregate(s=Sum("face_fen"))["s"] or 0}


# ---- 优惠券使用


class UseFilters(DaysForm):
    outlet = WordField("店面")
    clerk = NameField("员工名称")
    phone = PhoneField("买家手机号")
    category = PickField("品类")
    face = PickField("面额")
    round = PickField("轮次")
    stat = PickField("统计状态", Merchant.StatStatus.choices)
    merchant = PickField("商家")
    place = forms.IntegerField(label="店面编号", required=False, widget=forms.HiddenInput)


def kind_words(redemption: Redemption) -> str:
    """Return what was entered as the kind with its unit: 3（人）, 92号汽油."""
    unit = redemption.category.kind_unit
    return f"{redemption.kind}（{unit}）" if unit and redemption.kind else redemption.kind


def clerk_wechat(redemption: Redemption) -> str:
    return redemption.clerk.wechat_name


class Uses(CampaignListing):
    """优惠券使用（消费情况）: every coupon that was entered and not given back."""

    code = "uses"
    title = "优惠券使用"
    Filters = UseFilters
    more = frozenset({"face", "round", "stat", "merchant"})
    deeds_heading = "操作"
    columns = (
        Column(
            "商家",
            lambda r: r.outlet.name,
            width=20,
            link=lambda r: reverse("admin:merchants_redemption_page", args=[r.pk]),
        ),
        Column("员工微信号", clerk_wechat, width=14),
        Column("员工姓名", lambda r: r.clerk.person.masked_name, full=lambda r: r.clerk.person.name or "", width=10),
        Column("员工电话", lambda r: r.clerk.person.masked_phone, full=lambda r: r.clerk.person.phone or "", width=14),
        Column("金额", lambda r: r.face_fen, Kind.FACE, total="face", width=10),
        Column("买家微信号", lambda r: r.consumer.wechat_name, width=16),
        Column(
            "买家手机号",
            lambda r: r.consumer.person.masked_phone,
            full=lambda r: r.consumer.person.phone or "",
            width=14,
        ),
        Column("消费人数·加油品类", kind_words, width=16),
        Column("消费金额", lambda r: r.amount_fen, Kind.MONEY, total="amount", width=12),
        Column("备注", lambda r: r.note, width=26),
        Column("确认时间", lambda r: r.completed_at, Kind.MOMENT, width=20),
        Column("品类", lambda r: r.category.name, width=10, only="workbook"),
        Column("企业名称", lambda r: r.merchant.name, width=24, only="workbook"),
        Column("统计状态", lambda r: r.merchant.get_stat_status_display(), width=14, only="workbook"),
        Column("小票号", lambda r: r.receipt_no, width=14, only="workbook"),
        Column("付款方式", lambda r: r.get_payment_display() if r.payment else "", width=10, only="workbook"),
        Column("扫码时间", lambda r: r.scanned_at, Kind.MOMENT, width=20, only="workbook"),
        Column("券号", lambda r: r.coupon_id, width=10, only="workbook"),
    )

    def prepare(self, form: forms.Form) -> None:
        form.fields["category"].choices = [("", "全部…"), *self.categories()]  # type: ignore[attr-defined]
        form.fields["face"].choices = [("", "全部…"), *self.faces()]  # type: ignore[attr-defined]
        rounds = self.subject.rounds.order_by("number") if self.subject else []
        form.fields["round"].choices = [("", "全部…"), *((str(r.number), str(r)) for r in rounds)]  # type: ignore[attr-defined]
        merchants = Merchant.objects.filter(campaign=self.subject).values_list("pk", "name")
        form.fields["merchant"].choices = [("", "全部…"), *((str(pk), name) for pk, name in merchants)]  # type: ignore[attr-defined]

    def base(self) -> QuerySet[Any]:
        return (
            Redemption.objects.counted()
            .filter(merchant__campaign=self.subject)
            .select_related("outlet", "merchant", "category", "clerk__person", "consumer__person")
            .order_by("-completed_at", "-pk")
        )

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "completed_at"))
        if words := cleaned.get("outlet"):
            # Shops are few: their numbers are found first, so that the long table is read by its index.
            places = Outlet.objects.filter(Q(name__icontains=words) | Q(merchant__name__icontains=words))
            rows = rows.filter(outlet__in=list(places.values_list("pk", flat=True)))
        if kept := cleaned.get("clerk"):
            rows = rows.filter(
                clerk__in=list(Clerk.objects.filter(by_name(kept, "person")).values_list("pk", flat=True))
            )
        if cleaned.get("phone"):
            rows = rows.filter(by_phone(cleaned["phone"], "consumer__person"))
        if cleaned.get("category"):
            rows = rows.filter(category__code=cleaned["category"])
        if cleaned.get("face"):
            rows = rows.filter(face_fen=int(cleaned["face"]))
        if cleaned.get("round"):
            rows = rows.filter(coupon__round__number=int(cleaned["round"]))
        if cleaned.get("stat"):
            rows = rows.filter(merchant__stat_status=cleaned["stat"])
        if cleaned.get("merchant"):
            rows = rows.filter(merchant_id=int(cleaned["merchant"]))
        if cleaned.get("place"):
            rows = rows.filter(outlet_id=cleaned["place"])
        return rows

    def sums(self) -> dict[str, int]:
        sums = self.rows.order_by().aggregate(face=Sum("face_fen"), amount=Sum("amount_fen"))
        return {name: value or 0 for name, value in sums.items()}


# ---- 商家管理


class MerchantFilters(forms.Form):
    words = WordField("企业名称")
    category = PickField("品类")
    stat = PickField("统计状态", Merchant.StatStatus.choices)
    state = PickField("状态", Merchant.State.choices)


MERCHANT_TONES = {"applied": "wait", "active": "good", "suspended": "bad", "blacklisted": "bad", "left": "off"}


class Merchants(CampaignListing):
    """商家管理."""

    code = "merchants"
    title = "商家管理"
    Filters = MerchantFilters
    columns = (
        Column("序号", lambda m: m.seq or m.pk, width=6),
        Column(
            "企业名称", lambda m: m.name, width=28, link=lambda m: reverse("admin:merchants_merchant_page", args=[m.pk])
        ),
        Column("品类", lambda m: "、".join(c.name for c in m.categories.all()), width=16),
        Column("统计状态", lambda m: m.get_stat_status_display(), width=14),
        Column("企业地址", lambda m: m.address, width=26),
        Column("联系电话", lambda m: m.phone, width=14),
        Column("店面", lambda m: m.outlet_count, Kind.COUNT, width=6),
        Column("员工", lambda m: m.clerk_count, Kind.COUNT, width=6),
        Column(
            "承诺书",
            lambda m: "已登记" if m.letter_count else "未登记",
            tone=lambda m: "good" if m.letter_count else "wait",
            width=8,
        ),
        Column("状态", lambda m: m.get_state_display(), tone=lambda m: MERCHANT_TONES[m.state], width=10),
        Column("状态说明", lambda m: m.state_reason, width=24, only="workbook"),
        Column("企业让利", lambda m: m.offer, width=24, only="workbook"),
    )

    def prepare(self, form: forms.Form) -> None:
        form.fields["category"].choices = [("", "全部…"), *self.categories()]  # type: ignore[attr-defined]

    def base(self) -> QuerySet[Any]:
        return (
            Merchant.objects.filter(campaign=self.subject)
            .prefetch_related("categories")
            .annotate(
                outlet_count=Count("outlets", distinct=True),
                clerk_count=Count("outlets__clerks", filter=Q(outlets__clerks__unbound_at=None), distinct=True),
                letter_count=Count("letters", distinct=True),
            )
            .order_by("seq", "pk")
        )

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        if cleaned.get("words"):
            rows = rows.filter(name__icontains=cleaned["words"])
        if cleaned.get("category"):
            rows = rows.filter(categories__code=cleaned["category"])
        if cleaned.get("stat"):
            rows = rows.filter(stat_status=cleaned["stat"])
        if cleaned.get("state"):
            rows = rows.filter(state=cleaned["state"])
        return rows


# ---- 员工、投诉、检查


class ClerkFilters(DaysForm):
    outlet = WordField("店面")
    name = NameField("员工姓名")
    phone = PhoneField("员工电话")
    bound = PickField("状态", [("bound", "已绑定"), ("unbound", "已解绑")])


class Clerks(CampaignListing):
    """员工: who is bound to which place."""

    code = "clerks"
    title = "员工"
    Filters = ClerkFilters
    columns = (
        Column("店面", lambda c: c.outlet.name, width=20),
        Column("企业名称", lambda c: c.outlet.merchant.name, width=24),
        Column("员工姓名", lambda c: c.person.masked_name, full=lambda c: c.person.name or "", width=10),
        Column("员工电话", lambda c: c.person.masked_phone, full=lambda c: c.person.phone or "", width=14),
        Column("员工微信号", lambda c: c.wechat_name, width=16),
        Column("店主", lambda c: "是" if c.is_owner else "否", width=6),
        Column("绑定时间", lambda c: c.bound_at, Kind.MOMENT, width=20),
        Column(
            "状态",
            lambda c: "已解绑" if c.unbound_at else "已绑定",
            tone=lambda c: "off" if c.unbound_at else "good",
            width=8,
        ),
    )

    def base(self) -> QuerySet[Any]:
        rows = Clerk.objects.filter(outlet__merchant__campaign=self.subject)
        return rows.select_related("outlet__merchant", "person").order_by("-pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "bound_at"))
        if words := cleaned.get("outlet"):
            rows = rows.filter(Q(outlet__name__icontains=words) | Q(outlet__merchant__name__icontains=words))
        if cleaned.get("name"):
            rows = rows.filter(by_name(cleaned["name"], "person"))
        if cleaned.get("phone"):
            rows = rows.filter(by_phone(cleaned["phone"], "person"))
        if cleaned.get("bound"):
            rows = rows.filter(unbound_at__isnull=cleaned["bound"] == "bound")
        return rows


COMPLAINT_TONES = {"new": "wait", "working": "wait", "upheld": "bad", "rejected": "off"}


class ComplaintFilters(DaysForm):
    words = WordField("商家")
    state = PickField("状态", Complaint.State.choices)


class Complaints(CampaignListing):
    """投诉: what consumers report, followed to an end."""

    code = "complaints"
    title = "投诉处理"
    Filters = ComplaintFilters
    columns = (
        Column("编号", lambda c: c.pk, width=8),
        Column("商家", lambda c: c.merchant.name, width=24),
        Column("买家", lambda c: c.consumer.person.masked_phone, width=14),
        Column(
            "内容", lambda c: c.text, width=44, link=lambda c: reverse("admin:merchants_complaint_page", args=[c.pk])
        ),
        Column("投诉时间", lambda c: c.made_at, Kind.MOMENT, width=20),
        Column("状态", lambda c: c.get_state_display(), tone=lambda c: COMPLAINT_TONES[c.state], width=8),
        Column("处理结果", lambda c: c.answer, width=30),
        Column("办结时间", lambda c: c.ended_at, Kind.MOMENT, width=20),
    )

    def base(self) -> QuerySet[Any]:
        rows = Complaint.objects.filter(merchant__campaign=self.subject)
        return rows.select_related("merchant", "consumer__person").order_by("-pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "made_at"))
        if cleaned.get("words"):
            rows = rows.filter(merchant__name__icontains=cleaned["words"])
        return rows.filter(state=cleaned["state"]) if cleaned.get("state") else rows


class InspectionFilters(DaysForm):
    words = WordField("商家")


class Inspections(CampaignListing):
    """检查记录."""

    code = "inspections"
    title = "检查记录"
    Filters = InspectionFilters
    columns = (
        Column("检查日期", lambda i: i.visited_on, Kind.DAY, width=12),
        Column("商家", lambda i: i.merchant.name, width=24),
        Column("检查人", lambda i: str(i.inspector), width=18),
        Column("检查情况", lambda i: i.finding, width=44),
        Column(
            "结论",
            lambda i: "发现违约" if i.is_breach else "未发现违约",
            tone=lambda i: "bad" if i.is_breach else "good",
            width=10,
        ),
        Column("照片", lambda i: len(i.photos.all()), Kind.COUNT, width=6),
    )

    def base(self) -> QuerySet[Any]:
        rows = Inspection.objects.filter(merchant__campaign=self.subject)
        return rows.select_related("merchant", "inspector").prefetch_related("photos").order_by("-visited_on", "-pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        if cleaned.get("since"):
            rows = rows.filter(visited_on__gte=cleaned["since"])
        if cleaned.get("until"):
            rows = rows.filter(visited_on__lte=cleaned["until"])
        return rows.filter(merchant__name__icontains=cleaned["words"]) if cleaned.get("words") else rows


class OutletFilters(forms.Form):
    words = WordField("店面或企业")
    state = PickField("状态", [("on", "营业"), ("off", "停业")])


class Outlets(CampaignListing):
    """店面."""

    code = "outlets"
    title = "店面"
    Filters = OutletFilters
    columns = (
        Column("店面", lambda o: o.name, width=24, link=lambda o: reverse("admin:merchants_outlet_page", args=[o.pk])),
        Column("企业名称", lambda o: o.merchant.name, width=24),
        Column("地址", lambda o: o.address, width=30),
        Column("电话", lambda o: o.phone, width=14),
        Column("营业时间", lambda o: o.hours, width=16),
        Column("状态", lambda o: "营业" if o.is_active else "停业", tone=lambda o: "good" if o.is_active else "off"),
    )

    def base(self) -> QuerySet[Any]:
        return (
            Outlet.objects.filter(merchant__campaign=self.subject)
            .select_related("merchant")
            .order_by("merchant__seq", "pk")
        )

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        if words := cleaned.get("words"):
            rows = rows.filter(Q(name__icontains=words) | Q(merchant__name__icontains=words))
        return rows.filter(is_active=cleaned["state"] == "on") if cleaned.get("state") else rows
