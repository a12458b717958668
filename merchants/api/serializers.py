"""Shapes of requests and answers, for checking what comes in and for the schema."""

from __future__ import annotations

from rest_framework import serializers


class ScanRequest(serializers.Serializer):
    """A coupon's token (from its QR) or its eight digits."""

    token = serializers.CharField(required=False, max_length=80, help_text="二维码链接中的令牌")
    short_code = serializers.CharField(required=False, max_length=12, help_text="8 位短码")
    another_purchase = serializers.BooleanField(required=False, default=False, help_text="同一顾客的另一笔消费")
    receipt_no = serializers.CharField(required=False, allow_blank=True, max_length=50, default="", help_text="小票号")
    paper_last4 = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=6,
        default="",
        help_text="持券人手机号后四位，或服务站的 6 位确认码",
    )
    key = serializers.UUIDField(required=False, help_text="请求号：重试时不变")

    def validate(self, attrs):
        if bool(attrs.get("token")) == bool(attrs.get("short_code")):
            raise serializers.ValidationError("请提供二维码令牌或 8 位短码之一")
        return attrs


class ScanAnswer(serializers.Serializer):
    """The coupon is locked to the clerk's outlet."""

    id = serializers.IntegerField()
    state = serializers.CharField()
    category = serializers.CharField()
    face_fen = serializers.IntegerField()
    threshold_fen = serializers.IntegerField()
    kind_label = serializers.CharField()
    kind_type = serializers.CharField()
    kind_choices = serializers.ListField(child=serializers.CharField())
    kind_unit = serializers.CharField(allow_blank=True)
    cashless = serializers.BooleanField()
    entry_until = serializers.DateTimeField()
    url = serializers.CharField(help_text="录入页")


class ScreenRefusal(serializers.Serializer):
    """Why a coupon cannot be redeemed, and which of the clerk's screens says so."""

    code = serializers.CharField()
    message = serializers.CharField()
    next = serializers.CharField(allow_blank=True)
    screen = serializers.ChoiceField(["used", "expired", "wrong", "under", "other"])
    title = serializers.CharField()
    url = serializers.CharField(allow_blank=True, help_text="可以补充信息后再办的页面")


class PhotoRequest(serializers.Serializer):
    """A photo, or a frame of the camera."""

    photo = serializers.FileField(help_text="照片")


class PhotoAnswer(serializers.Serializer):
    """The token read off it."""

    token = serializers.CharField()


class EntryRequest(serializers.Serializer):
    """What a clerk enters."""

    amount = serializers.CharField(max_length=20, help_text="消费金额（元，最多两位小数）")
    kind = serializers.CharField(max_length=60, allow_blank=True, help_text="消费种类")
    note = serializers.CharField(required=False, allow_blank=True, max_length=400, default="", help_text="备注")
    receipt_no = serializers.CharField(required=False, allow_blank=True, max_length=100, default="", help_text="小票号")
    payment = serializers.CharField(required=False, allow_blank=True, max_length=10, default="", help_text="付款方式")
    key = serializers.UUIDField(required=False, help_text="请求号：重试时不变")


class EntryAnswer(serializers.Serializer):
    """The coupon is used; nothing is booked twice."""

    id = serializers.IntegerField()
    state = serializers.CharField()
    amount_fen = serializers.IntegerField()
    face_fen = serializers.IntegerField()
    url = serializers.CharField()


class RecallAnswer(serializers.Serializer):
    """The coupon is back with its holder."""

    id = serializers.IntegerField()
    state = serializers.CharField()
