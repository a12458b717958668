"""A firm's conduct: sanctions, inspections and complaints (plan clauses 6.4 and 7, 市监局)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from coupons.models import Consumer
from huigou.tables import append_only
from merchants.models.firms import Merchant
from merchants.models.spending import Redemption


class Sanction(models.Model):
    """A change of a firm's standing with its reason: what the public status page shows."""

    merchant = models.ForeignKey(Merchant, models.PROTECT, verbose_name="商家", related_name="sanctions")
    state = models.CharField("状态", max_length=12, choices=Merchant.State.choices)
    reason = models.CharField("理由", max_length=300)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="经办人")
    at = models.DateTimeField("时间")

    class Meta:
        verbose_name = verbose_name_plural = "商家状态变更"
        ordering = ["-at"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(reason=""), name="sanction_reason_given", violation_error_message="须写明理由"
            ),
        ]
        triggers = append_only("sanction")

    def __str__(self) -> str:
        return f"{self.merchant} {self.get_state_display()}"


class Inspection(models.Model):
    """A visit to a firm: who came, when, what was found."""

    merchant = models.ForeignKey(Merchant, models.PROTECT, verbose_name="商家", related_name="inspections")
    inspector = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="检查人")
    visited_on = models.DateField("检查日期")
    finding = models.TextField("检查情况")
    is_breach = models.BooleanField("发现违约", default=False)

    class Meta:
        verbose_name = verbose_name_plural = "检查记录"
        triggers = append_only("inspection")

    def __str__(self) -> str:
        return f"{self.merchant} {self.visited_on}"


class InspectionPhoto(models.Model):
    """A photo taken at an inspection."""

    inspection = models.ForeignKey(Inspection, models.PROTECT, verbose_name="检查", related_name="photos")
    file = models.ImageField("照片", upload_to="inspections/%Y/")

    class Meta:
        verbose_name = verbose_name_plural = "检查照片"
        triggers = append_only("inspectionphoto")

    def __str__(self) -> str:
        return f"照片 {self.pk}"


class Complaint(models.Model):
    """A consumer's complaint about a firm, followed to an end by 市监局."""

    class State(models.TextChoices):
        NEW = "new", "待受理"
        WORKING = "working", "处理中"
        UPHELD = "upheld", "属实"
        REJECTED = "rejected", "不属实"

    consumer = models.ForeignKey(Consumer, models.PROTECT, verbose_name="买家")
    merchant = models.ForeignKey(Merchant, models.PROTECT, verbose_name="商家", related_name="complaints")
    redemption = models.ForeignKey(Redemption, models.PROTECT, null=True, blank=True, verbose_name="核销")
    text = models.TextField("内容", max_length=500)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.NEW)
    answer = models.TextField("处理结果", blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, verbose_name="处理人"
    )
    made_at = models.DateTimeField("投诉时间")
    ended_at = models.DateTimeField("办结时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "投诉"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["new", "working"], ended_at=None)
                | (Q(state__in=["upheld", "rejected"], ended_at__isnull=False) & ~Q(answer="")),
                name="complaint_ended_with_answer",
                violation_error_message="办结须写明处理结果",
            ),
        ]

    def __str__(self) -> str:
        return f"投诉 {self.pk}"
