"""A list of the back office, declared once: its filters, its columns in order, its totals.

The page and the workbook read the same declaration. Amounts are fen here and yuan only where they are shown.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.utils.functional import cached_property

from huigou import clock, money, paging
from huigou.fields import keyed_hash, mask_name, normal_name, normal_phone

HOUR = dt.timedelta(hours=1)
CHUNK = 2_000  # rows of one step of an export: a few MB with their related rows


class Kind(StrEnum):
    """What a column holds: it decides how a cell is shown and which type it has in a workbook."""

    TEXT = "text"
    COUNT = "count"
    MONEY = "money"  # fen, shown as 1,234.50
    FACE = "face"  # fen, shown as 50
    MOMENT = "moment"
    DAY = "day"
    RATIO = "ratio"


@dataclass(frozen=True)
class Column:
    """One column. ``value`` takes a row; ``total`` names its sum in the last line; ``link`` and ``tone`` are for pages.

    ``full`` gives the unmasked value, for an export that was allowed and reasoned.
    """

    heading: str
    value: Callable[[Any], Any]
    kind: Kind = Kind.TEXT
    total: str = ""
    width: int = 14
    link: Callable[[Any], str] | None = None
    tone: Callable[[Any], str] | None = None
    full: Callable[[Any], Any] | None = None
    only: str = ""  # "page" or "workbook"; both when empty
    of_person: bool = False  # tells of a person without a ``full`` value: a mask with four digits, a nickname
    one_line: bool = False  # a number that must not break, a shop's telephone

    def shown(self, value: Any) -> str:
        """Return a value as the page shows it."""
        if value is None or value == "":
            return ""
        if self.kind is Kind.MONEY:
            return money.yuan(value)
        if self.kind is Kind.FACE:
            return money.short_yuan(value)
        if self.kind is Kind.COUNT:
            return f"{value:,}"
        if self.kind is Kind.MOMENT:
            here = clock.local(value)
            return f"{here.year}/{here.month}/{here.day} {here:%H:%M:%S}"
        if self.kind is Kind.DAY:
            return f"{value.year}/{value.month}/{value.day}"
        if self.kind is Kind.RATIO:
            return f"{value:.2f}"
        return str(value)

    def shown_total(self, value: Any) -> str:
        """Return the column's sum as the last line shows it: faces add up to thousands."""
        return money.yuan(value).removesuffix(".00") if self.kind is Kind.FACE else self.shown(value)

    @property
    def is_number(self) -> bool:
        return self.kind in (Kind.COUNT, Kind.MONEY, Kind.FACE, Kind.RATIO)

    @property
    def css(self) -> str:
        """Return the cell's class: numbers stand right, numbers, moments and masked people in one line."""
        if self.is_number:
            return "num"
        return "one" if self.one_line or self.full or self.kind in (Kind.MOMENT, Kind.DAY) else ""


# ---- filters


class DayField(forms.DateField):
    """A day in the county's time."""

    def __init__(self, label: str, **more: Any) -> None:
        bounds = {"min": f"{clock.FIRST_YEAR}-01-01", "max": f"{clock.LAST_YEAR}-12-31"}
        widget = forms.DateInput(attrs={"type": "date", **bounds}, format="%Y-%m-%d")
        super().__init__(label=label, required=False, widget=widget, input_formats=["%Y-%m-%d", "%Y/%m/%d"], **more)

    def clean(self, value: Any) -> dt.date | None:
        day = super().clean(value)
        if day and not clock.is_near(day):
            raise forms.ValidationError(clock.NOT_NEAR)
        return day


class PickField(forms.ChoiceField):
    """One of some choices, or all of them (全部…)."""

    def __init__(self, label: str, choices: Any = (), **more: Any) -> None:
        super().__init__(label=label, required=False, **more)
        self.choices = [("", "全部…"), *choices]


class WordField(forms.CharField):
    """Some words."""

    def __init__(self, label: str, **more: Any) -> None:
        super().__init__(label=label, required=False, max_length=50, **more)


class HourField(forms.CharField):
    """An hour of the county's time that figures lead to ("2022-06-25T09"); not in the query bar."""

    def __init__(self, label: str, **more: Any) -> None:
        super().__init__(label=label, required=False, max_length=13, widget=forms.HiddenInput, **more)

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        if text:
            try:
                hour = hour_start(text)
            except ValueError as wrong:
                raise forms.ValidationError("时段不正确") from wrong
            if not clock.is_near(hour):
                raise forms.ValidationError("时段不正确")
        return text


class HiddenPersonField(forms.CharField):
    """A name or phone typed to search, kept in the address as keyed hash and mask only (``hash~mask``)."""

    def __init__(self, label: str, **more: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "off"} | more.pop("attrs", {}))
        super().__init__(label=label, required=False, max_length=120, widget=widget, **more)

    def clean(self, value: Any) -> str:
        text = super().clean(value).strip()
        if not text:
            return ""
        key, _, mask = text.partition("~")
        if mask and len(key) == 64 and all(ch in "0123456789abcdef" for ch in key):
            return text
        return self.hidden(text)

    def hidden(self, typed: str) -> str:
        """Return what is kept of a typed value."""
        return f"{keyed_hash('name', normal_name(typed)).hex()}~{mask_name(normal_name(typed))}"


class PhoneField(HiddenPersonField):
    """A whole mobile number, or its last four digits."""

    def __init__(self, label: str = "手机号", **more: Any) -> None:
        super().__init__(label, attrs={"inputmode": "numeric", "placeholder": "11 位或后四位"}, **more)

    def hidden(self, typed: str) -> str:
        if len(typed) == 4 and typed.isascii() and typed.isdigit():
            return typed
        plain = normal_phone(typed)
        if not plain:
            raise forms.ValidationError("请填 11 位手机号或后四位")
        return f"{keyed_hash('phone', plain).hex()}~*******{plain[-4:]}"


class NameField(HiddenPersonField):
    """A person's whole name."""

    def __init__(self, label: str = "姓名", **more: Any) -> None:
        super().__init__(label, attrs={"placeholder": "全名"}, **more)


def by_phone(kept: str, path: str = "") -> Q:
    """Return the condition of a phone filter; ``path`` leads to the person (``holder__person``)."""
    at = f"{path}__" if path else ""
    if len(kept) == 4:
        return Q(**{f"{at}phone_last4": kept})
    return Q(**{f"{at}phone_key": bytes.fromhex(kept.partition("~")[0])})


def by_name(kept: str, path: str = "") -> Q:
    """Return the condition of a name filter."""
    at = f"{path}__" if path else ""
    return Q(**{f"{at}name_key": bytes.fromhex(kept.partition("~")[0])})


def day_start(day: dt.date) -> dt.datetime:
    """Return the first instant of a day in Asia/Shanghai."""
    return dt.datetime.combine(day, dt.time(), tzinfo=clock.SHANGHAI)


def hour_start(text: str) -> dt.datetime:
    """Return the first instant of an hour as HourField keeps it; raises ValueError."""
    return dt.datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=clock.SHANGHAI)


class DaysForm(forms.Form):
    """A query bar that begins with 开始日期 and 结束日期; both days are taken whole."""

    since = DayField("开始日期")
    until = DayField("结束日期")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("since") and cleaned.get("until") and cleaned["since"] > cleaned["until"]:
            self.add_error("until", "结束日期不得早于开始日期")
        return cleaned


def within(cleaned: Mapping[str, Any], field: str) -> Q:
    """Return the condition that a moment lies in the days asked for."""
    condition = Q()
    if day := cleaned.get("since"):
        condition &= Q(**{f"{field}__gte": day_start(day)})
    if day := cleaned.get("until"):
        condition &= Q(**{f"{field}__lt": day_start(day + dt.timedelta(days=1))})
    return condition


# ---- the list


class KnownCount(Paginator):
    """A paginator that is told how many rows there are."""

    def __init__(self, rows: Any, per_page: int, count: int) -> None:
        super().__init__(rows, per_page)
        self.count = count


class Listing(ABC):
    """One list with its query bar, as of one instant. ``subject`` is what it is about: the campaign."""

    code: ClassVar[str] = ""
    title: ClassVar[str] = ""
    empty: ClassVar[str] = "没有符合条件的记录，可放宽条件，或按“清空”看全部"
    nothing: ClassVar[str] = "暂无记录"  # said where nothing was asked for: what comes here, and from where
    Filters: ClassVar[type[forms.Form]] = forms.Form
    columns: ClassVar[tuple[Column, ...]] = ()
    more: ClassVar[frozenset[str]] = frozenset()  # filters that the old system had not: folded away until used
    page_size: int = 20

    def __init__(self, params: Mapping[str, Any], now: dt.datetime, subject: Any = None) -> None:
        self.now, self.subject = now, subject
        self.form = self.Filters(params)
        self.prepare(self.form)
        self.is_valid = self.form.is_valid()

    @classmethod
    def holds_people(cls) -> bool:
        """Say whether a workbook of the list tells of persons what their shredding destroys, masked or not."""
        return any(column.of_person or column.full for column in cls.columns)

    @classmethod
    def open(cls, params: Mapping[str, Any], now: dt.datetime) -> Listing:
        """Return the list as somebody asked for it."""
        return cls(params, now)

    def prepare(self, form: forms.Form) -> None:  # noqa: B027 (a list without choices needs none)
        """Fill in the choices that stand in the database."""

    # -- what a list says of itself

    @abstractmethod
    def base(self) -> QuerySet[Any]:
        """Return all rows in order, with what the columns need."""

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        """Return the rows that the filters leave."""
        return rows

    def sums(self) -> dict[str, int]:
        """Return {total's name: sum} over everything filtered."""
        return {}

    # -- what pages and exports ask

    @cached_property
    def cleaned(self) -> dict[str, Any]:
        return self.form.cleaned_data if self.is_valid else {}

    @cached_property
    def rows(self) -> QuerySet[Any]:
        return self.narrow(self.base(), self.cleaned) if self.is_valid else self.base().none()

    # -- a long list says where its rows are, so that nobody counts or sorts it

    def stretches(self) -> Sequence[paging.Stretch] | None:
        """Return the list's stretches in its order with their exact counts, None where no sums are kept."""
        return None

    def in_stretches(self) -> QuerySet[Any]:
        """Return the rows that the filters leave, as one reads them within a stretch."""
        return self.rows

    def is_search(self) -> bool:
        """Say whether the filters hit few rows by an index, so that they are found and counted as they are."""
        return False

    @cached_property
    def _stretches(self) -> Sequence[paging.Stretch] | None:
        return self.stretches() if self.is_valid and not self.is_search() else None

    @cached_property
    def _hits(self) -> list[Any] | None:
        """All rows of a search by number, in order: with a LIMIT the planner would walk the whole list for them."""
        return list(self.rows.values_list("pk", flat=True)) if self.is_valid and self.is_search() else None

    def count(self) -> int:
        """Return how many rows the filters leave."""
        if self._hits is not None:
            return len(self._hits)
        if self._stretches is not None:
            return sum(stretch.count for stretch in self._stretches)
        return self.rows.order_by().count()

    def finish(self, rows: list[Any]) -> list[Any]:
        """Add to some rows what needs a further query for all of them together."""
        return rows

    def page(self, number: Any) -> Any:
        """Return one page of rows; a number out of range gives the nearest."""
        page = KnownCount(self.rows, self.page_size, self.count()).get_page(number)
        page.object_list = self.finish(self._page_rows(page))
        return page

    def _page_rows(self, page: Any) -> list[Any]:
        start = (page.number - 1) * self.page_size
        if self._hits is not None:
            keys = self._hits[start : start + self.page_size]
        elif self._stretches is not None:
            keys = paging.keys(self.in_stretches(), self._stretches, start, self.page_size)
        else:
            return list(page.object_list)
        return list(self.base().filter(pk__in=keys))

    def chunks(self) -> Iterator[list[Any]]:
        """Yield all rows for an export, some thousand at a time, in a stable order that newer rows do not disturb."""
        last = None
        while True:
            rows = self.rows.order_by("pk")
            chunk = list((rows if last is None else rows.filter(pk__gt=last))[:CHUNK])
            if not chunk:
                return
            last = chunk[-1].pk
            yield self.finish(chunk)

    def columns_on(self, where: str) -> list[Column]:
        """Return the columns of the page or of the workbook."""
        return [column for column in self.columns if column.only in ("", where)]

    @property
    def kept(self) -> dict[str, str]:
        """Return the filters as they stand in the address and in an export's record: no name, no number."""
        kept = {}
        for name in self.form.fields:
            value = self.cleaned.get(name)
            if value not in (None, ""):
                kept[name] = value.isoformat() if isinstance(value, dt.date) else str(value)
        return kept

    @property
    def query(self) -> str:
        return urlencode(self.kept)

    @property
    def hidden_words(self) -> list[str]:
        """Return in words what the list is narrowed to beside its query bar: a place or an hour that a link named."""
        return []

    def spoken(self) -> list[tuple[str, str]]:
        """Return the filters in words, for the cover sheet and the export's record."""
        said = []
        for name, field in self.form.fields.items():
            value = self.kept.get(name, "")
            if not value:
                continue
            if isinstance(field, HiddenPersonField):
                value = value.partition("~")[2] or f"尾号 {value}"
            elif isinstance(field, forms.ChoiceField):
                value = str({str(key): label for key, label in field.widget.choices}.get(value, value))
            said.append((str(field.label), value))
        return said


def pages_around(page: Any, reach: int = 2, first: int = 10) -> list[int | None]:
    """Return the numbers of the footer, None for an ellipsis: the first ten at the start, else those around here."""
    last, here = page.paginator.num_pages, page.number
    if last <= first + 1:
        return list(range(1, last + 1))
    if here <= first - reach:
        return [*range(1, first + 1), None]
    low, high = max(1, here - reach - 2), min(last, here + reach + 2)
    return [*([None] if low > 1 else []), *range(low, high + 1), *([None] if high < last else [])]
