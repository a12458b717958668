"""Messages to people: the outbox, and the bureau's announcements."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.db.models import Q

from coupons.models.people import Consumer
from coupons.models.plan import Campaign


class OutboxMessage(models.Model):
    """A message to be sent after the commit. The queue carries this row's number, never a phone number."""

    class Kind(models.TextChoices):
        SMS_CODE = "sms_code", "短信验证码"
        SHOP_CODE = "shop_code", "商家绑定验证码"
        WON = "won", "中奖"
        EXPIRING = "expiring", "即将到期"
        USED = "used", "已使用"

    class State(models.TextChoices):
        WAITING = "waiting", "待发"
        SENT = "sent", "已发"
        FAILED = "failed", "失败"

    kind = models.CharField("类别", max_length=10, choices=Kind.choices)
    consumer = models.ForeignKey(Consumer, models.PROTECT, null=True, verbose_name="买家")
    sealed_to = models.BinaryField("密封的收件人", null=True)  # cleared once it is sent
    sealed_body = models.BinaryField("密封的内容", null=True)
    state = models.CharField("状态", max_length=8, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField("次数", default=0)
    next_try_at = models.DateTimeField("下次尝试")
    created_at = models.DateTimeField("生成时间")
    sent_at = models.DateTimeField("发送时间", null=True)
    error = models.CharField("错误", max_length=200, blank=True)
    about_key = models.CharField("事由键", max_length=60, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "待发消息"
        constraints = [
            models.UniqueConstraint(
                fields=["about_key"],
                condition=~Q(about_key=""),
                name="outbox_about_once",
                violation_error_message="该消息已经生成",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state="waiting"), name="outbox_waiting"),
        ]

    def __str__(self) -> str:
        return f"消息 {self.pk}"


class Subscription(models.Model):
    """A tap on 允许 at WeChat: one message of one kind may go to this binding's account (一次性订阅消息), then none."""

    consumer = models.ForeignKey(Consumer, models.PROTECT, verbose_name="买家", related_name="subscriptions")
    kind = models.CharField("类别", max_length=10, choices=OutboxMessage.Kind.choices)
    agreed_at = models.DateTimeField("同意时间")
    message = models.OneToOneField(OutboxMessage, models.PROTECT, null=True, blank=True, verbose_name="用于消息")

    class Meta:
        verbose_name = verbose_name_plural = "微信提醒的同意"
        constraints = [
            models.UniqueConstraint(
                fields=["consumer", "kind"],
                condition=Q(message=None),
                name="subscription_unspent_once",
                violation_error_message="这类提醒已经同意过一次，尚未用掉",
            ),
        ]

    def __str__(self) -> str:
        return f"微信提醒的同意 {self.pk}"


class NoticeQuerySet(models.QuerySet["Notice"]):
    def shown(self, campaign: Campaign, now: dt.datetime) -> NoticeQuerySet:
        """What the consumers' pages show at an instant, newest first."""
        begun = self.filter(campaign=campaign, shown_from__lte=now)
        return begun.filter(Q(shown_until=None) | Q(shown_until__gt=now)).order_by("-shown_from")

    def take_down(self, now: dt.datetime) -> int:
        """End what is not over yet; return how many. What had ended keeps its own end."""
        return self.filter(Q(shown_until=None) | Q(shown_until__gt=now)).update(shown_until=now)


class Notice(models.Model):
    """An announcement on the consumers' home page (融媒体中心)."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, verbose_name="活动", related_name="notices")
    title = models.CharField("标题", max_length=60)
    body = models.TextField("内容")
    shown_from = models.DateTimeField("开始展示")
    shown_until = models.DateTimeField("结束展示", null=True, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "公告"
        ordering = ["-shown_from"]

    def __str__(self) -> str:
        return self.title
