"""商家绑定, and who works here."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from coupons.models import Campaign
from coupons.views.bind import with_cookie, with_device
from coupons.views.page import put_refusal, safe_next
from huigou import arriving, pacing
from huigou.errors import BAD_INPUT, Refusal
from merchants import binding
from merchants.models import Clerk
from merchants.views import wechat
from merchants.views.page import shop_page

FIELD_OF = {
    "binding_code_wrong": "once",
    "bad_name": "name",
    "bad_phone": "phone",
    "bad_code": "code",
    "code_tries": "code",
    "no_consent": "consent",
}


class BindForm(forms.Form):
    """What a clerk enters to bind; what is right about it is the verb's to say."""

    once = forms.CharField(required=False, max_length=40)
    name = forms.CharField(required=False, max_length=60)
    phone = forms.CharField(required=False, max_length=30)
    code = forms.CharField(required=False, max_length=10)
    consent = forms.BooleanField(required=False)


@require_http_methods(["GET", "HEAD", "POST"])
def bind(request: HttpRequest) -> HttpResponse:
    """Show the form, or bind a clerk by the one-time code."""
    form, refusal = BindForm(), None
    if request.method == "POST":
        form = BindForm(request.POST)
        form.is_valid()
        try:
            return _bound(request, form)
        except Refusal as refused:
            refusal = put_refusal(form, refused, FIELD_OF)
            status = refused.status
    else:
        if binding.current(request) is None and (
            way := wechat.recognise(request, safe_next(request, reverse("shop-home")))
        ):
            return way
        status = 200
    response = shop_page(
        request,
        "shop/bind.html",
        clerk=None,
        here=binding.current(request),
        status=status,
        campaign=Campaign.objects.current(),
        form=form,
        refusal=refusal,
        next=safe_next(request, ""),
    )
    return with_device(request, response)


def _bound(request: HttpRequest, form: BindForm) -> HttpResponse:
    entered = {key: form.cleaned_data.get(key) or "" for key in ("once", "name", "phone", "code")}
    pacing.keep(request, "shop-bind", "300/m")
    arrival = arriving.known(request)
    clerk, is_new = binding.bind(
        binding.ClerkBinding(
            code=entered["once"],
            name=entered["name"],
            phone=entered["phone"],
            sms_code=entered["code"],
            consent=bool(form.cleaned_data.get("consent")),
            openid=arrival.openid if arrival else "",
            wechat_name=arrival.name if arrival else "",
        )
    )
    messages.success(request, _welcome(clerk, entered["once"], is_new=is_new))
    response = redirect(safe_next(request, reverse("shop-home")))
    return with_cookie(request, response, binding.COOKIE, binding.cookie_of(clerk))


def _welcome(clerk: Clerk, once: str, *, is_new: bool) -> str:
    place = clerk.outlet.name
    if is_new:
        return f"绑定成功：{place}"
    kept = "。这个验证码没有用掉，仍可给另一名店员使用" if binding.is_open(once) else ""
    return f"您已是{place}的{'店主' if clerk.is_owner else '店员'}，不必重复绑定，已重新进入{kept}"


@require_http_methods(["GET", "HEAD", "POST"])
def clerks(request: HttpRequest) -> HttpResponse:
    """List the firm's clerks; the owner may unbind one."""
    clerk = binding.current(request)
    if clerk is None:
        return redirect("shop-bind")
    refusal = None
    if request.method == "POST":
        try:
            binding.unbind(_number(request.POST.get("clerk", "")), by_owner=clerk)
            messages.success(request, "已解绑")
            return redirect("shop-clerks")
        except Refusal as refused:
            refusal = refused
    rows = Clerk.objects.bound().filter(outlet__merchant_id=clerk.outlet.merchant_id)
    listed = [
        {
            "pk": each.pk,
            "name": each.person.masked_name,
            "phone": each.person.masked_phone,
            "is_owner": each.is_owner,
            "outlet": each.outlet.name,
            "bound_at": each.bound_at,
            "can_unbind": clerk.is_owner and each.pk != clerk.pk,
        }
        for each in rows.select_related("person", "outlet").order_by("outlet_id", "bound_at")
    ]
    status = refusal.status if refusal else 200
    return shop_page(
        request, "shop/clerks.html", clerk=clerk, status=status, tab="clerks", clerks=listed, refusal=refusal
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BAD_INPUT(what="店员")
    return int(text)


@require_http_methods(["GET", "HEAD", "POST"])
def me(request: HttpRequest) -> HttpResponse:
    """Show one's own binding; change to another place of the chain, or sign out."""
    clerk = binding.current(request)
    if clerk is None:
        return redirect("shop-bind")
    bindings = binding.outlets_of(clerk)
    if request.method == "POST":
        if request.POST.get("do") == "leave":
            arriving.forget(request)
            response = redirect("m-home")
            response.delete_cookie(binding.COOKIE)
            return response
        wanted = next((each for each in bindings if str(each.outlet_id) == request.POST.get("outlet")), None)
        if wanted is None:
            raise BAD_INPUT(what="店面")
        messages.success(request, f"已换到 {wanted.outlet.name}")
        return with_cookie(request, redirect("shop-home"), binding.COOKIE, binding.cookie_of(wanted))
    others = [each for each in bindings if each.pk != clerk.pk]
    return shop_page(request, "shop/me.html", clerk=clerk, tab="me", others=others)
