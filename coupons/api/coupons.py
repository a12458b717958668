"""A coupon's living state and code."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from coupons.api.base import OwnPagesView, epoch_ms
from coupons.api.serializers import CouponLive, RefusalSerializer
from coupons.models import Coupon
from coupons.views.coupons import code_of, one, shown
from huigou import clock


class CouponState(OwnPagesView):
    """消费券"""

    @extend_schema(
        operation_id="coupon_live",
        parameters=[OpenApiParameter("code", bool, description="是否要这一步的二维码")],
        responses={200: CouponLive, 401: RefusalSerializer, 404: RefusalSerializer},
        summary="消费券的实时状态与二维码",
    )
    def get(self, request: Request, coupon_id: int) -> Response:
        coupon = one(request, coupon_id)
        now = clock.now()
        view = shown(coupon, now)
        answer = {key: view[key] for key in ("state", "state_text", "outlet", "spent_text")}
        if request.query_params.get("code") and view["state"] == Coupon.State.HELD:
            answer["code"] = code_of(request, coupon.pk, now)
        return Response({"now": epoch_ms(now), **answer}, headers={"Cache-Control": "no-store"})
