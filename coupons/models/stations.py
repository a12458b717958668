"""Village service stations: who works there, whom they drew for, and the coupons that they printed."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from coupons.models.draws import Draw
from coupons.models.people import Consumer, Station
from coupons.models.plan import Category, Round
from huigou.tables import append_only


class Assist(models.Model):
    """A turn asked for at a station for a person present (代抽), written before the draw: none goes unlisted."""

    class Proof(models.TextChoices):
        SMS = "sms", "短信验证码"
        SEEN = "seen", "当面核验证件"

    DRAWN, REGISTERED = "ok", "registered"

    station = models.ForeignKey(Station, models.PROTECT, verbose_name="服务站", related_name="assists")
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="经办人", related_name="+")
    consumer = models.ForeignKey(Consumer, models.PROTECT, verbose_name="买家", related_name="assists")
    category = models.ForeignKey(Category, models.PROTECT, verbose_name="品类", related_name="+")
    round = models.ForeignKey(Round, models.PROTECT, null=True, verbose_name="轮次", related_name="+")
    proof = models.CharField("核验方式", max_length=4, choices=Proof.choices)
    key = models.UUIDField("请求号", unique=True)
    asked_at = models.DateTimeField("办理时间")
    outcome = models.CharField("结果", max_length=40, blank=True)  # DRAWN, REGISTERED, a refusal's code, "" unknown
    draw = models.OneToOneField(Draw, models.PROTECT, null=True, verbose_name="抽奖", related_name="assist")

    class Meta:
        verbose_name = verbose_name_plural = "代抽记录"
        constraints = [
            models.CheckConstraint(
                condition=Q(draw=None) | Q(outcome="ok"),
                name="assist_drawn_is_ok",
                violation_error_message="有抽奖结果的代抽记录须为成功",
            ),
        ]
        indexes = [models.Index(fields=["station", "-id"], name="assist_station")]
        triggers = [
            pgtrigger.Trigger(
                name="assist_is_kept",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF TG_OP = 'DELETE' OR (NEW.station_id, NEW.staff_id, NEW.consumer_id, NEW.category_id, NEW.proof,
                        NEW.key, NEW.asked_at) IS DISTINCT FROM
                       (OLD.station_id, OLD.staff_id, OLD.consumer_id, OLD.category_id, OLD.proof,
                        OLD.key, OLD.asked_at)
                       OR (OLD.outcome <> '' AND (NEW.outcome, NEW.draw_id, NEW.round_id) IS DISTINCT FROM
                           (OLD.outcome, OLD.draw_id, OLD.round_id)) THEN
                        RAISE EXCEPTION 'an assisted draw is never rewritten' USING CONSTRAINT = 'assist_is_kept';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"代抽 {self.pk}"


class PaperPrint(models.Model):
    """That a coupon was printed on paper; the newest print alone is good, so that a lost one can be replaced."""

    coupon = models.ForeignKey("coupons.Coupon", models.PROTECT, verbose_name="消费券", related_name="prints")
    serial = models.PositiveSmallIntegerField("第几次打印")
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="打印人", related_name="+")
    reason = models.CharField("理由", max_length=200, blank=True)
    at = models.DateTimeField("打印时间")

    class Meta:
        verbose_name = verbose_name_plural = "纸质券打印"
        constraints = [
            models.UniqueConstraint(
                fields=["coupon", "serial"], name="paper_print_once", violation_error_message="该券刚刚打印过"
            ),
            models.CheckConstraint(
                condition=Q(serial=1) | ~Q(reason=""),
                name="paper_reprint_has_reason",
                violation_error_message="重新打印须写明理由",
            ),
        ]
        triggers = append_only("paperprint")

    def __str__(self) -> str:
        return f"纸质券 {self.coupon_id} 第 {self.serial} 次"


class PaperConfirmation(models.Model):
    """A station's word by telephone for the holder of a paper coupon: six digits, hashed, good once, for 30 minutes."""

    coupon = models.ForeignKey("coupons.Coupon", models.PROTECT, verbose_name="消费券", related_name="confirmations")
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="确认人", related_name="+")
    code_hash = models.BinaryField("确认码散列", max_length=32)
    made_at = models.DateTimeField("确认时间")
    expires_at = models.DateTimeField("失效时间")
    used_at = models.DateTimeField("使用时间", null=True)

    class Meta:
        verbose_name = verbose_name_plural = "纸质券确认"
        indexes = [models.Index(fields=["coupon"], condition=Q(used_at=None), name="paper_confirmation_open")]

    def __str__(self) -> str:
        return f"确认 {self.pk}"
