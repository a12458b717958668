"""What a page passes to WeChat's own script inside WeChat: a signature of its address."""

from __future__ import annotations

from urllib.parse import urlsplit

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from coupons.api.base import OwnPagesView
from coupons.api.serializers import RefusalSerializer
from huigou import arriving, clock, pacing, wechat
from huigou.errors import BAD_INPUT


class WechatConfigAnswer(serializers.Serializer):
    """The arguments of wx.config but for the list of calls."""

    appId = serializers.CharField()
    timestamp = serializers.CharField(help_text="秒，字符串")
    nonceStr = serializers.CharField()
    signature = serializers.CharField(help_text="JS-SDK 使用权限签名")


class WechatConfig(OwnPagesView):
    """微信 JS-SDK"""

    @extend_schema(
        operation_id="wechat_config",
        parameters=[OpenApiParameter("url", str, required=True, description="本页地址，不含 # 及其后")],
        responses={200: WechatConfigAnswer, 400: RefusalSerializer, 404: RefusalSerializer, 503: RefusalSerializer},
        summary="微信内定位与扫一扫的签名",
    )
    def get(self, request: Request) -> Response:
        pacing.keep(request, "wechat-config", "300/m")
        url = request.query_params.get("url", "")
        # Only our own pages: a signature for another address would lend our account to it.
        asked, ours = urlsplit(url), urlsplit(arriving.origin(request))
        if len(url) > 1_000 or (asked.scheme, asked.netloc) != (ours.scheme, ours.netloc):
            raise BAD_INPUT(what="页面地址")
        config = wechat.jsapi_config(url, clock.now())
        return Response(config.as_dict(), headers={"Cache-Control": "no-store"})
