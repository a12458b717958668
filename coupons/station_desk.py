"""The lists about village stations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from coupons import assisting
from coupons.desk import CampaignListing
from coupons.models import Assist, Category, Station
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
from huigou.models import Staff
from huigou.money import short_yuan


class StationFilters(forms.Form):
    words = WordField("服务站")


class Stations(Listing):
    """村级服务站."""

    code = "stations"
    title = "村级服务站"
    nothing = "还没有服务站"
    Filters = StationFilters
    columns = (
        Column("服务站", lambda s: s.name, width=24, link=lambda s: reverse("admin:coupons_station_page", args=[s.pk])),
        Column("地址", lambda s: s.address, width=30),
        Column("人员", lambda s: s.people, Kind.COUNT, width=8),
        Column(
            "代抽",
            lambda s: s.turns,
            Kind.COUNT,
            width=8,
            link=lambda s: f"{reverse('admin:coupons_assist_changelist')}?station={s.pk}",
        ),
        Column("状态", lambda s: "启用" if s.is_active else "停用", tone=lambda s: "good" if s.is_active else "off"),
    )

    def base(self) -> QuerySet[Any]:
        counted = Station.objects.annotate(
            people=Count("stationclerk", filter=Q(stationclerk__is_active=True), distinct=True),
            turns=Count("assists", distinct=True),
        )
        return counted.order_by("name")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        return rows.filter(name__icontains=cleaned["words"]) if cleaned.get("words") else rows


class AssistFilters(DaysForm):
    name = NameField()
    phone = PhoneField()
    category = PickField("品类")
    station = PickField("服务站")
    outcome = PickField(
        "结果", [("won", "抽中"), ("blank", "谢谢参与"), ("registered", "已报名"), ("refused", "未办成")]
    )
    proof = PickField("核验方式", Assist.Proof.choices)


REFUSED = "未办成"


def outcome_words(assist: Assist) -> str:
    """Return what came of an assisted turn."""
    if assist.outcome == Assist.REGISTERED:
        return "已报名"
    if assist.draw_id and assist.draw is not None:
        return f"抽中 {short_yuan(assist.draw.face_fen)} 元" if assist.draw.face_fen else "谢谢参与"
    return REFUSED if assist.outcome else "办理中"


def outcome_tone(assist: Assist) -> str:
    if assist.draw_id and assist.draw is not None and assist.draw.face_fen:
        return "good"
    return "bad" if assist.outcome not in (Assist.DRAWN, Assist.REGISTERED, "") else "off"


class Assists(CampaignListing):
    """代抽记录: every turn at a station, refused ones too, apart from what people drew themselves."""

    code = "assists"
    title = "代抽记录"
    nothing = "还没有代抽：服务站办理后列在这里"
    Filters = AssistFilters
    more = frozenset({"proof"})
    staff: Staff | None = None  # whose view it is: a station sees its own
    columns = (
        Column("办理时间", lambda a: a.asked_at, Kind.MOMENT, width=20, link=lambda a: page_of(a)),
        Column("服务站", lambda a: a.station.name, width=20),
        Column("经办人", lambda a: str(a.staff), width=20),
        Column("姓名", lambda a: a.consumer.person.masked_name, full=lambda a: a.consumer.person.name or "", width=10),
        Column(
            "手机号", lambda a: a.consumer.person.masked_phone, full=lambda a: a.consumer.person.phone or "", width=14
        ),
        Column("核验方式", lambda a: a.get_proof_display(), width=14),
        Column("轮次", lambda a: str(a.round) if a.round else "", width=8),
        Column("品类", lambda a: a.category.name, width=10),
        Column("结果", outcome_words, tone=outcome_tone, width=12),
        Column("打印", lambda a: a.prints, Kind.COUNT, width=6),
    )

    def prepare(self, form: forms.Form) -> None:
        form.fields["category"].choices = [("", "全部…"), *self.categories()]  # type: ignore[attr-defined]
        stations = Station.objects.order_by("name").values_list("pk", "name")
        form.fields["station"].choices = [("", "全部…"), *((str(pk), name) for pk, name in stations)]  # type: ignore[attr-defined]

    def base(self) -> QuerySet[Any]:
        rows = assisting.seen_by(self.staff) if self.staff else Assist.objects.all()
        categories = Category.objects.filter(campaign=self.subject)
        return (
            rows.filter(category__in=categories)
            .select_related("station", "staff", "consumer__person", "category", "round", "draw")
            .annotate(prints=Count("draw__coupon__prints"))
            .order_by("-pk")
        )

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "asked_at"))
        if cleaned.get("name"):
            rows = rows.filter(by_name(cleaned["name"], "consumer__person"))
        if cleaned.get("phone"):
            rows = rows.filter(by_phone(cleaned["phone"], "consumer__person"))
        if cleaned.get("category"):
            rows = rows.filter(category__code=cleaned["category"])
        if cleaned.get("station"):
            rows = rows.filter(station_id=int(cleaned["station"]))
        if cleaned.get("proof"):
            rows = rows.filter(proof=cleaned["proof"])
        return _with_outcome(rows, cleaned.get("outcome", ""))


def _with_outcome(rows: QuerySet[Any], asked: str) -> QuerySet[Any]:
    if asked == "won":
        return rows.filter(draw__face_fen__gt=0)
    if asked == "blank":
        return rows.filter(draw__face_fen=0)
    if asked == "registered":
        return rows.filter(outcome=Assist.REGISTERED)
    if asked == "refused":
        return rows.exclude(outcome__in=["", Assist.DRAWN, Assist.REGISTERED])
    return rows


def page_of(assist: Assist) -> str:
    return reverse("admin:coupons_assist_page", args=[assist.pk])
