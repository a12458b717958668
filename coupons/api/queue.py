"""The waiting room's position. Thousands ask every few seconds: answered from Redis and two signed cookies alone."""

from __future__ import annotations

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from coupons import consumers, waiting
from coupons.api.base import OwnPagesView
from coupons.api.serializers import QueueAnswer, RefusalSerializer
from coupons.errors import NO_ROUND, NOT_BOUND
from coupons.views.page import safe_next
from coupons.views.waiting import cookie_of, with_place
from huigou import tokens


class QueuePlace(OwnPagesView):
    """排队"""

    @extend_schema(
        operation_id="queue",
        parameters=[OpenApiParameter("next", str, description="轮到后去哪一页")],
        responses={200: QueueAnswer, 401: RefusalSerializer, 409: RefusalSerializer},
        summary="排队位置：刷新、断网都不会丢",
    )
    def get(self, request: Request) -> Response:
        # Whether the binding still stands is asked by the draw; a place in the line is worth nothing else.
        token = tokens.read("c", request.COOKIES.get(consumers.COOKIE))
        if token is None:
            raise NOT_BOUND()
        round_id = waiting.open_round_id()
        if round_id is None:
            raise NO_ROUND()
        if waiting.is_out(round_id):
            place = waiting.Place(is_admitted=True, position=0, cookie="")
        else:
            place = waiting.enter(round_id, token.id, cookie_of(request))
        answer = {
            "admitted": place.is_admitted,
            "position": place.position,
            "message": place.words(),
            "url": safe_next(request, reverse("m-home")),
            "poll_ms": place.poll_ms,
        }
        return with_place(request, Response(answer, headers={"Cache-Control": "no-store"}), place)
