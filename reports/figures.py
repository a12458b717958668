"""Read-only sums over what was spent: per shop, place, category, day, hour, round or statistical status.

All of them come from the kept sums of redemptions and what came since (``merchants.tallies``), so that a year of
spending is summed up as fast as a day of it, and every figure is what the list that it leads to counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import cached_property

from coupons.desk import CampaignListing
from huigou import clock
from huigou.listing import CHUNK, Column, DaysForm, Kind, PickField, WordField
from merchants.desk import places_named, use_cells, use_params
from merchants.models import Merchant, Outlet, Redemption
from merchants.tallies import USES

GROUPS = {
    "merchant": "商家",
    "outlet": "店面",
    "category": "品类",
    "day": "日期",
    "hour": "时段",
    "round": "轮次",
    "stat": "统计状态",
}
# What a cell of the tally (k) is grouped by; m is its merchant, c its category, r its round.
KEYS = {
    "merchant": "k.merchant_id",
    "outlet": "k.outlet_id",
    "category": "c.position, c.id, c.name, c.code",
    "day": "k.hour_at",  # some hundred hours are added up here in less time than the server takes to name their days
    "hour": "k.hour_at",
    "round": "r.number",
    "stat": "m.stat_status",
}
JOINS = {
    "category": "JOIN coupons_category c ON c.id = k.category_id",
    "round": "JOIN coupons_round r ON r.id = k.round_id",
    "stat": "JOIN merchants_merchant m ON m.id = k.merchant_id",
}
NAMES = ("uses", "face", "amount", "pending", "forfeited")
SUMS = (
    "sum(n) FILTER (WHERE k.state = 'used')",
    "sum(n * k.face_fen) FILTER (WHERE k.state = 'used')",
    "sum(k.amount_fen) FILTER (WHERE k.state = 'used')",
    "sum(n) FILTER (WHERE k.state = 'pending')",
    "sum(n) FILTER (WHERE k.state = 'forfeited')",
)


@dataclass
class Figure:
    """One line: what it is about, and its sums. Amounts in fen."""

    pk: Any
    label: str
    about: str = ""
    stat: str = ""
    uses: int = 0
    face: int = 0
    amount: int = 0
    pending: int = 0
    forfeited: int = 0
    closer: dict[str, Any] = field(default_factory=dict)  # the filters of the figures one step closer
    drill: dict[str, Any] = field(default_factory=dict)  # the filters of the list that it counts

    @property
    def ratio(self) -> float | None:
        """How many yuan were spent for each yuan of subsidy (拉动)."""
        return self.amount / self.face if self.face else None


Group = tuple[tuple[Any, ...], dict[str, int]]


def _by_day(hours: list[Group]) -> list[Group]:
    days: dict[dt.date, dict[str, int]] = {}
    for (hour,), sums in hours:
        day = days.setdefault(clock.local(hour).date(), dict.fromkeys(NAMES, 0))
        for name, value in sums.items():
            day[name] += value
    return [((day,), sums) for day, sums in days.items()]


class FigureFilters(DaysForm):
    group = PickField("统计方式", list(GROUPS.items()))
    merchant = WordField("商家")
    category = PickField("品类")
    round = PickField("轮次")
    stat = PickField("统计状态", Merchant.StatStatus.choices)
    shop = forms.IntegerField(label="企业编号", required=False, widget=forms.HiddenInput)
    place = forms.IntegerField(label="店面编号", required=False, widget=forms.HiddenInput)


class ShopFigures(CampaignListing):
    """商家统计: what was spent where, in a time, with everything filtered summed up in the last line."""

    code = "figures"
    title = "商家统计"
    Filters = FigureFilters

    def prepare(self, form: Any) -> None:
        form.fields["group"].choices = list(GROUPS.items())
        form.fields["category"].choices = [("", "全部…"), *self.categories()]
        rounds = self.subject.rounds.order_by("number") if self.subject else []
        form.fields["round"].choices = [("", "全部…"), *((str(r.number), str(r)) for r in rounds)]

    @property
    def group(self) -> str:
        return self.cleaned.get("group") or "merchant"

    def columns_on(self, where: str) -> list[Column]:
        group = self.group
        first = Column(GROUPS[group], lambda f: f.label, width=26, link=self._closer)
        more = []
        if group == "merchant":
            more = [Column("品类", lambda f: f.about, width=16), Column("统计状态", lambda f: f.stat, width=14)]
        if group == "outlet":
            more = [Column("企业名称", lambda f: f.about, width=24)]
        sums = [
            Column("使用张数", lambda f: f.uses, Kind.COUNT, total="uses", width=10, link=self._drill),
            Column("消费券金额", lambda f: f.face, Kind.MONEY, total="face"),
            Column("消费金额", lambda f: f.amount, Kind.MONEY, total="amount"),
            Column("拉动倍数", lambda f: f.ratio, Kind.RATIO, total="ratio", width=10),
        ]
        if group not in ("day", "hour"):
            sums += [
                Column("待录入", lambda f: f.pending, Kind.COUNT, total="pending", width=8),
                Column("商家放弃", lambda f: f.forfeited, Kind.COUNT, total="forfeited", width=10),
            ]
        return [first, *more, *sums]

    def base(self) -> QuerySet[Any]:
        return Redemption.objects.none()  # its lines are sums: see ``figures``

    @property
    def hidden_words(self) -> list[str]:
        said: list[str] = []
        if self.cleaned.get("shop"):
            said += Merchant.objects.filter(pk=self.cleaned["shop"]).values_list("name", flat=True)
        if self.cleaned.get("place"):
            said += Outlet.objects.filter(pk=self.cleaned["place"]).values_list("name", flat=True)
        return said

    def _grouped(self) -> list[tuple[Any, ...]]:
        """Sum by group: finished ones by the hour of their entry, the others by that of their scan."""
        cleaned = dict(self.cleaned)
        words = cleaned.pop("merchant", "")
        if cleaned.get("shop"):
            cleaned["merchant"] = cleaned["shop"]
        where, params = use_cells(cleaned), use_params(cleaned, self.subject)
        if words:
            where.append("k.outlet_id = ANY(%(places)s)")
            params["places"] = places_named(words)
        if self.group in ("day", "hour"):
            where.append("k.state = 'used'")
        by = KEYS[self.group].split(", ")
        return sorted(USES.read(by, SUMS, where=where, joins=JOINS.get(self.group, ""), **params))

    @cached_property
    def figures(self) -> list[Figure]:
        """Return all lines; there are as many as shops, days or hours."""
        if not self.is_valid or self.subject is None:
            return []
        grouped = [(row[: -len(NAMES)], dict(zip(NAMES, row[-len(NAMES) :], strict=True))) for row in self._grouped()]
        if self.group == "day":
            grouped = _by_day(grouped)
        if self.group == "merchant":
            return self._by_merchant({key[0]: sums for key, sums in grouped})
        if self.group == "outlet":
            return self._by_outlet({key[0]: sums for key, sums in grouped})
        return [self._figure(key, sums) for key, sums in grouped]

    def _by_merchant(self, grouped: Mapping[int, Mapping[str, Any]]) -> list[Figure]:
        merchants = Merchant.objects.filter(campaign=self.subject).prefetch_related("categories")
        if words := self.cleaned.get("merchant"):
            merchants = merchants.filter(outlets__in=places_named(words)).distinct()
        paths = {"stat": "stat_status", "category": "categories__code", "shop": "pk", "place": "outlets"}
        for name, path in paths.items():
            if self.cleaned.get(name):
                merchants = merchants.filter(**{path: self.cleaned[name]})
        rows = {m.pk: m for m in merchants.order_by("seq", "pk")}
        # What was spent at a shop counts after the shop has left a category.
        left = Merchant.objects.filter(pk__in=grouped.keys() - rows.keys()).prefetch_related("categories")
        rows |= {m.pk: m for m in left}
        return [
            Figure(
                pk=m.pk,
                label=m.name,
                about="、".join(c.name for c in m.categories.all()),
                stat=m.get_stat_status_display(),
                closer={"group": "day", "shop": m.pk},
                drill={"merchant": m.pk},
                **grouped.get(m.pk, {}),
            )
            for m in rows.values()
        ]

    def _by_outlet(self, grouped: Mapping[int, Mapping[str, Any]]) -> list[Figure]:
        outlets = Outlet.objects.filter(pk__in=grouped).select_related("merchant").order_by("merchant__seq", "pk")
        return [
            Figure(
                o.pk,
                o.name,
                o.merchant.name,
                closer={"group": "day", "place": o.pk},
                drill={"place": o.pk},
                **grouped[o.pk],
            )
            for o in outlets
        ]

    def _figure(self, key: tuple[Any, ...], sums: Mapping[str, Any]) -> Figure:
        if self.group == "category":
            _, number, name, code = key
            return Figure(
                number, name, closer={"group": "merchant", "category": code}, drill={"category": code}, **sums
            )
        (one,) = key
        if self.group == "round":
            return Figure(one, f"第{one}轮", closer={"group": "day", "round": one}, drill={"round": one}, **sums)
        if self.group == "stat":
            label = Merchant.StatStatus(one).label
            return Figure(one, label, closer={"group": "merchant", "stat": one}, drill={"stat": one}, **sums)
        if self.group == "day":
            label, days = f"{one.year}/{one.month}/{one.day}", {"since": one.isoformat(), "until": one.isoformat()}
            return Figure(one, label, closer={"group": "hour", **days}, drill=days, **sums)
        here = clock.local(one)
        label = f"{here.year}/{here.month}/{here.day} {here:%H}:00–{here + dt.timedelta(hours=1):%H}:00"
        return Figure(one, label, drill={"hour": f"{here:%Y-%m-%dT%H}"}, **sums)

    def _closer(self, figure: Figure) -> str:
        if not figure.closer:
            return self._drill(figure)
        return f"{reverse('admin:reports_shopfigures_changelist')}?{urlencode({**self.kept, **figure.closer})}"

    def _drill(self, figure: Figure) -> str:
        same = ("since", "until", "category", "round", "stat", "place", "campaign")
        kept = {name: self.kept[name] for name in same if name in self.kept}
        if "shop" in self.kept:
            kept["merchant"] = self.kept["shop"]
        elif "merchant" in self.kept:
            kept["outlet"] = self.kept["merchant"]
        return f"{reverse('admin:merchants_redemption_changelist')}?{urlencode({**kept, **figure.drill})}"

    def count(self) -> int:
        return len(self.figures)

    def page(self, number: Any) -> Page[Any]:
        return Paginator(self.figures, self.page_size).get_page(number)

    def chunks(self) -> Iterator[list[Any]]:
        for start in range(0, len(self.figures), CHUNK):
            yield self.figures[start : start + CHUNK]

    def sums(self) -> dict[str, Any]:
        sums: dict[str, Any] = {name: sum(getattr(figure, name) for figure in self.figures) for name in NAMES}
        sums["ratio"] = sums["amount"] / sums["face"] if sums["face"] else None
        return sums
