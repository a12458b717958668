"""优惠券使用: every coupon that was entered and not given back, and the conditions that its figures share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Q, QuerySet, Sum
from django.urls import reverse
from django.utils.functional import cached_property

from coupons.desk import CampaignListing, consumers_of, people
from coupons.models import Campaign
from huigou.listing import (
    HOUR,
    Column,
    DaysForm,
    HourField,
    Kind,
    NameField,
    PhoneField,
    PickField,
    WordField,
    day_start,
    hour_start,
    within,
)
from huigou.paging import Stretch
from merchants.models import Clerk, Merchant, Outlet, Redemption
from merchants.tallies import USES


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
    hour = HourField(label="时段")


def places_named(words: str) -> list[int]:
    """Return the outlets whose own or whose firm's name holds some words; few, and found before the long table."""
    found = Outlet.objects.filter(Q(name__icontains=words) | Q(merchant__name__icontains=words))
    return list(found.values_list("pk", flat=True))


def kind_words(redemption: Redemption) -> str:
    """Return what was entered as the kind with its unit: 3（人）, 92号汽油."""
    unit = redemption.category.kind_unit
    return f"{redemption.kind}（{unit}）" if unit and redemption.kind else redemption.kind


def clerk_wechat(redemption: Redemption) -> str:
    return redemption.clerk.wechat_name


# How the filters of 优惠券使用 and 商家统计 read on a tally's cell.
_USE_CELLS = {
    "since": "k.hour_at >= %(since)s",
    "until": "k.hour_at < %(until)s",
    "category": "k.category_id IN (SELECT id FROM coupons_category"
    " WHERE campaign_id = %(campaign)s AND code = %(category)s)",
    "face": "k.face_fen = %(face)s",
    "round": "k.round_id IN (SELECT id FROM coupons_round WHERE campaign_id = %(campaign)s AND number = %(round)s)",
    "stat": "k.merchant_id IN (SELECT id FROM merchants_merchant WHERE stat_status = %(stat)s)",
    "merchant": "k.merchant_id = %(merchant)s",
    "place": "k.outlet_id = %(place)s",
    "hour": "k.hour_at = %(hour)s",
}
_OF_CAMPAIGN = "k.merchant_id IN (SELECT id FROM merchants_merchant WHERE campaign_id = %(campaign)s)"


def use_cells(cleaned: Mapping[str, Any]) -> list[str]:
    """Return the conditions that filters set to the cells of redemptions."""
    return [_OF_CAMPAIGN, *(text for name, text in _USE_CELLS.items() if cleaned.get(name))]


def use_params(cleaned: Mapping[str, Any], campaign: Campaign | None) -> dict[str, Any]:
    """Return what those conditions take."""
    params = {name: cleaned[name] for name in _USE_CELLS if cleaned.get(name)}
    for name in ("face", "round", "merchant", "place"):
        if name in params:
            params[name] = int(params[name])
    if "since" in params:
        params["since"] = day_start(params["since"])
    if "until" in params:
        params["until"] = day_start(params["until"] + dt.timedelta(days=1))
    if "hour" in params:
        params["hour"] = hour_start(params["hour"])
    return {**params, "campaign": campaign and campaign.pk}


class Uses(CampaignListing):
    """优惠券使用（消费情况）: every coupon that was entered and not given back."""

    code = "uses"
    title = "优惠券使用"
    nothing = "还没有使用：商家扫码并录入后列在这里"
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
        Column("员工微信号", clerk_wechat, width=14, of_person=True),
        Column("员工姓名", lambda r: r.clerk.person.masked_name, full=lambda r: r.clerk.person.name or "", width=10),
        Column("员工电话", lambda r: r.clerk.person.masked_phone, full=lambda r: r.clerk.person.phone or "", width=14),
        Column("金额", lambda r: r.face_fen, Kind.FACE, total="face", width=10),
        Column("买家微信号", lambda r: r.consumer.wechat_name, width=16, of_person=True),
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

    def is_search(self) -> bool:
        return bool(self.cleaned.get("phone"))

    @property
    def hidden_words(self) -> list[str]:
        said: list[str] = []
        if self.cleaned.get("place"):
            said += Outlet.objects.filter(pk=self.cleaned["place"]).values_list("name", flat=True)
        if self.cleaned.get("hour"):
            first = hour_start(self.cleaned["hour"])
            said.append(f"{first.year}/{first.month}/{first.day} {first:%H}:00–{first + HOUR:%H}:00")
        return said

    @cached_property
    def _places(self) -> list[int]:
        return places_named(self.cleaned["outlet"])

    @cached_property
    def _clerks(self) -> list[int]:
        found = Clerk.objects.filter(person__in=people(self.cleaned["clerk"]))
        return list(found.values_list("pk", flat=True))

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "completed_at"))
        if cleaned.get("outlet"):
            rows = rows.filter(outlet__in=self._places)
        if cleaned.get("clerk"):
            rows = rows.filter(clerk__in=self._clerks)
        if cleaned.get("phone"):
            rows = rows.filter(consumer__in=consumers_of(people(phone=cleaned["phone"])))
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
        if cleaned.get("hour"):
            first = hour_start(cleaned["hour"])
            rows = rows.filter(completed_at__gte=first, completed_at__lt=first + HOUR)
        return rows

    @cached_property
    def _kept(self) -> list[tuple[dt.datetime, int, int, int]]:
        """Return (hour, redemptions, face, amount) of what the filters leave, from the kept sums."""
        where = ["k.state = 'used'", *use_cells(self.cleaned)]
        params = use_params(self.cleaned, self.subject)
        if self.cleaned.get("outlet"):
            where.append("k.outlet_id = ANY(%(places)s)")
            params["places"] = self._places
        if self.cleaned.get("clerk"):
            where.append("k.clerk_id = ANY(%(clerks)s)")
            params["clerks"] = self._clerks
        return USES.read(["k.hour_at"], ("sum(n)", "sum(n * face_fen)", "sum(amount_fen)"), where=where, **params)

    def stretches(self) -> list[Stretch]:
        latest = sorted(self._kept, key=lambda row: row[0], reverse=True)
        return [Stretch(Q(completed_at__gte=at, completed_at__lt=at + HOUR), n) for at, n, *_ in latest]

    def sums(self) -> dict[str, int]:
        if self.is_search():
            found = self.rows.order_by().aggregate(face=Sum("face_fen"), amount=Sum("amount_fen"))
            return {name: value or 0 for name, value in found.items()}
        return {"face": sum(row[2] for row in self._kept), "amount": sum(row[3] for row in self._kept)}
