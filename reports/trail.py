"""The audit trail: every deed that staff's pages announce is kept, append-only, without personal values."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.db import connection, models
from django.db.models import Count, Q, QuerySet
from django.utils.functional import cached_property

from coupons.desk.campaign import days
from huigou import clock, deeds, paging
from huigou.listing import Column, DaysForm, Kind, Listing, PickField, WordField
from huigou.masking import redacted
from huigou.models import Department, Staff
from reports.models import AuditEntry, wording
from reports.tallies import TRAIL

# What staff type as a reason may name somebody: the trail outlives a person's data and must hold none.
_CARD = re.compile(r"(?<!\d)(\d{3})\d{13}(\d[\dXx])(?!\d)")


def without_numbers(value: Any) -> Any:
    """Return a text, or everything in a mapping or list, with phone and identity-card numbers masked."""
    if isinstance(value, str):
        return redacted(_CARD.sub(r"\1****\2", value))
    if isinstance(value, Mapping):
        return {key: without_numbers(each) for key, each in value.items()}
    return [without_numbers(each) for each in value] if isinstance(value, list) else value


def keep(*, deed: deeds.Done, **_: Any) -> None:
    """Signal handler: write an announced deed, in the transaction in which it was done."""
    AuditEntry.objects.create(
        staff=deed.staff if getattr(deed.staff, "pk", None) else None,
        department=getattr(deed.staff, "department", ""),
        at=clock.now(),
        address=deed.address,
        deed=deed.deed[:30],
        table=deed.table[:50],
        row=deed.row[:50],
        before=without_numbers(deed.before),
        after=without_numbers(deed.after),
        note=without_numbers(deed.note)[:300],
    )


def keep_login(*, request: Any, user: Any, **_: Any) -> None:
    """Signal handler: a login is a deed too."""
    if isinstance(user, Staff):
        keep(deed=deeds.Done(user, request.META.get("REMOTE_ADDR") or None, "登录", "工作人员", str(user.pk)))


def keep_logout(*, request: Any, user: Any, **_: Any) -> None:
    """Signal handler."""
    if isinstance(user, Staff):
        keep(deed=deeds.Done(user, request.META.get("REMOTE_ADDR") or None, "退出", "工作人员", str(user.pk)))


def keep_failed_login(*, credentials: Mapping[str, Any], request: Any = None, **_: Any) -> None:
    """Signal handler: a wrong password for an account that there is; what was typed is not kept."""
    staff = Staff.objects.filter(username=credentials.get("username") or "").first()
    if staff is not None:
        address = request.META.get("REMOTE_ADDR") if request is not None else None
        keep(deed=deeds.Done(staff, address, "登录失败", "工作人员", str(staff.pk)))


def keep_lockout(*, username: str = "", ip_address: str | None = None, **_: Any) -> None:
    """Signal handler: an account was locked after wrong passwords."""
    staff = Staff.objects.filter(username=username or "").first()
    if staff is not None:
        keep(deed=deeds.Done(staff, ip_address, "账号锁定", "工作人员", str(staff.pk)))


def _facts(values: Mapping[str, Any]) -> str:
    return "；".join(f"{name}={value}" for name, value in values.items())[:300]


class AddressField(forms.CharField):
    """An address, or a network of them: 10.1.2.3 or 10.1.0.0/16."""

    def __init__(self, label: str) -> None:
        widget = forms.TextInput(attrs={"placeholder": "10.1.2.3 或 10.1.0.0/16"})
        super().__init__(label=label, required=False, max_length=50, widget=widget)

    def clean(self, value: Any) -> str:
        typed = super().clean(value).strip()
        if not typed:
            return ""
        try:
            return str(ipaddress.ip_network(typed, strict=False)) if "/" in typed else str(ipaddress.ip_address(typed))
        except ValueError as wrong:
            raise forms.ValidationError("请填 IP 地址，或网段如 10.1.0.0/16") from wrong


@models.GenericIPAddressField.register_lookup
class Within(models.Lookup):
    """That an address is another one or lies in a network; an index answers it."""

    lookup_name = "within"
    prepare_rhs = False

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        address, its = self.process_lhs(compiler, connection)
        network, given = self.process_rhs(compiler, connection)
        return f"{address} <<= {network}::inet", [*its, *given]


class TrailFilters(DaysForm):
    staff = WordField("账号")
    department = PickField("部门", Department.choices)
    deed = WordField("动作")
    table = WordField("对象")
    row = WordField("编号")
    address = AddressField("来源地址")
    words = WordField(
        "内容", min_length=wording.LEAST, widget=forms.TextInput(attrs={"placeholder": "之前、之后或说明中的文字"})
    )


# The same filters as narrow_day's, on a cell of the kept sums.
_CELLS = {
    "staff": "k.staff_id = ANY(%(staff)s)",
    "department": "k.department = %(department)s",
    "deed": "upper(k.deed) LIKE upper(%(deed)s)",
    "table": "upper(k.about) LIKE upper(%(table)s)",
    "address": "k.address <<= %(address)s::inet",
}
FEW = 2_000  # hits of a search that are found by the words' index and sorted as they are; more are read day by day


class Trail(Listing):
    """操作记录: who did what, when, from where, before and after."""

    code = "trail"
    title = "操作记录"
    Filters = TrailFilters
    columns = (
        Column("时间", lambda e: e.at, Kind.MOMENT, width=20),
        Column("工作人员", lambda e: str(e.staff) if e.staff else "系统", width=20),
        Column("来源地址", lambda e: e.address or "", width=16),
        Column("动作", lambda e: e.deed, width=14),
        Column("对象", lambda e: e.table, width=14),
        Column("编号", lambda e: e.row, width=10),
        Column("之前", lambda e: _facts(e.before), width=30),
        Column("之后", lambda e: _facts(e.after), width=30),
        Column("说明", lambda e: e.note, width=30),
    )

    def base(self) -> QuerySet[Any]:
        return AuditEntry.objects.select_related("staff").defer("words").order_by("-at", "-pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        words = cleaned.get("words", "")
        if wording.is_one_pair(words):
            return wording.with_pairs(self.narrow_day(rows, {**cleaned, "words": ""}), words)
        rows = self.narrow_day(rows, cleaned)
        return wording.with_pairs(rows, words) if words else rows

    def narrow_day(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        """Return what the filters leave, for a day whose entries are read anyhow: the words' index is left out."""
        if cleaned.get("since"):
            rows = rows.filter(day__gte=cleaned["since"])
        if cleaned.get("until"):
            rows = rows.filter(day__lte=cleaned["until"])
        if cleaned.get("staff"):
            rows = rows.filter(staff__in=self._staff)
        if cleaned.get("department"):
            rows = rows.filter(department=cleaned["department"])
        for name in ("deed", "table"):
            if cleaned.get(name):
                rows = rows.filter(**{f"{name}__icontains": cleaned[name]})
        if cleaned.get("row"):
            rows = rows.filter(row=cleaned["row"])
        if cleaned.get("address"):
            rows = rows.filter(address__within=cleaned["address"])
        return wording.with_text(rows, cleaned["words"]) if cleaned.get("words") else rows

    @cached_property
    def _staff(self) -> list[int]:
        return list(Staff.objects.filter(username__icontains=self.cleaned["staff"]).values_list("pk", flat=True))

    # -- how many there are: by kept sums, and of words by their index; the rows that share a number are few

    def is_search(self) -> bool:
        if self.cleaned.get("row"):
            return True
        return bool(self.cleaned.get("words")) and sum(count for _, count in self._with_words) <= FEW

    @cached_property
    def _with_words(self) -> list[tuple[dt.date, int]]:
        """Return (day, entries) of a search for words, counted by one look at each entry that has their pairs."""
        return list(self.rows.order_by().values_list("day").annotate(count=Count("pk")))

    def _kept(self) -> list[tuple[dt.date, int]]:
        """Return (day, entries) of what the other filters leave, from the kept sums."""
        where, given = days(self.cleaned, "k.day")
        for name, condition in _CELLS.items():
            if value := self.cleaned.get(name):
                where.append(condition)
                given[name] = value
        for name in ("deed", "table"):
            if name in given:
                given[name] = f"%{connection.ops.prep_for_like_query(given[name])}%"
        if "staff" in given:
            given["staff"] = self._staff
        return TRAIL.read(["k.day"], where=where, **given)

    def stretches(self) -> list[paging.Stretch]:
        counted = self._with_words if self.cleaned.get("words") else self._kept()
        return [paging.Stretch(Q(day=day), count) for day, count in sorted(counted, reverse=True)]

    def in_stretches(self) -> QuerySet[Any]:
        return self.narrow_day(self.base(), self.cleaned)
