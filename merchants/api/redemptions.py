"""Scan, read a photo, enter, recall."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from coupons.api.base import OwnPagesView, checked
from coupons.ledger import Actor
from coupons.models.books import ActorKind
from huigou import pacing
from huigou.errors import Refusal
from merchants import binding, presenting, redemption
from merchants.api.serializers import (
    EntryAnswer,
    EntryRequest,
    PhotoAnswer,
    PhotoRequest,
    RecallAnswer,
    ScanAnswer,
    ScanRequest,
    ScreenRefusal,
)
from merchants.views.entry import entry_from
from merchants.views.page import screen_of
from merchants.views.scan import page_that_asks

MAX_PHOTO_BYTES = 12_000_000  # of a phone with 12 megapixels
REFUSALS = {400: ScreenRefusal, 401: ScreenRefusal, 403: ScreenRefusal, 409: ScreenRefusal}


def refused(refusal: Refusal, url: str = "") -> Response:
    """Answer a refusal with the screen that shows it."""
    return Response({**refusal.as_dict(), **screen_of(refusal), "url": url}, status=refusal.status)


class Scans(OwnPagesView):
    """扫码"""

    @extend_schema(
        operation_id="scan", request=ScanRequest, responses={200: ScanAnswer, **REFUSALS}, summary="扫码：锁定到本店"
    )
    def post(self, request: Request) -> Response:
        clerk = binding.required(request)
        values = checked(ScanRequest, request.data)
        options = redemption.ScanOptions(
            values["another_purchase"], values["receipt_no"], values["paper_last4"], values.get("key")
        )
        try:
            if values.get("token"):
                presented = redemption.coupon_from_token(values["token"])
            else:
                presented = redemption.token_from_short(clerk, values["short_code"])
        except Refusal as refusal:
            return refused(refusal)
        try:
            done = redemption.scan(clerk, presented, options)
        except Refusal as refusal:
            return refused(refusal, page_that_asks(clerk, presented, values.get("token", ""), refusal))
        seen: dict[str, Any] = redemption.as_seen_by_clerk(done)
        return Response({**seen, "url": reverse("shop-entry", args=[done.pk])})


class ScanPhoto(OwnPagesView):
    """照片识别"""

    parser_classes = [MultiPartParser]
    max_body_bytes = MAX_PHOTO_BYTES

    @extend_schema(
        operation_id="scan_photo",
        request={"multipart/form-data": PhotoRequest},
        responses={200: PhotoAnswer, **REFUSALS},
        summary="识别照片里的消费券二维码",
    )
    def post(self, request: Request) -> Response:
        binding.required(request)
        pacing.keep(request, "scan-photo", "1200/m")  # a clerk's camera posts one frame a second
        asked = checked(PhotoRequest, request.data)
        return Response({"token": presenting.token_in(asked["photo"])})


class CompleteRedemption(OwnPagesView):
    """录入"""

    @extend_schema(
        operation_id="complete",
        request=EntryRequest,
        responses={200: EntryAnswer, **REFUSALS},
        summary="录入消费金额和种类：完成核销",
    )
    def post(self, request: Request, redemption_id: int) -> Response:
        clerk = binding.required(request)
        asked = checked(EntryRequest, request.data)
        try:
            done = redemption.complete(clerk, redemption_id, entry_from(asked))
        except Refusal as refusal:
            gone = reverse("shop-entry", args=[redemption_id]) if refusal.code in GONE else ""
            return refused(refusal, gone)
        return Response(
            {
                "id": done.pk,
                "state": done.state,
                "amount_fen": done.amount_fen,
                "face_fen": done.face_fen,
                "url": reverse("shop-done", args=[done.pk]),
            }
        )


# After these the entry page has nothing left to enter and shows why.
GONE = {"no_redemption", "already_entered", "entry_late"}


class RecallRedemption(OwnPagesView):
    """撤回"""

    @extend_schema(
        operation_id="recall", request=None, responses={200: RecallAnswer, **REFUSALS}, summary="撤回已扫未录的券"
    )
    def post(self, request: Request, redemption_id: int) -> Response:
        clerk = binding.required(request)
        done = redemption.recall(redemption_id, Actor(ActorKind.CLERK, clerk.pk), "店员撤回", clerk=clerk)
        return Response({"id": done.pk, "state": done.state})
