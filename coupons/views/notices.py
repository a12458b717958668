"""公告: what 融媒体中心 has published."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from coupons.models import Campaign, Notice
from coupons.views.page import nothing_yet, page
from huigou import clock

MOST_NOTICES = 50


@require_safe
def notices(request: HttpRequest) -> HttpResponse:
    """List the announcements."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    now = clock.now()
    rows = Notice.objects.shown(campaign, now)[:MOST_NOTICES]
    return page(request, "m/notices.html", now=now, campaign=campaign, notices=rows)


@require_safe
def notice(request: HttpRequest, notice_id: int) -> HttpResponse:
    """Show one announcement."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    now = clock.now()
    row = get_object_or_404(Notice.objects.shown(campaign, now), pk=notice_id)
    return page(request, "m/notices.html", now=now, campaign=campaign, notice=row)
