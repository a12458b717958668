"""活动规则: rounds, stock and rules, all of it from the plan's data."""

from __future__ import annotations

from django.db.models import F, Sum
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from coupons.models import Batch, Campaign
from coupons.views.home import planned_counts, stage_of
from coupons.views.page import nothing_yet, page
from huigou import clock
from huigou.money import short_yuan


@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """Show how it works, the rounds and everything that is given out."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    now = clock.now()
    stage = stage_of(campaign, now)
    counts = planned_counts(campaign)
    rounds = [
        {
            "number": each.number,
            "opens_at": each.opens_at,
            "closes_at": each.closes_at,
            "state": "now" if each is stage.current else "",
            "count_text": f"{counts[each.pk]:,}" if each.pk in counts else "待公布",
        }
        for each in stage.rounds
    ]
    stock, total = stock_of(campaign)
    return page(
        request, "m/rules.html", now=now, tab="rules", campaign=campaign, rounds=rounds, stock=stock, total=total
    )


def stock_of(campaign: Campaign) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Return the plan's coupons by category, and their sums; computed, never stored."""
    batches = Batch.objects.filter(category__campaign=campaign)
    lines: dict[str, dict[str, list[int]]] = {}
    for name, face, planned in batches.values_list("category__name", "face_fen", "planned"):
        line = lines.setdefault(name, {"faces": [], "counts": [], "fen": []})
        line["faces"].append(face)
        line["counts"].append(planned)
        line["fen"].append(face * planned)
    sums = batches.aggregate(count=Sum("planned"), fen=Sum(F("planned") * F("face_fen")))
    rows = [
        {
            "name": name,
            "faces": "、".join(short_yuan(face) for face in sorted(line["faces"])),
            "count": f"{sum(line['counts']):,}",
            "money": f"{sum(line['fen']) // 100:,}",
        }
        for name, line in lines.items()
    ]
    return rows, {"count": f"{sums['count'] or 0:,}", "money": f"{(sums['fen'] or 0) // 100:,}"}
