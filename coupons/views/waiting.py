"""排队: an honest page with a position."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from coupons import consumers, waiting
from coupons.models import Campaign, Consumer, Round
from coupons.views.bind import with_cookie
from coupons.views.home import stage_of
from coupons.views.page import bind_url, nothing_yet, page, safe_next
from huigou import clock


def with_place(request: HttpRequest, response: HttpResponse, place: waiting.Place) -> HttpResponse:
    """Let the phone keep its own place."""
    if place.cookie and place.cookie != request.COOKIES.get(waiting.COOKIE):
        with_cookie(request, response, waiting.COOKIE, place.cookie)
    return response


def place_of(request: HttpRequest, round_: Round, consumer: Consumer) -> waiting.Place:
    """Return where somebody stands in a round's line."""
    return waiting.enter(round_, consumer, request.COOKIES.get(waiting.COOKIE, ""), clock.now())


@require_safe
def wait(request: HttpRequest) -> HttpResponse:
    """Show the place in the line; whoever is let in goes on."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    consumer = consumers.current(request)
    if consumer is None:
        return redirect(bind_url(request))
    now = clock.now()
    onward = safe_next(request, reverse("m-home"))
    current = stage_of(campaign, now).current
    if current is None:
        return redirect(onward)
    place = place_of(request, current, consumer)
    if place.is_admitted:
        return with_place(request, HttpResponseRedirect(onward), place)
    response = page(
        request,
        "m/wait.html",
        now=now,
        campaign=campaign,
        tab="home",
        position=place.position,
        message=place.words(),
        status_url=f"{reverse('api-queue')}?next={onward}",
    )
    return with_place(request, response, place)
