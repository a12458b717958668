"""微信: to WeChat and back, for those who open our pages inside it. Without an app id nobody comes here."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from coupons import consumers, outbox
from coupons.views.page import safe_next, with_cookie
from huigou import arriving, wechat
from huigou.arriving import Arrival
from huigou.wechat import SNAPSHOT, WechatError


def to_wechat(request: HttpRequest, leave: str) -> HttpResponse | None:
    """Return the way to WeChat (address ``leave``) for a page inside it that knows nobody yet, None for any other."""
    if not arriving.should_ask(request):
        return None
    return redirect(f"{reverse(leave)}?{urlencode({'next': request.get_full_path()})}")


def recognise(request: HttpRequest, onward: str) -> HttpResponse | None:
    """Return the way for a phone that names nobody: to WeChat, or, when it knows the person, signed in and onward."""
    if away := to_wechat(request, "m-wechat"):
        return away
    arrival = arriving.known(request)
    consumer = consumers.by_openid(arrival.openid) if arrival else None
    if consumer is None:
        return None
    return with_cookie(request, redirect(onward), consumers.COOKIE, consumers.cookie_of(consumer))


def sent_away(request: HttpRequest, back: str, home: str) -> HttpResponse:
    """Send somebody to WeChat: for the openid, or, after a tap, for the nickname too."""
    onward = safe_next(request, reverse(home))
    if not wechat.is_configured():
        return redirect(onward)
    address = arriving.depart(request, reverse(back), onward, with_name=request.GET.get("name") == "1")
    return HttpResponseRedirect(address)


def taken_back(request: HttpRequest, home: str) -> tuple[Arrival | None, str]:
    """Take somebody back; whatever goes wrong, the way by phone stays open. Raises the refusals that need a tap."""
    fallback = arriving.onward_of(request, reverse(home))
    try:
        return arriving.come_back(request)
    except WechatError as trouble:
        arriving.pause(request)
        if trouble.reason is SNAPSHOT:  # a virtual openid: nothing of it is kept, and the person can do something
            raise
        messages.info(request, f"{trouble.message}。{trouble.next_step}")
        return None, fallback


@require_safe
def leave(request: HttpRequest) -> HttpResponse:
    """Send a consumer to WeChat."""
    return sent_away(request, "m-wechat-back", "m-home")


@require_safe
def back(request: HttpRequest) -> HttpResponse:
    """Take a consumer back; a bound one's WeChat account is kept with the binding."""
    arrival, onward = taken_back(request, "m-home")
    consumer = consumers.current(request)
    if arrival and consumer:
        consumers.attach_wechat(consumer, *arrival)
        if arrival.name:
            messages.success(request, "已记下微信名")
    return redirect(onward)


@require_safe
def subscribe(request: HttpRequest, kind: str) -> HttpResponse:
    """Send somebody, after a tap, to WeChat to allow one message of a kind."""
    onward = safe_next(request, reverse("m-coupons"))
    consumer = consumers.current(request)
    if kind not in outbox.SCENES or not outbox.can_be_allowed() or consumer is None or not consumer.openid:
        return redirect(onward)
    address = arriving.depart_to_subscribe(request, reverse("m-wechat-subscribed"), onward, kind, outbox.SCENES[kind])
    return HttpResponseRedirect(address)


@require_safe
def subscribed(request: HttpRequest) -> HttpResponse:
    """Take WeChat's answer: a yes of the person's own account, to what this session asked, is kept as consent."""
    onward, kind = arriving.come_from_subscribing(request)
    consumer, said = consumers.required(request), request.GET
    asked = (settings.WECHAT_ONCE_TEMPLATE, str(outbox.SCENES[kind]))
    if said.get("action") != "confirm":
        messages.info(request, "没有开启，不会给您发这类提醒")
        return redirect(onward)
    if not consumer.openid or (said.get("openid"), said.get("template_id"), said.get("scene")) != (
        consumer.openid, *asked
    ):  # fmt: skip
        raise arriving.WRONG_STATE()
    outbox.allow(consumer, kind)
    messages.success(request, "已开启，到时微信提醒您一次")
    return redirect(onward)


@require_safe
def verification(request: HttpRequest, word: str) -> HttpResponse:
    """Answer WeChat's look for the file that shows that this address is ours."""
    if not settings.WECHAT_VERIFY or word != settings.WECHAT_VERIFY:
        raise Http404
    return HttpResponse(word, content_type="text/plain")
