"""市监局's desks: complaints and inspections."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html

from coupons.admin.people import reveal_deed
from huigou.admin.deed import Deed, PlainForm
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin, Section
from merchants import conduct
from merchants.attempt_desk import Attempts
from merchants.desk import Complaints, Inspections
from merchants.models import Complaint, Inspection, InspectionPhoto


class AnswerForm(forms.Form):
    verdict = forms.ChoiceField(label="结论", choices=[("upheld", "属实"), ("rejected", "不属实")])
    note = forms.CharField(
        label="处理结果", max_length=500, widget=forms.Textarea(attrs={"rows": 4}), help_text="投诉人可在手机上看到"
    )


def _take(request: HttpRequest, row: Complaint, data: dict[str, Any]) -> str:
    conduct.take_up(row.pk, request.user)  # type: ignore[arg-type]
    return "已受理"


def _end(request: HttpRequest, row: Complaint, data: dict[str, Any]) -> str:
    conduct.decide(row.pk, request.user, upheld=data["verdict"] == "upheld", answer=data["note"])  # type: ignore[arg-type]
    return "已办结"


def _state(row: Complaint) -> dict[str, Any]:
    return {"状态": row.get_state_display()}


class ComplaintAdmin(ReadOnlyMixin, DeskAdmin):
    """Complaints, from 待受理 to 属实 or 不属实."""

    listing = Complaints
    deeds = (
        Deed(
            "take",
            "受理",
            "merchants.handle_complaint",
            _take,
            PlainForm,
            facts=_state,
            offered=lambda row: row.state == Complaint.State.NEW,
            say=lambda row: row.text,
        ),
        Deed(
            "end",
            "办结",
            "merchants.handle_complaint",
            _end,
            AnswerForm,
            facts=_state,
            offered=lambda row: row.ended_at is None,
            say=lambda row: row.text,
        ),
        reveal_deed(lambda row: row.consumer.person),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related("merchant", "consumer__person", "redemption__outlet", "handled_by")
        )

    def sections(self, request: HttpRequest, row: Complaint) -> list[Section]:
        firm = reverse("admin:merchants_merchant_page", args=[row.merchant_id])
        use = row.redemption
        spent = reverse("admin:merchants_redemption_page", args=[use.pk]) if use else ""
        return [
            Section(
                f"投诉 {row.pk}",
                facts=[
                    ("商家", format_html('<a class="link" href="{}">{}</a>', firm, row.merchant.name)),
                    ("买家", f"{row.consumer.person.masked_name} {row.consumer.person.masked_phone}"),
                    (
                        "核销",
                        format_html('<a class="link" href="{}">{}</a>', spent, use.outlet.name) if use else "未指明",
                    ),
                    ("投诉时间", row.made_at),
                    ("状态", row.get_state_display()),
                    ("处理人", str(row.handled_by) if row.handled_by else ""),
                    ("办结时间", row.ended_at),
                ],
            ),
            Section("内容", facts=[("投诉内容", row.text), ("处理结果", row.answer)]),
        ]


class AttemptAdmin(ReadOnlyMixin, DeskAdmin):
    """Every try to scan or enter a coupon: what 公安局 and 纪委 look at for false sales and stolen codes."""

    listing = Attempts
    has_page = False
    note = "每一次扫码、输码和录入，包括未通过的；只增不改。"


class InspectionAdmin(ReadOnlyMixin, DeskAdmin):
    """Visits to firms; recorded from the firm's page."""

    listing = Inspections
    note = "在商家页面登记检查。"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("merchant", "inspector")

    def sections(self, request: HttpRequest, row: Inspection) -> list[Section]:
        return [
            Section(
                f"{row.merchant} 检查",
                facts=[
                    ("检查日期", row.visited_on),
                    ("检查人", str(row.inspector)),
                    ("发现违约", row.is_breach),
                    ("检查情况", row.finding),
                ],
            ),
            Section(
                "照片",
                template="admin/desk/photos.html",
                extra={
                    "photos": [
                        reverse("admin:merchants_inspection_photo", args=[row.pk, photo.pk])
                        for photo in row.photos.order_by("pk")
                    ]
                },
            ),
        ]

    def get_urls(self) -> list[Any]:
        photo = self.admin_site.admin_view(self.photo_view)
        mine = path("<int:inspection_id>/photo/<int:photo_id>/", photo, name="merchants_inspection_photo")
        return [mine, *super().get_urls()]

    def photo_view(self, request: HttpRequest, inspection_id: int, photo_id: int) -> HttpResponse:
        """Show one photo of a visit, as a picture and nothing else."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        photo = InspectionPhoto.objects.filter(pk=photo_id, inspection_id=inspection_id).first()
        if photo is None:
            raise Http404
        kind = "image/png" if photo.file.name.endswith(".png") else "image/jpeg"
        response = FileResponse(photo.file.open("rb"), content_type=kind)
        response.headers["Content-Security-Policy"] = "default-src 'none'"
        return response
