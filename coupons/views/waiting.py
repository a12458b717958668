"""排队: an honest page with a position."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from coupons import consumers, waiting
from coupons.models import Campaign
from coupons.views.page import bind_url, nothing_yet, page, safe_next, with_cookie
from huigou import clock


def with_place(request: HttpRequest, response: HttpResponse, place: waiting.Place) -> HttpResponse:
    """Let the phone keep its own place."""
    if place.cookie and place.cookie != request.COOKIES.get(waiting.COOKIE):
        with_cookie(request, response, waiting.COOKIE, place.cookie)
    return response


def cookie_of(request: HttpRequest) -> str:
    """Return what the phone keeps of its place."""
    return request.COOKIES.get(waiting.COOKIE, "")


def sent_to_wait(request: HttpRequest, round_id: int, consumer_id: int) -> HttpResponse | None:
    """Return the way to the waiting room for somebody who has to, None while there is no rush."""
    place = waiting.gate(round_id, consumer_id, cookie_of(request))
    if place is None:
        return None
    return with_place(request, redirect(f"{reverse('m-wait')}?next={request.path}"), place)


@require_safe
def wait(request: HttpRequest) -> HttpResponse:
    """Show the place in the line; whoever is let in goes on."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    consumer = consumers.current(request)
    if consumer is None:
        return redirect(bind_url(request))
    onward = safe_next(request, reverse("m-home"))
    round_id = waiting.open_round_id()
    if round_id is None or waiting.is_out(round_id):
        return redirect(onward)
    place = waiting.enter(round_id, consumer.pk, cookie_of(request))
    if place.is_admitted:
        return with_place(request, HttpResponseRedirect(onward), place)
    response = page(
        request,
        "m/wait.html",
        now=clock.now(),
        campaign=campaign,
        tab="home",
        position=place.position,
        message=place.words(),
        status_url=f"{reverse('api-queue')}?next={onward}",
    )
    return with_place(request, response, place)
