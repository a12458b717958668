"""The books: transfers, the balances of approved movements, events, change requests and freezes."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Cast

from coupons.models.draws import Coupon
from coupons.models.plan import Campaign
from huigou.models import Department
from huigou.tables import append_only

THIS_TRANSACTION = Cast(Cast(Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField())


class Account(models.TextChoices):
    """The kinds of account; the key beside it says whose."""

    TREASURY = "treasury", "财政拨款"
    POOL = "pool", "奖池"  # key: batch
    ROUND = "round", "本轮投放"  # key: batch; the round is the transfer's subject
    HELD = "held", "未使用"  # key: batch
    PENDING = "pending", "已发送商家"  # key: batch
    PAYABLE = "payable", "应付商家"  # key: merchant
    FORFEITED = "forfeited", "商家放弃"  # key: batch
    DISALLOWED = "disallowed", "审计不予补贴"  # key: merchant
    PAID = "paid", "已付商家"  # key: merchant
    RETURNED = "returned", "返还财政"
    CARRIED = "carried", "转作下一轮"


class ActorKind(models.TextChoices):
    SYSTEM = "system", "系统"
    CONSUMER = "consumer", "买家"
    CLERK = "clerk", "店员"
    STAFF = "staff", "工作人员"


class ChangeRequest(models.Model):
    """Four eyes: one person asks for an exact payload, another from a different department decides.

    The database copies both people's department and natural-person key from their accounts and compares them, on
    every route; an edit of the payload after the proposal is refused.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", "待审批"
        APPROVED = "approved", "已批准"
        REJECTED = "rejected", "已驳回"
        VOID = "void", "已作废"

    verb = models.CharField("事项", max_length=20)
    campaign = models.ForeignKey(Campaign, models.PROTECT, verbose_name="活动", related_name="changes")
    payload = models.JSONField("内容")
    payload_sha256 = models.CharField("内容散列", max_length=64)
    summary = models.CharField("摘要", max_length=300)
    reason = models.TextField("理由")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.PROPOSED)
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="经办人", related_name="+")
    maker_key = models.CharField("经办人标识", max_length=64, blank=True)
    maker_department = models.CharField("经办部门", max_length=16, choices=Department.choices, blank=True)
    made_at = models.DateTimeField("提出时间")
    checker = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, verbose_name="审批人", related_name="+"
    )
    checker_key = models.CharField("审批人标识", max_length=64, blank=True)
    checker_department = models.CharField("审批部门", max_length=16, choices=Department.choices, blank=True)
    decided_at = models.DateTimeField("决定时间", null=True, blank=True)
    decision_note = models.TextField("审批意见", blank=True)
    executed_at = models.DateTimeField("执行时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "审批事项"
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="approved")
                | (
                    Q(checker__isnull=False, decided_at__isnull=False)
                    & ~Q(checker_key=F("maker_key"))
                    & ~Q(checker_department=F("maker_department"))
                ),
                name="change_four_eyes",
                violation_error_message="须由另一部门的另一人审批",
            ),
            models.CheckConstraint(
                condition=Q(executed_at=None) | Q(state="approved"),
                name="change_executed_if_approved",
                violation_error_message="未批准的事项不能执行",
            ),
            models.CheckConstraint(
                condition=~Q(reason=""), name="change_reason_given", violation_error_message="须写明理由"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="change_people_are_real",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                func="""
                    SELECT person_key, department INTO NEW.maker_key, NEW.maker_department
                      FROM huigou_staff WHERE id = NEW.maker_id;
                    NEW.checker_key := '';
                    NEW.checker_department := '';
                    IF NEW.checker_id IS NOT NULL THEN
                        SELECT person_key, department INTO NEW.checker_key, NEW.checker_department
                          FROM huigou_staff WHERE id = NEW.checker_id;
                    END IF;
                    IF TG_OP = 'INSERT' AND NEW.state <> 'proposed' THEN
                        RAISE EXCEPTION 'a change begins as proposed' USING CONSTRAINT = 'change_begins_proposed';
                    END IF;
                    IF TG_OP = 'UPDATE' AND (
                        NEW.verb <> OLD.verb OR NEW.campaign_id <> OLD.campaign_id OR NEW.payload <> OLD.payload
                        OR NEW.payload_sha256 <> OLD.payload_sha256 OR NEW.maker_id <> OLD.maker_id
                        OR NEW.reason <> OLD.reason OR NEW.summary <> OLD.summary OR NEW.made_at <> OLD.made_at
                        OR (OLD.state <> 'proposed' AND NEW.state <> OLD.state)
                        OR (OLD.state <> 'proposed' AND NEW.checker_id IS DISTINCT FROM OLD.checker_id)
                        OR (OLD.executed_at IS NOT NULL AND NEW.executed_at IS DISTINCT FROM OLD.executed_at)) THEN
                        RAISE EXCEPTION 'a proposed change is exact' USING CONSTRAINT = 'change_is_exact';
                    END IF;
                    IF TG_OP = 'UPDATE' AND OLD.state <> 'proposed' THEN
                        -- A person who moves department later does not rewrite what was decided then.
                        NEW.maker_key := OLD.maker_key; NEW.maker_department := OLD.maker_department;
                        NEW.checker_key := OLD.checker_key; NEW.checker_department := OLD.checker_department;
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Protect(name="change_no_delete", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.summary}（{self.get_state_display()}）"


class Transfer(models.Model):
    """One movement of money: one debit, one credit, a positive whole amount. Append-only.

    Written by ``coupons.ledger`` alone. One row cannot be unbalanced.
    """

    class Code(models.TextChoices):
        FUND = "fund", "拨入"
        RELEASE = "release", "投放"
        DRAW = "draw", "抽中"
        SCAN = "scan", "商家扫码"
        COMPLETE = "complete", "核销"
        RECALL = "recall", "撤回"
        EXPIRE = "expire", "到期收回"
        FORFEIT = "forfeit", "视为放弃"
        REVERSE = "reverse", "退回"
        UNDRAWN = "undrawn", "未抽出收回"
        VOID = "void", "作废奖票收回"
        REALLOCATE = "realloc", "调整"
        DISALLOW = "disallow", "不予补贴"
        PAY = "pay", "付款"
        CLAW_BACK = "clawback", "追回"
        RETURN = "return", "返还财政"
        CARRY_OVER = "carry", "转作下一轮"

    campaign = models.ForeignKey(Campaign, models.PROTECT, verbose_name="活动", db_index=False, db_constraint=False)
    code = models.CharField("事由", max_length=10, choices=Code.choices)
    debit_kind = models.CharField("转出账户", max_length=10, choices=Account.choices)
    debit_key = models.BigIntegerField("转出账户号", default=0)
    credit_kind = models.CharField("转入账户", max_length=10, choices=Account.choices)
    credit_key = models.BigIntegerField("转入账户号", default=0)
    amount_fen = models.BigIntegerField("金额（分）")
    coupon = models.ForeignKey(
        Coupon, models.PROTECT, null=True, verbose_name="消费券", db_index=False, db_constraint=False
    )
    step = models.PositiveSmallIntegerField("账次", null=True)  # 0 is the coupon's birth
    subject_kind = models.CharField("对象", max_length=12, blank=True)
    subject_id = models.BigIntegerField("对象号", null=True)
    actor_kind = models.CharField("经手", max_length=10, choices=ActorKind.choices)
    actor_id = models.BigIntegerField("经手人", null=True)
    change = models.ForeignKey(ChangeRequest, models.PROTECT, null=True, verbose_name="审批", related_name="transfers")
    at = models.DateTimeField("时间")
    # The writing transaction's number: what is older than every running transaction can be sealed. Never max(id): ids
    # commit out of order.
    xact = models.BigIntegerField("事务号", db_default=THIS_TRANSACTION, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "资金流水"
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_fen__gt=0), name="transfer_positive", violation_error_message="金额须大于零"
            ),
            models.CheckConstraint(
                condition=~Q(debit_kind=F("credit_kind"), debit_key=F("credit_key")),
                name="transfer_moves",
                violation_error_message="转出与转入不得相同",
            ),
            models.CheckConstraint(
                condition=~Q(credit_kind="treasury"),
                name="transfer_treasury_only_gives",
                violation_error_message="财政拨款账户只出不进",
            ),
            models.CheckConstraint(
                condition=Q(coupon=None, step=None) | Q(coupon__isnull=False, step__isnull=False),
                name="transfer_coupon_step",
                violation_error_message="消费券流水须有账次",
            ),
            models.CheckConstraint(
                condition=(Q(code="draw") & Q(step=0)) | (~Q(code="draw") & (Q(step=None) | Q(step__gt=0))),
                name="transfer_birth_is_step_zero",
                violation_error_message="一张券只能生成一次",
            ),
            # A second birth collides at step 0, a doubled step at its number.
            models.UniqueConstraint(
                fields=["coupon", "step"],
                name="transfer_step_once",
                violation_error_message="这一步已经入账",
            ),
            # Whatever it is called: after an expiry, a forfeit or a late reversal its value is nobody's any more.
            models.UniqueConstraint(
                fields=["coupon"],
                condition=Q(coupon__isnull=False, credit_kind__in=["pool", "forfeited"]),
                name="transfer_one_ending",
                violation_error_message="一张券只能结束一次",
            ),
            models.CheckConstraint(
                condition=~Q(code__in=["fund", "realloc", "disallow", "pay", "clawback", "return", "carry", "reverse"])
                | Q(change__isnull=False),
                name="transfer_needs_approval",
                violation_error_message="此项资金变动须经审批",
            ),
            # An approved request moves its money once: its number on a second row of the same way is refused.
            models.UniqueConstraint(
                fields=["change", "debit_kind", "debit_key", "credit_kind", "credit_key"],
                condition=Q(code__in=["fund", "pay", "clawback", "return", "carry"]),
                name="transfer_request_once",
                violation_error_message="这件审批事项已经入账",
            ),
            # These four empty or fill an account whole, whoever asks and however often it is asked for.
            models.UniqueConstraint(
                fields=["debit_key"],
                condition=Q(code="pay"),
                name="transfer_paid_once",
                violation_error_message="该商家已经付款",
            ),
            models.UniqueConstraint(
                fields=["subject_id"],
                condition=Q(code="disallow"),
                name="transfer_disallowed_once",
                violation_error_message="这笔使用已经不予补贴",
            ),
            models.UniqueConstraint(
                fields=["credit_key"],
                condition=Q(code="release"),
                name="transfer_released_once",
                violation_error_message="本轮已经投放",
            ),
            models.UniqueConstraint(
                fields=["debit_key"],
                condition=Q(code="undrawn"),
                name="transfer_undrawn_once",
                violation_error_message="本轮未抽出的奖票已经收回",
            ),
        ]
        # What came after a horizon is read by lists and checks again and again; new rows go to the index's end.
        indexes = [models.Index(fields=["xact"], name="transfer_xact")]
        triggers = [
            *append_only("transfer"),
            pgtrigger.Trigger(
                name="transfer_campaign_open",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="new_rows"),
                func="""
                    -- The closing locks the campaign's row: whoever wrote first is waited for, whoever comes later waits
                    -- here and then reads that it is closed.
                    PERFORM 1 FROM coupons_campaign WHERE id IN (SELECT campaign_id FROM new_rows) FOR KEY SHARE;
                    -- All rows at once, where a foreign key would look each up by itself; a campaign is never deleted.
                    IF EXISTS (SELECT 1 FROM new_rows n LEFT JOIN coupons_campaign c ON c.id = n.campaign_id
                               WHERE c.id IS NULL) THEN
                        RAISE EXCEPTION 'a transfer is of a campaign'
                            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'transfer_of_a_campaign';
                    END IF;
                    IF EXISTS (SELECT 1 FROM coupons_campaign c WHERE c.closed_at IS NOT NULL
                               AND c.id IN (SELECT campaign_id FROM new_rows)) THEN
                        RAISE EXCEPTION 'the books of this campaign are closed' USING CONSTRAINT = 'books_closed';
                    END IF;
                    IF EXISTS (SELECT 1 FROM new_rows n LEFT JOIN coupons_changerequest r ON r.id = n.change_id
                               WHERE n.change_id IS NOT NULL AND (r.state <> 'approved'
                                     -- Another request's number, of another deed or campaign, approves nothing here.
                                     OR r.verb <> n.code OR r.campaign_id <> n.campaign_id)) THEN
                        RAISE EXCEPTION 'not approved' USING CONSTRAINT = 'transfer_needs_approval';
                    END IF;
                    -- Nor is a coupon.
                    IF EXISTS (SELECT 1 FROM new_rows n LEFT JOIN coupons_coupon k ON k.draw_id = n.coupon_id
                               WHERE n.coupon_id IS NOT NULL AND k.draw_id IS NULL) THEN
                        RAISE EXCEPTION 'a transfer is of a coupon'
                            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'transfer_of_a_coupon';
                    END IF;
                    RETURN NULL;
                """,  # noqa: E501 (the text is hashed into the migration)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_code_display()} {self.amount_fen}"


class Balance(models.Model):
    """The kept balance of an account that approved movements draw on; its CHECK refuses a negative one."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, verbose_name="活动")
    account_kind = models.CharField("账户", max_length=10, choices=Account.choices)
    account_key = models.BigIntegerField("账户号", default=0)
    amount_fen = models.BigIntegerField("余额（分）", default=0)

    class Meta:
        verbose_name = verbose_name_plural = "余额"
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "account_kind", "account_key"],
                name="balance_once",
                violation_error_message="该账户已有余额行",
            ),
            models.CheckConstraint(
                condition=Q(amount_fen__gte=0), name="balance_not_negative", violation_error_message="余额不足"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_account_kind_display()} {self.account_key}"


class Event(models.Model):
    """Who did what when to which coupon. Append-only."""

    verb = models.CharField("动作", max_length=12)
    coupon = models.ForeignKey(
        Coupon, models.PROTECT, verbose_name="消费券", related_name="events", db_constraint=False
    )
    actor_kind = models.CharField("经手", max_length=10, choices=ActorKind.choices)
    actor_id = models.BigIntegerField("经手人", null=True)
    at = models.DateTimeField("时间")
    note = models.CharField("说明", max_length=300, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "消费券事件"
        triggers = append_only("event")

    def __str__(self) -> str:
        return f"{self.verb} {self.coupon_id}"


class Freeze(models.Model):
    """Red books: what the check found, since when money stands still, and who released it with which reason."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, verbose_name="活动", related_name="freezes")
    findings = models.JSONField("核对问题")  # [{"code", "message", "fingerprint"}]
    frozen_at = models.DateTimeField("冻结时间")
    released_at = models.DateTimeField("解冻时间", null=True, blank=True)
    change = models.ForeignKey(ChangeRequest, models.PROTECT, null=True, blank=True, verbose_name="解冻审批")

    class Meta:
        verbose_name = verbose_name_plural = "账目冻结"
        constraints = [
            models.UniqueConstraint(
                fields=["campaign"],
                condition=Q(released_at=None),
                name="freeze_one_at_a_time",
                violation_error_message="该活动已在冻结中",
            ),
            models.CheckConstraint(
                condition=Q(released_at=None) | Q(change__isnull=False),
                name="freeze_released_by_approval",
                violation_error_message="解冻须经审批",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="freeze_release_is_agreed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF TG_OP = 'DELETE' OR OLD.released_at IS NOT NULL OR NEW.campaign_id <> OLD.campaign_id
                       OR NEW.frozen_at <> OLD.frozen_at OR NOT NEW.findings @> OLD.findings
                       OR (NEW.released_at IS NOT NULL AND NOT EXISTS (
                           SELECT 1 FROM coupons_changerequest r WHERE r.id = NEW.change_id AND r.state = 'approved'
                              AND r.verb = 'unfreeze' AND r.campaign_id = NEW.campaign_id
                              AND r.payload @> jsonb_build_object('freeze', NEW.id))) THEN
                        RAISE EXCEPTION 'two people release a freeze'
                            USING ERRCODE = 'check_violation', CONSTRAINT = 'freeze_released_by_approval';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"冻结 {self.pk}"
