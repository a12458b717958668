"""微信 for clerks: the same way to WeChat and back, kept with the clerk's bindings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from coupons.views.page import with_cookie
from coupons.views.wechat import sent_away, taken_back, to_wechat
from huigou import arriving
from merchants import binding


def recognise(request: HttpRequest, onward: str) -> HttpResponse | None:
    """Return the way for a phone that names no clerk: to WeChat, or, when it knows the clerk, signed in and onward."""
    if away := to_wechat(request, "shop-wechat"):
        return away
    arrival = arriving.known(request)
    clerk = binding.by_openid(arrival.openid) if arrival else None
    if clerk is None:
        return None
    return with_cookie(request, redirect(onward), binding.COOKIE, binding.cookie_of(clerk))


@require_safe
def leave(request: HttpRequest) -> HttpResponse:
    """Send a clerk to WeChat."""
    return sent_away(request, "shop-wechat-back", "shop-home")


@require_safe
def back(request: HttpRequest) -> HttpResponse:
    """Take a clerk back; a bound one's WeChat account is kept with all places that the person works at."""
    arrival, onward = taken_back(request, "shop-home")
    clerk = binding.current(request)
    if arrival and clerk:
        binding.attach_wechat(clerk, *arrival)
        if arrival.name:
            messages.success(request, "已记下微信名")
    return redirect(onward)
