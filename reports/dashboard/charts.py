"""The charts of 首页: labels, series, and for each bar the list that counts or sums the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from coupons.models import Batch
from huigou import clock
from huigou.money import short_yuan
from merchants.models import Merchant
from reports.dashboard.numbers import STATES, Chart, Seen, To

TOP_SHOPS = 10
HOURLY = dt.timedelta(days=2)  # a younger campaign is shown by the hour


def all_of(seen: Seen) -> dict[str, Chart]:
    """Return the charts by name."""
    return {
        "category": _stacked(
            seen, lambda b: b.category.name, lambda b: {"category": b.category.code}, lambda b: b.category.position
        ),
        "time": _over_time(seen),
        "face": _stacked(
            seen, lambda b: f"{short_yuan(b.face_fen)} 元", lambda b: {"face": b.face_fen}, lambda b: b.face_fen
        ),
        "shops": _top_shops(seen),
    }


def _stacked(
    seen: Seen,
    label: Callable[[Batch], str],
    query: Callable[[Batch], dict[str, Any]],
    order: Callable[[Batch], int],
) -> Chart:
    """Return how many coupons are in each state, by something that batches share."""
    groups: dict[str, list[Batch]] = {}
    for batch in sorted(seen.batches, key=order):
        groups.setdefault(label(batch), []).append(batch)
    series = [
        (
            name,
            [float(sum(seen.coupons.get((b.pk, state), 0) for b in batches)) for batches in groups.values()],
            [To("coupons_coupon", {**query(batches[0]), "state": state}) for batches in groups.values()],
        )
        for state, name in STATES.items()
    ]
    return Chart(list(groups), series)


def _over_time(seen: Seen) -> Chart:
    """Return uses and spending per day, per hour while the campaign is young."""
    first = seen.campaign.rounds.order_by("opens_at").first()
    hourly = first is not None and seen.now - first.opens_at < HOURLY
    found: dict[Any, list[int]] = {}
    for at, _, uses, _, amount in seen.spent:
        here = clock.local(at)
        sums = found.setdefault(here if hourly else here.date(), [0, 0])
        sums[0] += uses
        sums[1] += amount
    labels = [f"{s:%d日%H时}" if hourly else f"{s.month}/{s.day}" for s in found]
    queries = [{"hour": f"{s:%Y-%m-%dT%H}"} if hourly else {"since": str(s), "until": str(s)} for s in found]
    tos = [To("merchants_redemption", query) for query in queries]
    return Chart(
        labels,
        [
            ("使用（张）", [float(uses) for uses, _ in found.values()], tos),
            ("消费金额（元）", [amount / 100 for _, amount in found.values()], tos),
        ],
    )


def _top_shops(seen: Seen) -> Chart:
    found: dict[int, list[int]] = {}
    for _, number, _, face, amount in seen.spent:
        sums = found.setdefault(number, [0, 0])
        sums[0] += amount
        sums[1] += face
    top = dict(sorted(found.items(), key=lambda item: (-item[1][0], item[0]))[:TOP_SHOPS])
    names = dict(Merchant.objects.filter(pk__in=top).values_list("pk", "name"))
    tos = [To("merchants_redemption", {"merchant": number}) for number in top]
    return Chart(
        [names[number] for number in top],
        [
            ("消费金额（元）", [amount / 100 for amount, _ in top.values()], tos),
            ("消费券金额（元）", [face / 100 for _, face in top.values()], tos),
        ],
    )
