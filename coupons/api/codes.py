"""SMS codes, behind a small proof of work."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from coupons import consumers
from coupons.api.base import OwnPagesView, checked
from coupons.api.serializers import ChallengeAnswer, RefusalSerializer, SmsCodeAnswer, SmsCodeRequest
from coupons.errors import CHALLENGE_FAILED
from coupons.views.bind import DEVICE_COOKIE
from huigou import challenge, pacing

PURPOSES = {"consumer": "bind", "clerk": "clerk"}


class Challenge(OwnPagesView):
    """安全校验"""

    @extend_schema(operation_id="challenge", responses=ChallengeAnswer, summary="领取安全校验题")
    def get(self, request: Request) -> Response:
        pacing.keep(request, "challenge", "600/m")
        return Response(challenge.issue(), headers={"Cache-Control": "no-store"})


class SmsCodes(OwnPagesView):
    """短信验证码"""

    @extend_schema(
        operation_id="sms_code",
        request=SmsCodeRequest,
        responses={200: SmsCodeAnswer, 400: RefusalSerializer, 429: RefusalSerializer},
        summary="获取短信验证码",
    )
    def post(self, request: Request) -> Response:
        pacing.keep(request, "sms-code", "300/m")
        asked = checked(SmsCodeRequest, request.data)
        if not challenge.is_solved(asked["altcha"]):
            raise CHALLENGE_FAILED()
        code = consumers.send_code(
            asked["phone"],
            PURPOSES[asked["purpose"]],
            address=request.META.get("REMOTE_ADDR", ""),
            device=request.COOKIES.get(DEVICE_COOKIE, ""),
        )
        answer = {
            "message": "验证码已发送，5 分钟内有效",
            "retry_after_s": int(consumers.RESEND_AFTER.total_seconds()),
        }
        return Response(answer | ({"demo_code": code} if code else {}))
