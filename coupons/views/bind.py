"""绑定: name, phone, SMS code, consent, and the one question about the place."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from coupons import consumers
from coupons.models import Campaign, Consumer
from coupons.views import wechat
from coupons.views.page import nothing_yet, page, put_refusal, safe_next, with_cookie
from huigou import arriving, clock, geo, pacing
from huigou.errors import Refusal

DEVICE_COOKIE = "hg_d"
FIELD_OF = {
    "bad_name": "name",
    "bad_phone": "phone",
    "bad_code": "code",
    "code_tries": "code",
    "no_consent": "consent",
}


class PlaceForm(forms.Form):
    """Where somebody says to be: a position, or a declaration, or nothing."""

    longitude = forms.FloatField(required=False, min_value=-180, max_value=180)
    latitude = forms.FloatField(required=False, min_value=-90, max_value=90)
    accuracy = forms.FloatField(required=False, min_value=0)  # metres, the phone's own word
    datum = forms.ChoiceField(required=False, choices=[(datum.value, datum.value) for datum in geo.Datum])
    declared = forms.BooleanField(required=False)


class BindForm(PlaceForm):
    """What a person enters to bind; what is right about it is the verb's to say."""

    name = forms.CharField(required=False, max_length=60)
    phone = forms.CharField(required=False, max_length=30)
    code = forms.CharField(required=False, max_length=10)
    consent = forms.BooleanField(required=False)
    place = forms.CharField(required=False)


def with_device(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Give the phone a random number of its own, by which the limits on codes are counted."""
    if not request.COOKIES.get(DEVICE_COOKIE):
        with_cookie(request, response, DEVICE_COOKIE, secrets.token_urlsafe(16))
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def bind(request: HttpRequest) -> HttpResponse:
    """Show the form, or bind and go on to where the person came from."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    if request.method == "POST":
        return _bound(request, campaign)
    if consumers.current(request) is None and (way := wechat.recognise(request, safe_next(request, reverse("m-home")))):
        return way
    return with_device(request, _form_page(request, campaign, BindForm()))


def _form_page(
    request: HttpRequest, campaign: Campaign, form: BindForm, refusal: Refusal | None = None, status: int = 200
) -> HttpResponse:
    response = page(
        request,
        "m/bind.html",
        now=clock.now(),
        status=status,
        arrival=arriving.known(request),
        wx_script=arriving.script_for(request),
        campaign=campaign,
        form=form,
        refusal=refusal,
        place_policy=campaign.place_policy,
        can_locate=campaign.boundary is not None,
        coarse=consumers.is_coarse(campaign),
        next=safe_next(request, reverse("m-home")),
    )
    return arriving.allow_script(request, response)


def _bound(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    form = BindForm(request.POST)
    form.is_valid()
    entered = {key: form.cleaned_data.get(key) or "" for key in ("name", "phone", "code")}
    arrival = arriving.known(request)
    try:
        pacing.keep(request, "bind", "300/m")
        consumer = consumers.bind(
            consumers.Binding(
                **entered,
                consent=bool(form.cleaned_data.get("consent")),
                openid=arrival.openid if arrival else "",
                wechat_name=arrival.name if arrival else "",
                device=request.COOKIES.get(DEVICE_COOKIE, ""),
            )
        )
    except Refusal as refusal:
        shown = put_refusal(form, refusal, FIELD_OF)
        return _form_page(request, campaign, form, shown, status=refusal.status)
    said = keep_place(campaign, consumer, form.cleaned_data)
    messages.success(request, "绑定成功" + said)
    response = HttpResponseRedirect(safe_next(request, reverse("m-home")))
    return with_cookie(request, response, consumers.COOKIE, consumers.cookie_of(consumer))


def keep_place(campaign: Campaign, consumer: Consumer, place: dict[str, Any]) -> str:
    """Hand a position or a declaration to the verb; return what to say about it. The position is kept nowhere."""
    if place.get("longitude") is not None and place.get("latitude") is not None:
        verdict = consumers.set_place(
            consumer,
            campaign,
            longitude=place["longitude"],
            latitude=place["latitude"],
            datum=place.get("datum") or geo.Datum.WGS84,  # what a browser gives; WeChat's script says GCJ-02
            accuracy_m=place.get("accuracy") or 0,
        )
        if verdict == Consumer.Place.INSIDE:
            return f"，已确认您在{campaign.county}内"
        if not (place.get("declared") and campaign.place_policy == Campaign.PlacePolicy.DECLARED):
            return f"。定位显示不在{campaign.county}内，可到就近的村级服务站办理"
    if place.get("declared") and campaign.place_policy == Campaign.PlacePolicy.DECLARED:
        consumers.declare_place(consumer)
        return "，已记下您的声明"
    return ""


@require_http_methods(["GET", "HEAD", "POST"])
def place(request: HttpRequest) -> HttpResponse:
    """Ask once more where somebody is, who left it open when binding."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    consumer = consumers.current(request)
    if consumer is None:
        return redirect("m-bind")
    if request.method == "POST":
        form = PlaceForm(request.POST)
        form.is_valid()
        said = keep_place(campaign, consumer, form.cleaned_data)
        if said:
            messages.success(request, said.lstrip("，。"))
            return redirect(safe_next(request, reverse("m-home")))
        messages.error(request, "请定位，或勾选声明")
    response = page(
        request,
        "m/place.html",
        now=clock.now(),
        wx_script=arriving.script_for(request),
        campaign=campaign,
        place_policy=campaign.place_policy,
        can_locate=campaign.boundary is not None,
        coarse=consumers.is_coarse(campaign),
        next=safe_next(request, reverse("m-home")),
    )
    return arriving.allow_script(request, response)
