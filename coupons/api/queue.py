"""The waiting room's position."""

from __future__ import annotations

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from coupons import consumers
from coupons.api.base import OwnPagesView
from coupons.api.serializers import QueueAnswer, RefusalSerializer
from coupons.errors import NO_ROUND
from coupons.models import Campaign
from coupons.views.home import stage_of
from coupons.views.page import safe_next
from coupons.views.waiting import place_of, with_place
from huigou import clock


class QueuePlace(OwnPagesView):
    """排队"""

    @extend_schema(
        operation_id="queue",
        parameters=[OpenApiParameter("next", str, description="轮到后去哪一页")],
        responses={200: QueueAnswer, 401: RefusalSerializer, 409: RefusalSerializer},
        summary="排队位置：刷新、断网都不会丢",
    )
    def get(self, request: Request) -> Response:
        consumer = consumers.required(request)
        campaign = Campaign.objects.current()
        current = stage_of(campaign, clock.now()).current if campaign else None
        if current is None:
            raise NO_ROUND()
        place = place_of(request, current, consumer)
        answer = {
            "admitted": place.is_admitted,
            "position": place.position,
            "message": place.words(),
            "url": safe_next(request, reverse("m-home")),
            "poll_ms": place.poll_ms,
        }
        return with_place(request, Response(answer, headers={"Cache-Control": "no-store"}), place)
