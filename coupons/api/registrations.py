"""报名: a place on the list of a joint draw."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from coupons import consumers, lottery
from coupons.api.base import OwnPagesView, checked
from coupons.api.serializers import RefusalSerializer
from coupons.drawing.facts import open_deck
from coupons.models import Deck
from huigou import clock


class RegistrationRequest(serializers.Serializer):
    """A wish to take part."""

    category = serializers.SlugField(max_length=40, help_text="品类代码")


class RegistrationAnswer(serializers.Serializer):
    """The place on the list; the same however often it is asked for."""

    category = serializers.CharField()
    registered_at = serializers.DateTimeField()
    pseudonym = serializers.CharField(help_text="名单上的代号，即凭证")
    until = serializers.DateTimeField(help_text="报名截止")
    until_text = serializers.CharField()


class CreateRegistration(OwnPagesView):
    """报名摇号"""

    @extend_schema(
        operation_id="register",
        request=RegistrationRequest,
        responses={200: RegistrationAnswer, 400: RefusalSerializer, 401: RefusalSerializer, 409: RefusalSerializer},
        summary="报名摇号：每个品类每轮一次，快慢不影响结果",
    )
    def post(self, request: Request) -> Response:
        consumer = consumers.required(request)
        wanted = checked(RegistrationRequest, request.data)
        code = wanted["category"]
        fact = open_deck(code, clock.now())
        deck = Deck.objects.select_related("round").get(pk=fact.deck_id)
        row = lottery.register(consumer, deck)
        until = lottery.ends_at(deck.round)
        return Response(
            {
                "category": code,
                "registered_at": clock.local(row.registered_at).isoformat(),
                "pseudonym": bytes(row.pseudonym).hex(),
                "until": clock.local(until).isoformat(),
                "until_text": clock.spoken(until),
            }
        )
