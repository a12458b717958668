"""商家管理, 店面 and 员工."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from coupons.desk import CampaignListing, people
from huigou.listing import (
    Column,
    Kind,
    NameField,
    PhoneField,
    PickField,
    WordField,
    within,
)
from merchants.desk.one_firm import FirmForm, OfOneFirm
from merchants.models import Clerk, Merchant, Outlet


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
    nothing = "还没有商家：由工信局导入附件2，或按“添加”"
    Filters = MerchantFilters
    columns = (
        Column("序号", lambda m: m.seq or m.pk, width=6),
        Column(
            "企业名称", lambda m: m.name, width=28, link=lambda m: reverse("admin:merchants_merchant_page", args=[m.pk])
        ),
        Column("品类", lambda m: "、".join(c.name for c in m.categories.all()), width=16),
        Column("统计状态", lambda m: m.get_stat_status_display(), width=14),
        Column("企业地址", lambda m: m.address, width=26),
        Column("联系电话", lambda m: m.phone, width=14, one_line=True),
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
        Column("电话", lambda o: o.phone, width=14, one_line=True),
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


class ClerkFilters(FirmForm):
    outlet = WordField("店面")
    name = NameField("员工姓名")
    phone = PhoneField("员工电话")
    bound = PickField("状态", [("bound", "已绑定"), ("unbound", "已解绑")])


class Clerks(OfOneFirm, CampaignListing):
    """员工: who is bound to which place."""

    firm_at = "outlet__merchant"

    code = "clerks"
    title = "员工"
    nothing = "还没有员工：员工用验证码绑定后列在这里"
    Filters = ClerkFilters
    columns = (
        Column("店面", lambda c: c.outlet.name, width=20),
        Column("企业名称", lambda c: c.outlet.merchant.name, width=24),
        Column("员工姓名", lambda c: c.person.masked_name, full=lambda c: c.person.name or "", width=10),
        Column("员工电话", lambda c: c.person.masked_phone, full=lambda c: c.person.phone or "", width=14),
        Column("员工微信号", lambda c: c.wechat_name, width=16, of_person=True),
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
        rows = self.of_firm(rows).filter(within(cleaned, "bound_at"))
        if words := cleaned.get("outlet"):
            rows = rows.filter(Q(outlet__name__icontains=words) | Q(outlet__merchant__name__icontains=words))
        if cleaned.get("name") or cleaned.get("phone"):
            rows = rows.filter(person__in=people(cleaned.get("name", ""), cleaned.get("phone", "")))
        if cleaned.get("bound"):
            rows = rows.filter(unbound_at__isnull=cleaned["bound"] == "bound")
        return rows
