"""村级服务站: where they are and who works there."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest

from coupons import assisting
from coupons.models import Station, StationClerk
from coupons.station_desk import Stations
from huigou.admin.deed import Deed
from huigou.admin.desk import DeskAdmin, Section
from huigou.models import Department, Staff


def _clerks(row: Station) -> QuerySet[StationClerk]:
    return StationClerk.objects.filter(station=row, is_active=True).select_related("staff")


def _at(row: Station) -> list[int]:
    return [clerk.staff_id for clerk in _clerks(row)]


class AssignForm(forms.Form):
    staff = forms.ModelChoiceField(label="人员", queryset=Staff.objects.none(), empty_label=None)


def _offer_staff(form: forms.Form, request: HttpRequest, row: Station) -> None:
    rows = Staff.objects.filter(department=Department.STATION, is_active=True).exclude(pk__in=_at(row))
    form.fields["staff"].queryset = rows  # type: ignore[attr-defined]


def _offer_own(form: forms.Form, request: HttpRequest, row: Station) -> None:
    form.fields["staff"].queryset = Staff.objects.filter(pk__in=_at(row))  # type: ignore[attr-defined]


def _assign(request: HttpRequest, row: Station, data: dict[str, Any]) -> str:
    assisting.assign(row, data["staff"])
    return f"{data['staff']}已登记到{row}"


def _release(request: HttpRequest, row: Station, data: dict[str, Any]) -> str:
    assisting.release(row, data["staff"])
    return f"{data['staff']}已从{row}移出"


def _people(row: Station) -> dict[str, Any]:
    return {"人员": "、".join(str(c.staff) for c in _clerks(row))}


class StationAdmin(DeskAdmin):
    """Village stations, which vouch for people and draw for those without a phone at hand."""

    listing = Stations
    fields = ("name", "address", "is_active")
    note = "服务站人员使用自己的账号，只能看到本站的代抽记录。"
    deeds = (
        Deed(
            "assign",
            "登记人员",
            "coupons.change_station",
            _assign,
            AssignForm,
            prepare=_offer_staff,
            facts=_people,
            on_row=False,
            say=lambda _: "一人只在一个服务站；已在别站的随即调来。账号由领导小组办公室添加。",
        ),
        Deed(
            "release",
            "移出人员",
            "coupons.change_station",
            _release,
            AssignForm,
            prepare=_offer_own,
            facts=_people,
            offered=lambda row: row.stationclerk_set.filter(is_active=True).exists(),
            on_row=False,
            tone="danger",
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def sections(self, request: HttpRequest, row: Station) -> list[Section]:
        return [
            Section("服务站", facts=[("名称", row.name), ("地址", row.address), ("启用", row.is_active)]),
            Section("人员", headings=("账号",), rows=[(str(c.staff),) for c in _clerks(row)], empty="尚未登记人员"),
        ]
