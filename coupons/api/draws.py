"""The draw for everybody who does not come through the way ahead of Django: the same request, verb and answer."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from coupons import consumers, rush
from coupons.api.base import OwnPagesView
from coupons.api.serializers import DrawAnswer, DrawRequest, RefusalSerializer
from coupons.views.waiting import cookie_of


class CreateDraw(OwnPagesView):
    """抽奖"""

    @extend_schema(
        operation_id="draw",
        request=DrawRequest,
        parameters=[
            OpenApiParameter("category", str, description="品类代码；写在地址里时不需要请求体，处理更快"),
            OpenApiParameter("turn", int, description="第几次，从 1 起"),
            OpenApiParameter("Idempotency-Key", UUID, OpenApiParameter.HEADER, description="请求号，同请求体的 key"),
        ],
        responses={200: DrawAnswer, **dict.fromkeys((400, 401, 409, 429), RefusalSerializer)},
        summary="抽奖：每个品类每轮最多一张",
    )
    def post(self, request: Request) -> Response:
        consumer = consumers.required(request)
        category, turn, key = rush.read(request)
        rush.hold_back(consumer.pk, category, cookie_of(request))
        return Response(rush.draw_as(consumer.pk, consumer.session_version, category, turn, key))
