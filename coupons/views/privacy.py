"""个人信息: view, correct, withdraw, delete (个人信息保护法 第 44 至 47 条)."""

from __future__ import annotations

import json
from urllib.parse import quote

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from coupons import consumers
from coupons.models import Consumer
from coupons.views.page import me_of, page
from huigou import arriving, clock
from huigou.errors import BAD_INPUT, Refusal


@require_http_methods(["GET", "HEAD", "POST"])
def privacy(request: HttpRequest) -> HttpResponse:
    """Show what is kept about somebody and let them act on it; the explanation is readable without binding."""
    refusal = None
    if request.method == "POST":
        if request.POST.get("do") == "copy":
            return _copy(consumers.required(request))
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
            wechat_name=consumer.wechat_name,
            can_name=arriving.is_inside(request),
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
    arriving.forget(request)
    messages.success(request, said[deed])
    response = redirect("m-home")
    response.delete_cookie(consumers.COOKIE)
    return response


def _copy(consumer: Consumer) -> HttpResponse:
    """Hand somebody their own copy, as a file that opens anywhere."""
    text = json.dumps(consumers.copy_of(consumer), ensure_ascii=False, indent=2)
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    response.headers["Content-Disposition"] = "attachment; filename=\"my-data.json\"; filename*=UTF-8''" + quote(
        "我的个人信息.json"
    )
    response.headers["Cache-Control"] = "no-store"
    return response
