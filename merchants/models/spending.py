"""A coupon spent at an outlet, and every attempt to spend one."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.db.models import F, Q

from coupons.models import Consumer, Coupon
from huigou.rules import known
from huigou.tables import append_only
from merchants.models.firms import Clerk, Merchant, Outlet
from merchants.models.guards import redemption_triggers


class RedemptionQuerySet(models.QuerySet["Redemption"]):
    def pending(self) -> RedemptionQuerySet:
        return self.filter(state=Redemption.State.PENDING)

    def finished(self) -> RedemptionQuerySet:
        return self.filter(state=Redemption.State.USED)

    def counted(self) -> RedemptionQuerySet:
        """What stands on 优惠券使用: entered and not reversed."""
        return self.filter(state=Redemption.State.USED)

    def of_person(self, consumer: Consumer) -> RedemptionQuerySet:
        """All of the person behind a consumer, over an unbinding and binding again."""
        return self.filter(consumer__person_id=consumer.person_id)

    def overdue(self, now: dt.datetime) -> RedemptionQuerySet:
        return self.filter(state=Redemption.State.PENDING, entry_until__lte=now)


class Redemption(models.Model):
    """A coupon at an outlet (核销): scanned (已发送商家), then completed with amount and kind (已使用)."""

    class State(models.TextChoices):
        PENDING = "pending", "已发送商家"
        USED = "used", "已使用"
        RECALLED = "recalled", "已撤回"
        REVERSED = "reversed", "已退回"
        FORFEITED = "forfeited", "未录入（视为放弃）"

    class Payment(models.TextChoices):
        UNASKED = "", "未要求"
        CARD = "card", "银行卡"
        WECHAT = "wechat", "微信支付"
        ALIPAY = "alipay", "支付宝"
        TRANSFER = "transfer", "转账"

    coupon = models.ForeignKey(Coupon, models.PROTECT, verbose_name="消费券", related_name="redemptions")
    consumer = models.ForeignKey(Consumer, models.PROTECT, verbose_name="买家", related_name="redemptions")
    merchant = models.ForeignKey(Merchant, models.PROTECT, verbose_name="商家", related_name="redemptions")
    outlet = models.ForeignKey(Outlet, models.PROTECT, verbose_name="店面", related_name="redemptions")
    clerk = models.ForeignKey(Clerk, models.PROTECT, verbose_name="员工", related_name="redemptions")
    # Facts of the coupon at the scan, so that the checks below stand on one row.
    category = models.ForeignKey("coupons.Category", models.PROTECT, verbose_name="品类", related_name="+")
    face_fen = models.BigIntegerField("金额（券面额，分）")
    threshold_fen = models.BigIntegerField("使用门槛（分）")
    state = models.CharField("使用情况", max_length=10, choices=State.choices, default=State.PENDING)
    scanned_at = models.DateTimeField("扫码时间")
    entry_until = models.DateTimeField("录入截止")
    amount_fen = models.BigIntegerField("消费金额（分）", null=True)
    kind = models.CharField("消费种类", max_length=50, blank=True)
    note = models.CharField("备注", max_length=200, blank=True)
    receipt_no = models.CharField("小票号", max_length=50, blank=True)
    payment = models.CharField("付款方式", max_length=10, choices=Payment.choices, blank=True, default="")
    completed_at = models.DateTimeField("确认时间", null=True)
    ended_at = models.DateTimeField("结束时间", null=True)
    is_second = models.BooleanField("同店再用", default=False)
    scan_key = models.UUIDField("扫码请求号", null=True)
    entry_key = models.UUIDField("录入请求号", null=True)

    objects = RedemptionQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "核销"
        constraints = [
            known(
                "state",
                "redemption_state_known",
                ["pending", "used", "recalled", "reversed", "forfeited"],
                "使用情况须是规定的几种之一",
            ),
            known(
                "payment",
                "redemption_payment_known",
                ["", "card", "wechat", "alipay", "transfer"],
                "付款方式须是规定的几种之一，不含现金",
            ),
            models.UniqueConstraint(
                fields=["coupon"],
                condition=Q(state__in=["pending", "used", "forfeited"]),
                name="redemption_once",
                violation_error_message="该消费券已被扫码或使用",
            ),
            models.UniqueConstraint(
                fields=["consumer"],
                condition=Q(state="pending"),
                name="redemption_one_pending",
                violation_error_message="该顾客另有一张券待录入",
            ),
            models.CheckConstraint(
                condition=Q(amount_fen=None) | Q(amount_fen__gte=F("threshold_fen")),
                name="redemption_threshold",
                violation_error_message="消费金额未达到使用门槛",
            ),
            # Entered and not entered: nothing between.
            models.CheckConstraint(
                condition=~Q(state__in=["used", "reversed"])
                | (Q(amount_fen__isnull=False, completed_at__isnull=False) & Q(kind__regex=r"\S")),
                name="redemption_used_is_entered",
                violation_error_message="已使用的券须有消费金额、消费种类和确认时间",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["pending", "recalled", "forfeited"])
                | Q(amount_fen=None, completed_at=None, kind="", payment=""),
                name="redemption_unentered_is_empty",
                violation_error_message="未录入的券不得有消费金额、消费种类、付款方式和确认时间",
            ),
            models.CheckConstraint(
                condition=Q(state="pending", ended_at=None) | (~Q(state="pending") & Q(ended_at__isnull=False)),
                name="redemption_ended_iff_over",
                violation_error_message="使用情况与结束时间不符",
            ),
            models.CheckConstraint(
                condition=Q(scanned_at__lt=F("entry_until"))
                & (Q(completed_at=None) | Q(completed_at__gte=F("scanned_at")))
                & (Q(ended_at=None) | Q(ended_at__gte=F("scanned_at")))
                & (Q(ended_at=None) | Q(completed_at=None) | Q(ended_at__gte=F("completed_at"))),
                name="redemption_times_in_order",
                violation_error_message="扫码、确认、结束时间须依次向后，扫码须早于录入截止",
            ),
            models.CheckConstraint(
                condition=Q(face_fen__gt=0) & Q(threshold_fen__gte=F("face_fen")),
                name="redemption_amounts",
                violation_error_message="门槛不得低于面额",
            ),
            models.CheckConstraint(
                condition=Q(is_second=False) | Q(receipt_no__regex=r"\S"),
                name="redemption_second_has_receipt",
                violation_error_message="同店再用须填写小票号",
            ),
        ]
        indexes = [
            models.Index(fields=["outlet", "completed_at"], name="redemption_outlet_day"),
            models.Index(fields=["merchant", "completed_at"], name="redemption_merchant_day"),
            models.Index(fields=["completed_at", "id"], condition=Q(state="used"), name="redemption_completed"),
            models.Index(fields=["entry_until"], condition=Q(state="pending"), name="redemption_due"),
        ]
        triggers = redemption_triggers()

    def __str__(self) -> str:
        return f"核销 {self.pk}"


class Attempt(models.Model):
    """Every attempt to scan or enter a coupon, refused ones too. Append-only; the trail for risk and complaints."""

    verb = models.CharField("动作", max_length=10)
    clerk = models.ForeignKey(Clerk, models.PROTECT, null=True, verbose_name="员工")
    coupon = models.ForeignKey(Coupon, models.PROTECT, null=True, verbose_name="消费券", db_index=False)
    outcome = models.CharField("结果", max_length=40)  # "ok" or the refusal's code
    at = models.DateTimeField("时间")

    class Meta:
        verbose_name = verbose_name_plural = "核销尝试"
        indexes = [models.Index(fields=["clerk", "at"], name="attempt_clerk")]
        triggers = append_only("attempt")

    def __str__(self) -> str:
        return f"{self.verb} {self.outcome}"
