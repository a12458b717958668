"""公告 and 村级服务站."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest

from coupons.desk import NoFilters, Notices
from coupons.models import Campaign, Notice, Station, StationClerk
from huigou.admin.desk import DeskAdmin, Section
from huigou.listing import Column, Listing, WordField


class NoticeAdmin(DeskAdmin):
    """Announcements on the consumers' pages."""

    listing = Notices
    fields = ("title", "body", "shown_from", "shown_until")
    has_page = False
    note = "公告显示在买家首页；可定时开始和结束。"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Notice, form: Any, change: Any) -> None:
        if obj.campaign_id is None:
            obj.campaign = Campaign.objects.current() or Campaign.objects.order_by("-pk").first()
        super().save_model(request, obj, form, change)


class StationFilters(NoFilters):
    words = WordField("服务站")


class Stations(Listing):
    """村级服务站."""

    code = "stations"
    title = "村级服务站"
    Filters: type[forms.Form] = StationFilters
    columns = (
        Column("服务站", lambda s: s.name, width=24),
        Column("地址", lambda s: s.address, width=30),
        Column("状态", lambda s: "启用" if s.is_active else "停用", tone=lambda s: "good" if s.is_active else "off"),
    )

    def base(self) -> QuerySet[Any]:
        return Station.objects.order_by("name")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        return rows.filter(name__icontains=cleaned["words"]) if cleaned.get("words") else rows


class StationAdmin(DeskAdmin):
    """Village stations, which vouch for people and draw for those without a phone at hand."""

    listing = Stations
    exports = False
    fields = ("name", "address", "is_active")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def sections(self, request: HttpRequest, row: Station) -> list[Section]:
        clerks = StationClerk.objects.filter(station=row).select_related("staff")
        return [
            Section("服务站", facts=[("名称", row.name), ("地址", row.address), ("启用", row.is_active)]),
            Section("人员", headings=("账号",), rows=[(str(c.staff),) for c in clerks], empty="尚未登记人员"),
        ]
