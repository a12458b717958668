"""Clerks and places."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from coupons.admin.people import reveal_deed
from huigou.admin.deed import Deed, ReasonForm
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin, Section
from merchants import binding
from merchants.desk import Clerks, Outlets
from merchants.models import Clerk, Outlet


def _unbind(request: HttpRequest, row: Clerk, data: dict[str, Any]) -> str:
    binding.unbind(row.pk)
    return "已解绑，该员工须用新的验证码重新绑定"


class ClerkAdmin(ReadOnlyMixin, DeskAdmin):
    """Who is bound to which place."""

    listing = Clerks
    has_page = False
    deeds = (
        Deed(
            "unbind",
            "解绑",
            "merchants.unbind_clerk",
            _unbind,
            ReasonForm,
            tone="danger",
            offered=lambda row: row.unbound_at is None,
            facts=lambda row: {"状态": "已解绑" if row.unbound_at else "已绑定"},
        ),
        reveal_deed(lambda row: row.person),
    )


class OutletAdmin(DeskAdmin):
    """Places of firms."""

    listing = Outlets
    fields = ("merchant", "name", "address", "phone", "hours", "latitude", "longitude", "datum", "is_active")
    note = "连锁店按店面分别登记、分别统计；集体名录须逐个登记站点。"

    def get_readonly_fields(self, request: HttpRequest, obj: Outlet | None = None) -> tuple[str, ...]:
        return ("merchant",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"merchant": request.GET.get("merchant")}

    def sections(self, request: HttpRequest, row: Outlet) -> list[Section]:
        firm = reverse("admin:merchants_merchant_page", args=[row.merchant_id])
        return [
            Section(
                row.name,
                facts=[
                    ("企业", format_html('<a class="link" href="{}">{}</a>', firm, row.merchant.name)),
                    ("地址", row.address),
                    ("电话", row.phone),
                    ("营业时间", row.hours),
                    ("营业", row.is_active),
                ],
            )
        ]
