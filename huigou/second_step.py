"""The second step of a staff login: six digits of an authenticator app (TOTP), set up at the first login.

In a deployment nobody reaches a page of the back office on a password alone. A lost phone is reset by the leading
group's office, never by oneself.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Callable

import django_otp
from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_otp.plugins.otp_totp.models import TOTPDevice

from huigou import deeds, qr
from huigou.models import Staff

DEVICE = "动态验证码"
DIGITS = 6
# What somebody whose second step is still to come may open: the step itself, and the ways out.
OPEN = ("admin-second-step", "admin:logout", "admin:login", "admin:jsi18n")


class TokenForm(forms.Form):
    token = forms.CharField(
        label="动态验证码",
        min_length=DIGITS,
        max_length=DIGITS + 1,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": True}),
    )

    def clean_token(self) -> str:
        token = self.cleaned_data["token"].replace(" ", "")
        if not (token.isascii() and token.isdigit() and len(token) == DIGITS):
            raise forms.ValidationError("请填 6 位数字")
        return token


def is_due(request: HttpRequest) -> bool:
    """Say whether this request's member of staff has still to take the second step."""
    # OTPMiddleware puts is_verified on every user of a request.
    return bool(settings.STAFF_TOTP and request.user.is_authenticated and not request.user.is_verified())  # type: ignore[attr-defined]


def device_of(staff: Staff) -> TOTPDevice | None:
    """Return somebody's confirmed device."""
    return TOTPDevice.objects.filter(user=staff, confirmed=True).first()


def reset(staff: Staff) -> bool:
    """Forget somebody's devices, so that the next login sets up a new one; say whether there was any."""
    return TOTPDevice.objects.filter(user=staff).delete()[0] > 0


class SecondStepMiddleware:
    """Send whoever is logged in by password alone to the second step, whatever page of the back office they ask for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._open: set[str] | None = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/admin/") and is_due(request) and request.path not in self._addresses():
            to = reverse("admin-second-step")
            if request.method == "GET":
                to += f"?next={request.path}"
            return HttpResponseRedirect(to)
        return self.get_response(request)

    def _addresses(self) -> set[str]:
        if self._open is None:
            self._open = {reverse(name) for name in OPEN}
        return self._open


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def view(request: HttpRequest) -> HttpResponse:
    """Ask for the six digits, or show the code that sets up the app; a right token lets in."""
    staff = request.user
    if not isinstance(staff, Staff):
        return HttpResponseRedirect(reverse("admin:login"))
    if not is_due(request):
        return HttpResponseRedirect(_next(request))
    known = device_of(staff)
    device = known or TOTPDevice.objects.get_or_create(user=staff, confirmed=False, defaults={"name": DEVICE})[0]
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        allowed, _ = device.verify_is_allowed()
        if allowed and device.verify_token(form.cleaned_data["token"]):
            return _let_in(request, device, is_new=known is None)
        deeds.announce(request, "动态验证码错误", "工作人员", staff.pk)
        form.add_error("token", "验证码不正确，请等下一组数字再试" if allowed else "错误次数过多，请稍候再试")
    setup = {} if known else _setup(device)
    context = {**admin.site.each_context(request), "title": "动态验证码", "form": form, "next": _next(request), **setup}
    return TemplateResponse(request, "admin/second_step.html", context, status=422 if form.errors else 200)


def _let_in(request: HttpRequest, device: TOTPDevice, *, is_new: bool) -> HttpResponse:
    if is_new:
        TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
        TOTPDevice.objects.filter(user=device.user_id).exclude(pk=device.pk).delete()
    django_otp.login(request, device)
    deeds.announce(request, "绑定动态验证码" if is_new else "动态验证码通过", "工作人员", device.user_id)
    return HttpResponseRedirect(_next(request))


def _setup(device: TOTPDevice) -> dict[str, object]:
    key = b32encode(device.bin_key).decode().rstrip("=")
    return {"code": qr.drawn(device.config_url), "key": " ".join(key[i : i + 4] for i in range(0, len(key), 4))}


def _next(request: HttpRequest) -> str:
    asked = request.POST.get("next") or request.GET.get("next") or ""
    is_own = url_has_allowed_host_and_scheme(asked, {request.get_host()}) and asked.startswith("/admin/")
    return asked if is_own and asked != reverse("admin-second-step") else reverse("admin:index")
