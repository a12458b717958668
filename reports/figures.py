"""Read-only sums over what was spent: per shop, place, category, day, hour, round or statistical status."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate, TruncHour
from django.urls import reverse
from django.utils.functional import cached_property

from coupons.desk import CampaignListing
from coupons.models import Category
from huigou import clock
from huigou.listing import CHUNK, Column, DaysForm, Kind, PickField, WordField, within
from merchants.models import Merchant, Redemption

Spent = Redemption.State

GROUPS = {
    "merchant": "商家",
    "outlet": "店面",
    "category": "品类",
    "day": "日期",
    "hour": "时段",
    "round": "轮次",
    "stat": "统计状态",
}
KEYS: dict[str, dict[str, Any]] = {
    "merchant": {"key": F("merchant_id")},
    "outlet": {"key": F("outlet_id"), "label": F("outlet__name"), "under": F("merchant__name")},
    "category": {"key": F("category_id"), "label": F("category__name"), "code": F("category__code")},
    "day": {"key": TruncDate("completed_at", tzinfo=clock.SHANGHAI)},
    "hour": {"key": TruncHour("completed_at", tzinfo=clock.SHANGHAI)},
    "round": {"key": F("coupon__round__number")},
    "stat": {"key": F("merchant__stat_status")},
}


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
    drill: str = ""

    @property
    def ratio(self) -> float | None:
        """How many yuan were spent for each yuan of subsidy (拉动)."""
        return self.amount / self.face if self.face else None


class FigureFilters(DaysForm):
    group = PickField("统计方式", list(GROUPS.items()))
    merchant = WordField("商家")
    category = PickField("品类")
    round = PickField("轮次")
    stat = PickField("统计状态", Merchant.StatStatus.choices)


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
        first = Column(GROUPS[group], lambda f: f.label, width=26, link=lambda f: f.drill)
        more = []
        if group == "merchant":
            more = [Column("品类", lambda f: f.about, width=16), Column("统计状态", lambda f: f.stat, width=14)]
        if group == "outlet":
            more = [Column("企业名称", lambda f: f.about, width=24)]
        sums = [
            Column("使用张数", lambda f: f.uses, Kind.COUNT, total="uses", width=10, link=lambda f: f.drill),
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
        return Redemption.objects.filter(merchant__campaign=self.subject)

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        if cleaned.get("merchant"):
            rows = rows.filter(merchant__name__icontains=cleaned["merchant"])
        if cleaned.get("category"):
            rows = rows.filter(category__code=cleaned["category"])
        if cleaned.get("round"):
            rows = rows.filter(coupon__round__number=int(cleaned["round"]))
        if cleaned.get("stat"):
            rows = rows.filter(merchant__stat_status=cleaned["stat"])
        return rows

    def _grouped(self) -> list[dict[str, Any]]:
        """Sum by group: finished ones by the day of their entry, the others by the day of their scan."""
        used = Q(state=Spent.USED) & within(self.cleaned, "completed_at")
        scanned = within(self.cleaned, "scanned_at")
        rows = self.rows.filter(used) if self.group in ("day", "hour") else self.rows
        grouped = (
            rows.order_by()
            .values(**KEYS[self.group])
            .annotate(
                uses=Count("pk", filter=used),
                face=Sum("face_fen", filter=used, default=0),
                amount=Sum("amount_fen", filter=used, default=0),
                pending=Count("pk", filter=Q(state=Spent.PENDING) & scanned),
                forfeited=Count("pk", filter=Q(state=Spent.FORFEITED) & scanned),
            )
        )
        return [row for row in grouped.order_by("key") if row["uses"] or row["pending"] or row["forfeited"]]

    @cached_property
    def figures(self) -> list[Figure]:
        """Return all lines; there are as many as shops, days or hours."""
        if not self.is_valid or self.subject is None:
            return []
        grouped = self._grouped()
        if self.group == "merchant":
            return self._by_merchant({row["key"]: row for row in grouped})
        return [self._figure(row) for row in grouped]

    def _by_merchant(self, grouped: Mapping[int, Mapping[str, Any]]) -> list[Figure]:
        merchants = Merchant.objects.filter(campaign=self.subject).prefetch_related("categories")
        for name, path in (("merchant", "name__icontains"), ("stat", "stat_status"), ("category", "categories__code")):
            if self.cleaned.get(name):
                merchants = merchants.filter(**{path: self.cleaned[name]})
        return [
            Figure(
                pk=m.pk,
                label=m.name,
                about="、".join(c.name for c in m.categories.all()),
                stat=m.get_stat_status_display(),
                drill=self._drill(merchant=m.pk),
                **_sums(grouped.get(m.pk, NOTHING)),
            )
            for m in merchants.order_by("seq", "pk")
        ]

    def _figure(self, row: Mapping[str, Any]) -> Figure:
        key, sums = row["key"], _sums(row)
        if self.group == "outlet":
            return Figure(key, row["label"], row["under"], drill=self._drill(place=key), **sums)
        if self.group == "category":
            return Figure(key, row["label"], drill=self._drill(category=row["code"]), **sums)
        if self.group == "round":
            return Figure(key, f"第{key}轮", drill=self._drill(round=key), **sums)
        if self.group == "stat":
            return Figure(key, Merchant.StatStatus(key).label, drill=self._drill(stat=key), **sums)
        day = key if self.group == "day" else clock.local(key).date()
        label = f"{day.year}/{day.month}/{day.day}"
        if self.group == "hour":
            label += f" {clock.local(key):%H}:00–{(clock.local(key) + dt.timedelta(hours=1)):%H}:00"
        return Figure(key, label, drill=self._drill(since=day.isoformat(), until=day.isoformat()), **sums)

    def _drill(self, **more: Any) -> str:
        kept = {name: self.kept[name] for name in ("since", "until", "category", "round", "stat") if name in self.kept}
        return f"{reverse('admin:merchants_redemption_changelist')}?{urlencode(kept | more)}"

    def count(self) -> int:
        return len(self.figures)

    def page(self, number: Any) -> Page[Any]:
        return Paginator(self.figures, self.page_size).get_page(number)

    def chunks(self) -> Iterator[list[Any]]:
        for start in range(0, len(self.figures), CHUNK):
            yield self.figures[start : start + CHUNK]

    def sums(self) -> dict[str, Any]:
        sums: dict[str, Any] = {
            name: sum(getattr(figure, name) for figure in self.figures)
            for name in ("uses", "face", "amount", "pending", "forfeited")
        }
        sums["ratio"] = sums["amount"] / sums["face"] if sums["face"] else None
        return sums


NOTHING: Mapping[str, Any] = {}


def _sums(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) or 0 for name in ("uses", "face", "amount", "pending", "forfeited")}


def category_names(campaign: Any) -> dict[int, str]:
    """Return {category number: name} of a campaign in its order."""
    return dict(Category.objects.filter(campaign=campaign).values_list("pk", "name"))
