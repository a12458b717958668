"""投诉处理 and 检查记录."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from coupons.desk import CampaignListing
from huigou.listing import (
    Column,
    Kind,
    PickField,
    WordField,
    within,
)
from merchants.desk.one_firm import FirmForm, OfOneFirm
from merchants.models import Complaint, Inspection

COMPLAINT_TONES = {"new": "wait", "working": "wait", "upheld": "bad", "rejected": "off"}


class ComplaintFilters(FirmForm):
    words = WordField("商家")
    state = PickField("状态", Complaint.State.choices)


class Complaints(OfOneFirm, CampaignListing):
    """投诉: what consumers report, followed to an end."""

    code = "complaints"
    title = "投诉处理"
    nothing = "还没有投诉：买家从自己的消费券页面提交后列在这里"
    Filters = ComplaintFilters
    columns = (
        Column("编号", lambda c: c.pk, width=8),
        Column("商家", lambda c: c.merchant.name, width=24),
        Column("买家", lambda c: c.consumer.person.masked_phone, width=14, of_person=True),
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
        rows = self.of_firm(rows).filter(within(cleaned, "made_at"))
        if cleaned.get("words"):
            rows = rows.filter(merchant__name__icontains=cleaned["words"])
        return rows.filter(state=cleaned["state"]) if cleaned.get("state") else rows


class InspectionFilters(FirmForm):
    words = WordField("商家")


class Inspections(OfOneFirm, CampaignListing):
    """检查记录."""

    code = "inspections"
    title = "检查记录"
    nothing = "还没有检查：由市监局在商家的页面按“登记检查”"
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
        rows = self.of_firm(rows)
        if cleaned.get("since"):
            rows = rows.filter(visited_on__gte=cleaned["since"])
        if cleaned.get("until"):
            rows = rows.filter(visited_on__lte=cleaned["until"])
        return rows.filter(merchant__name__icontains=cleaned["words"]) if cleaned.get("words") else rows
