"""What every consumers' page has in common."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from coupons.models import Campaign, Consumer
from huigou import clock, tokens
from huigou.errors import Refusal


def page(request: HttpRequest, template: str, *, now: dt.datetime, status: int = 200, **context: Any) -> HttpResponse:
    """Render a page with the campaign and the instant that all of it is about."""
    campaign = context.setdefault("campaign", Campaign.objects.current())
    context["now"] = now
    context["site_name"] = campaign.name if campaign else "惠购"
    context["county"] = campaign.county if campaign else ""
    response = render(request, template, context, status=status)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def nothing_yet(request: HttpRequest) -> HttpResponse:
    """Say that no campaign is launched."""
    return page(request, "m/nothing.html", now=clock.now(), campaign=None, tab="home")


def me_of(consumer: Consumer | None, **more: Any) -> dict[str, Any] | None:
    """Return a person as pages show them, None when nobody is bound on this phone."""
    if consumer is None:
        return None
    return {"name": consumer.person.masked_name, "phone": consumer.person.masked_phone, **more}


def bind_url(request: HttpRequest) -> str:
    """Return the address of binding that leads back here."""
    return f"{reverse('m-bind')}?next={request.path}"


def safe_next(request: HttpRequest, fallback: str) -> str:
    """Return where a form leads after it is done: our own pages only."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith("/") and wanted != "/":
        return wanted
    return fallback


def put_refusal(form: Any, refusal: Refusal, fields: dict[str, str]) -> Refusal | None:
    """Put a refusal at the field it is about; return it when it is about none, to be shown above the form."""
    field = fields.get(refusal.code)
    if field is None:
        return refusal
    form.add_error(field, f"{refusal.message}。{refusal.next_step}")
    return None


def with_cookie(request: HttpRequest, response: HttpResponse, name: str, value: str) -> HttpResponse:
    """Set one of our long-lived cookies: not for scripts, not for other sites."""
    response.set_cookie(
        name, value, max_age=tokens.COOKIE_AGE_S, httponly=True, samesite="Lax", secure=request.is_secure()
    )
    return response
