"""个人信息: view, correct, withdraw, delete (个人信息保护法 第 44 至 47 条)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from coupons import consumers
from coupons.models import Consumer
from coupons.views.page import me_of, page
from huigou import clock
from huigou.errors import BAD_INPUT, Refusal


@require_http_methods(["GET", "HEAD", "POST"])
def privacy(request: HttpRequest) -> HttpResponse:
    """Show what is kept about somebody and let them act on it; the explanation is readable without binding."""
    refusal = None
    if request.method == "POST":
        try:
            return _do(request, consumers.required(request), request.POST.get("do", ""))
        except Refusal as refused:
            refusal = refused
    consumer = consumers.current(request)
    me = None
    if consumer:
        me = me_of(
            consumer,
            place=consumer.get_place_display(),
            consented_at=consumer.consented_at,
            consent_version=consumer.consent_version,
        )
    status = refusal.status if refusal else 200
    return page(request, "m/privacy.html", now=clock.now(), status=status, me=me, refusal=refusal)


def _do(request: HttpRequest, consumer: Consumer, deed: str) -> HttpResponse:
    if deed == "correct":
        consumers.correct_name(consumer, request.POST.get("name", ""))
        messages.success(request, "姓名已更正")
        return redirect("m-privacy")
    said = {"leave": "已退出登录", "withdraw": "已撤回同意、解除绑定", "delete": "个人信息已删除"}
    if deed not in said:
        raise BAD_INPUT(what="操作")
    if deed == "withdraw":
        consumers.unbind(consumer)
    if deed == "delete":
        consumers.delete(consumer)
    messages.success(request, said[deed])
    response = redirect("m-home")
    response.delete_cookie(consumers.COOKIE)
    return response
