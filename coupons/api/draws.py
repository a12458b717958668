"""The draw for everybody who does not come through the way ahead of Django: the same request, verb and answer."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
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
        responses={200: DrawAnswer, **dict.fromkeys((400, 401, 409, 429), RefusalSerializer)},
        summary="抽奖：每个品类每轮最多一张",
    )
    def post(self, request: Request) -> Response:
        consumer = consumers.required(request)
        category, turn, key = rush.read_request(request.body)
        rush.hold_back(consumer.pk, category, cookie_of(request))
        return Response(rush.draw_as(consumer.pk, consumer.session_version, category, turn, key))
