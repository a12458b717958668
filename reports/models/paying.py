"""What the county owes each shop after audit (plan clauses 6.4 and 8.2)."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from coupons.models import Campaign, ChangeRequest
from huigou.rules import filled, known
from huigou.tables import append_only
from merchants.models import Merchant, Redemption


class Settlement(models.Model):
    """One settlement of a campaign, from collecting the uses to the payment."""

    class State(models.TextChoices):
        COLLECTED = "collected", "已汇总"
        FROZEN = "frozen", "已锁定"
        AUDITED = "audited", "已审计"
        APPROVED = "approved", "已批准"
        PAID = "paid", "已付款"

    campaign = models.OneToOneField(Campaign, models.PROTECT, verbose_name="活动", related_name="settlement")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.COLLECTED)
    built_at = models.DateTimeField("汇总时间")
    sha256 = models.CharField("内容散列", max_length=64, blank=True)
    frozen_at = models.DateTimeField("锁定时间", null=True, blank=True)
    audited_at = models.DateTimeField("审计时间", null=True, blank=True)
    approved_at = models.DateTimeField("批准时间", null=True, blank=True)
    paid_at = models.DateTimeField("付款时间", null=True, blank=True)
    approval = models.ForeignKey(ChangeRequest, models.PROTECT, null=True, blank=True, verbose_name="审批")

    class Meta:
        verbose_name = verbose_name_plural = "结算"
        constraints = [
            known(
                "state",
                "settlement_state_known",
                ["collected", "frozen", "audited", "approved", "paid"],
                "结算状态须是规定的几种之一",
            ),
            models.CheckConstraint(
                condition=Q(sha256="") | Q(sha256__regex=r"^[0-9a-f]{64}$"),
                name="settlement_hash_form",
                violation_error_message="内容散列须为 64 位十六进制",
            ),
            models.CheckConstraint(
                condition=Q(state="collected") | Q(frozen_at__isnull=False),
                name="settlement_frozen_has_time",
                violation_error_message="已锁定的结算须有锁定时间",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "paid"]) | Q(approved_at__isnull=False),
                name="settlement_approved_has_time",
                violation_error_message="已批准的结算须有批准时间",
            ),
            models.CheckConstraint(
                condition=~Q(state="paid") | Q(paid_at__isnull=False),
                name="settlement_paid_has_time",
                violation_error_message="已付款的结算须有付款时间",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "paid"]) | Q(approval__isnull=False),
                name="settlement_approved_by_two",
                violation_error_message="结算须经审批",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="settlement_is_agreed",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                condition=pgtrigger.Q(new__state__in=["approved", "paid"]),
                func="""
                    IF NOT EXISTS (SELECT 1 FROM coupons_changerequest r WHERE r.id = NEW.approval_id
                                   AND r.verb = 'settle' AND r.state = 'approved'
                                   AND r.campaign_id = NEW.campaign_id) THEN
                        RAISE EXCEPTION 'two people approve it'
                            USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_approved_by_two';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} 结算"


class SettlementLine(models.Model):
    """One shop's part: what counts, what was disallowed, paid and clawed back. The row is the locked balance."""

    settlement = models.ForeignKey(Settlement, models.PROTECT, verbose_name="结算", related_name="lines")
    merchant = models.ForeignKey(Merchant, models.PROTECT, verbose_name="商家", related_name="settlement_lines")
    uses = models.PositiveIntegerField("使用张数")
    counted = models.PositiveIntegerField("计入张数")
    counted_fen = models.BigIntegerField("计入金额（分）")
    spend_fen = models.BigIntegerField("拉动消费（分）")
    paid_fen = models.BigIntegerField("已付（分）", default=0)
    clawed_back_fen = models.BigIntegerField("追回（分）", default=0)
    payment_no = models.CharField("付款凭证号", max_length=50, blank=True)
    paid_at = models.DateTimeField("付款时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "商家结算"
        ordering = ["merchant__seq", "merchant_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(counted__lte=F("uses")) & Q(counted_fen__gte=0) & Q(spend_fen__gte=0),
                name="line_counts",
                violation_error_message="计入张数不得超过使用张数，金额不得为负",
            ),
            models.UniqueConstraint(
                fields=["settlement", "merchant"], name="line_once", violation_error_message="该商家已有结算行"
            ),
            models.CheckConstraint(
                condition=Q(paid_fen__gte=0) & Q(paid_fen__lte=F("counted_fen")),
                name="line_paid_within_counted",
                violation_error_message="付款不得超过计入金额",
            ),
            models.CheckConstraint(
                condition=Q(clawed_back_fen__gte=0) & Q(clawed_back_fen__lte=F("paid_fen")),
                name="line_claw_back_within_paid",
                violation_error_message="追回不得超过已付金额",
            ),
            models.CheckConstraint(
                condition=Q(paid_fen=0) | Q(payment_no__regex=r"\S"),
                name="line_payment_number",
                violation_error_message="付款须填写凭证号",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merchant} {self.counted_fen}"


class SettlementUse(models.Model):
    """One use in a settlement: it counts, or it does not for exactly one reason."""

    class Verdict(models.TextChoices):
        COUNTS = "counts", "计入"
        NO_ENTRY = "no_entry", "未录入（视为放弃）"
        UNDER = "under", "未达使用门槛"
        REVERSED = "reversed", "已退回"
        DISALLOWED = "disallowed", "审计不予补贴"
        BREACH = "breach", "商家违约"

    line = models.ForeignKey(SettlementLine, models.PROTECT, verbose_name="商家结算", related_name="details")
    redemption = models.ForeignKey(Redemption, models.PROTECT, verbose_name="核销", related_name="+")
    verdict = models.CharField("结论", max_length=10, choices=Verdict.choices)
    face_fen = models.BigIntegerField("面额（分）")

    class Meta:
        verbose_name = verbose_name_plural = "结算明细"
        constraints = [
            known(
                "verdict",
                "use_verdict_known",
                ["counts", "no_entry", "under", "reversed", "disallowed", "breach"],
                "结论须是规定的几种之一",
            ),
            models.CheckConstraint(
                condition=Q(face_fen__gt=0), name="use_face", violation_error_message="面额须大于零"
            ),
            models.UniqueConstraint(
                fields=["redemption"], name="use_settled_once", violation_error_message="该核销已在结算中"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="use_frozen",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF EXISTS (SELECT 1 FROM reports_settlementline l JOIN reports_settlement s
                               ON s.id = l.settlement_id WHERE l.id = OLD.line_id
                               AND s.state IN ('approved', 'paid')) THEN
                        RAISE EXCEPTION 'an approved settlement is exact' USING CONSTRAINT = 'settlement_is_exact';
                    END IF;
                    RETURN COALESCE(NEW, OLD);
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.redemption_id} {self.verdict}"


class AuditOpinion(models.Model):
    """审计局's opinion on a shop's part or on a single use, with its text."""

    class Opinion(models.TextChoices):
        ACCEPT = "accept", "认可"
        DISALLOW = "disallow", "不予补贴"
        BREACH = "breach", "商家违约，全部不予补贴"

    line = models.ForeignKey(SettlementLine, models.PROTECT, verbose_name="商家结算", related_name="opinions")
    use = models.ForeignKey(SettlementUse, models.PROTECT, null=True, blank=True, verbose_name="明细")
    opinion = models.CharField("意见", max_length=10, choices=Opinion.choices)
    text = models.TextField("审计意见")
    auditor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="审计人")
    at = models.DateTimeField("时间")

    class Meta:
        verbose_name = verbose_name_plural = "审计意见"
        constraints = [
            known("opinion", "opinion_known", ["accept", "disallow", "breach"], "意见须是规定的三种之一"),
            filled("text", "opinion_text_given", "审计意见须有文字"),
        ]
        triggers = append_only("auditopinion")  # a later opinion stands beside the earlier one, never in its place

    def __str__(self) -> str:
        return f"{self.line} {self.get_opinion_display()}"
