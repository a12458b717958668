"""The list of staff accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet

from huigou.listing import Column, Kind, Listing, PickField, WordField
from huigou.models import Department, Staff


class StaffFilters(forms.Form):
    words = WordField("账号或姓名")
    department = PickField("部门", Department.choices)
    state = PickField("状态", [("on", "在用"), ("off", "停用")])


class StaffList(Listing):
    """工作人员."""

    code = "staff"
    title = "工作人员"
    Filters = StaffFilters
    columns = (
        Column("账号", lambda s: s.username),
        Column("姓名", lambda s: s.first_name),
        Column("部门", lambda s: s.get_department_display()),
        Column("最近登录", lambda s: s.last_login, Kind.MOMENT, width=20),
        Column(
            "状态",
            lambda s: "在用" if s.is_active else "停用",
            tone=lambda s: "good" if s.is_active else "off",
            width=8,
        ),
    )

    def base(self) -> QuerySet[Any]:
        return Staff.objects.order_by("department", "pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        if words := cleaned.get("words"):
            rows = rows.filter(username__icontains=words) | rows.filter(first_name__icontains=words)
        if cleaned.get("department"):
            rows = rows.filter(department=cleaned["department"])
        if cleaned.get("state"):
            rows = rows.filter(is_active=cleaned["state"] == "on")
        return rows
