"""Shapes of requests and answers, for checking what comes in and for the schema."""

from __future__ import annotations

from rest_framework import serializers


class RefusalSerializer(serializers.Serializer):
    """Why something is refused."""

    code = serializers.CharField(help_text="稳定的机器可读代码")
    message = serializers.CharField(help_text="中文说明")
    next = serializers.CharField(help_text="下一步怎么办", allow_blank=True)


class DrawRequest(serializers.Serializer):
    """One turn of the wheel."""

    category = serializers.SlugField(max_length=40, help_text="品类代码")
    turn = serializers.IntegerField(min_value=1, max_value=20, required=False, allow_null=True, help_text="第几次")
    key = serializers.UUIDField(required=False, allow_null=True, help_text="请求号：重试时不变")


class DrawAnswer(serializers.Serializer):
    """The server's answer; the wheel only shows it."""

    category = serializers.CharField()
    deck = serializers.IntegerField()
    ticket = serializers.IntegerField(help_text="奖票号")
    turn = serializers.IntegerField()
    face_fen = serializers.IntegerField(help_text="面额（分），0 为谢谢参与")
    threshold_fen = serializers.IntegerField(help_text="使用门槛（分）")
    coupon_id = serializers.IntegerField(allow_null=True)
    drawn_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    expires_text = serializers.CharField()
    entry = serializers.CharField(help_text="日志散列，即凭证")
    repeated = serializers.BooleanField(help_text="此前已经给过同一答复")


class CategoryCard(serializers.Serializer):
    """A category on the home page."""

    code = serializers.CharField()
    name = serializers.CharField()
    faces_text = serializers.CharField()
    state = serializers.CharField()
    action = serializers.CharField()
    primary = serializers.BooleanField()
    url = serializers.CharField()
    left_text = serializers.CharField()
    left_percent = serializers.IntegerField()


class HomeAnswer(serializers.Serializer):
    """What is left, and the phase of the campaign."""

    now = serializers.IntegerField(help_text="服务器时间（毫秒）")
    phase = serializers.ChoiceField(["before", "open", "over"])
    categories = CategoryCard(many=True)


class ChallengeAnswer(serializers.Serializer):
    """A small proof of work to solve before an SMS is sent."""

    algorithm = serializers.CharField()
    challenge = serializers.CharField()
    maxnumber = serializers.IntegerField()
    salt = serializers.CharField()
    signature = serializers.CharField()


class SmsCodeRequest(serializers.Serializer):
    """A wish for a code."""

    phone = serializers.CharField(max_length=30, help_text="手机号")
    purpose = serializers.ChoiceField(["consumer", "clerk"], help_text="用途：群众绑定或店员绑定")
    altcha = serializers.CharField(max_length=2000, help_text="安全校验答案")


class SmsCodeAnswer(serializers.Serializer):
    """The same for known and unknown phones."""

    message = serializers.CharField()
    retry_after_s = serializers.IntegerField()
    demo_code = serializers.CharField(required=False, help_text="仅演示系统")


class CodeAnswer(serializers.Serializer):
    """The code of this 30-second step."""

    short = serializers.CharField()
    until = serializers.IntegerField(help_text="有效至（毫秒）")
    d = serializers.CharField(help_text="二维码的 SVG 路径")
    size = serializers.IntegerField()


class CouponLive(serializers.Serializer):
    """A coupon's state as the clock has it."""

    now = serializers.IntegerField()
    state = serializers.CharField()
    state_text = serializers.CharField()
    outlet = serializers.CharField(allow_blank=True)
    spent_text = serializers.CharField(allow_blank=True)
    code = CodeAnswer(required=False, allow_null=True)


class QueueAnswer(serializers.Serializer):
    """A place in the waiting room."""

    admitted = serializers.BooleanField()
    position = serializers.IntegerField()
    message = serializers.CharField(allow_blank=True)
    url = serializers.CharField(allow_blank=True)
    poll_ms = serializers.IntegerField()
