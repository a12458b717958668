"""What the lists about one campaign share: which one, its choices, and how kept sums and searches are asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Q

from coupons import tallies
from coupons.models import (
    Batch,
    Campaign,
    Category,
    Consumer,
    Person,
)
from huigou.listing import (
    Listing,
    PickField,
    by_name,
    by_phone,
)
from huigou.money import short_yuan
from huigou.paging import Stretch


class CampaignListing(Listing):
    """A list about one campaign: the current one, or another chosen in the query bar once there are several."""

    subject: Campaign | None

    @classmethod
    def open(cls, params: Mapping[str, Any], now: dt.datetime) -> CampaignListing:
        campaigns = list(Campaign.objects.order_by("-launched_at", "-pk"))
        launched = [c for c in campaigns if c.launched_at]
        asked = str(params.get("campaign", ""))
        chosen = next((c for c in campaigns if str(c.pk) == asked), None)
        current = chosen or next(iter(launched or campaigns), None)
        made = cls(params, now, current)
        made.add_campaigns(campaigns)
        return made

    def add_campaigns(self, campaigns: list[Campaign]) -> None:
        """Offer the choice where there is one."""
        if len(campaigns) > 1 and "campaign" not in self.form.fields:
            self.form.fields["campaign"] = PickField("活动", [(str(c.pk), str(c)) for c in campaigns])
            self.form.full_clean()
            self.is_valid = self.form.is_valid()

    @property
    def page_size(self) -> int:  # type: ignore[override]
        return self.subject.page_size if self.subject else 20

    def categories(self) -> list[tuple[str, str]]:
        """Return the choices of 品类."""
        rows = Category.objects.filter(campaign=self.subject).values_list("code", "name")
        return [(code, name) for code, name in rows]

    def faces(self) -> list[tuple[str, str]]:
        """Return the choices of 面额."""
        rows = (
            Batch.objects.filter(category__campaign=self.subject)
            .order_by("face_fen")
            .values_list("face_fen", flat=True)
        )
        return [(str(face), f"{short_yuan(face)} 元") for face in rows.distinct()]


# ---- what long lists share


def days(cleaned: Mapping[str, Any], column: str) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions on a cell's day that the query bar's two days make, and their parameters."""
    where, params = [], {}
    for name, sign in (("since", ">="), ("until", "<=")):
        if cleaned.get(name):
            where.append(f"{column} {sign} %({name})s")
            params[name] = cleaned[name]
    return where, params


def blocks(found: Iterable[Sequence[Any]]) -> list[Stretch]:
    """Return the stretches of (block, count, …), newest first."""
    size = tallies.BLOCK
    newest = sorted(found, key=lambda row: row[0], reverse=True)
    return [Stretch(Q(pk__gte=row[0] * size, pk__lt=(row[0] + 1) * size), row[1]) for row in newest]


def people(name: str = "", phone: str = "") -> list[int]:
    """Return the persons of a search; few, and found first, so that a long list is read by their index."""
    rows = Person.objects.all()
    if name:
        rows = rows.filter(by_name(name))
    if phone:
        rows = rows.filter(by_phone(phone))
    return list(rows.values_list("pk", flat=True))


def consumers_of(persons: list[int]) -> list[int]:
    """Return the consumers behind some persons, over each unbinding and binding again."""
    return list(Consumer.objects.filter(person__in=persons).values_list("pk", flat=True))
