"""首页: how the campaign stands right now. Every number is what the list that it leads to counts or sums."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from coupons.models import Campaign
from huigou import clock
from huigou.models import Staff
from huigou.snapshot import snapshot
from reports.dashboard import charts, health, numbers


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the dashboard's first state to the index page; unfold calls it."""
    context["title"] = "首页"
    context["is_fullwidth"] = "1"
    may_see = request.user.has_perm("reports.view_shopfigures")
    context["dash"] = state(clock.now(), request.user) if may_see else None  # type: ignore[arg-type]
    context["dash_url"] = reverse("admin:reports_dashboard")
    return context


def state(now: dt.datetime, staff: Staff) -> dict[str, Any]:
    """Return what the page and its refresh show; amounts as text in yuan, charts as numbers.

    A number is a link where the person may see its list.
    """
    campaign = Campaign.objects.current()
    at = f"{clock.local(now):%H:%M:%S}"
    if campaign is None:
        return {"campaign": "", "round": None, "groups": [], "charts": {}, "at": at}
    worker = health.figure(now)  # asks other processes: not while a snapshot is open
    with snapshot():
        seen = numbers.see(campaign, now)
        groups = [*numbers.groups(seen), ("系统", [numbers.books(seen), worker])]
        drawn = charts.all_of(seen)
        round_ = numbers.round_of(seen)
    links = numbers.Links(staff)
    return {
        "campaign": str(campaign),
        "at": at,
        "round": round_,
        "groups": [{"title": title, "figures": [links.shown(f) for f in figures]} for title, figures in groups],
        "charts": {name: links.chart(chart) for name, chart in drawn.items()},
    }
