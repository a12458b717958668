"""The plan as data: campaign, categories, rounds, batches and what a round releases."""

from __future__ import annotations

import datetime as dt

import pgtrigger
from django.db import models
from django.db.models import F, Q

from huigou.money import short_yuan
from huigou.tables import append_only


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def open_books(self) -> CampaignQuerySet:
        return self.filter(closed_at=None)

    def current(self) -> Campaign | None:
        """Return the campaign that the public pages show: the newest launched one."""
        return self.filter(launched_at__isnull=False).order_by("-launched_at", "-pk").first()

    def at_hand(self) -> Campaign | None:
        """Return the campaign that the bureau works on: the current one, before any launch the newest."""
        return self.current() or self.order_by("-pk").first()


class Campaign(models.Model):
    """One activity of the county, with its plan, budget, multiplier and place."""

    class DrawMode(models.TextChoices):
        WHEEL = "wheel", "幸运大转盘"
        LOTTERY = "lottery", "报名摇号"

    class PlacePolicy(models.TextChoices):
        REQUIRED = "required", "必须在县域内"
        DECLARED = "declared", "可声明在县域内（标记）"
        OFF = "off", "不核对位置"

    class ExclusionPolicy(models.TextChoices):
        REFUSE = "refuse", "不得参加"
        SHOW = "show", "可参加，报纪委监委"

    name = models.CharField("活动名称", max_length=50)
    edition = models.CharField("期次", max_length=50)
    county = models.CharField("县（市、区）", max_length=50)
    document = models.CharField("依据文件", max_length=100, blank=True)
    host = models.CharField("主办单位", max_length=100, blank=True)
    organiser = models.CharField("承办单位", max_length=100, blank=True)
    account_name = models.CharField("公众号名称", max_length=100, blank=True)
    budget_fen = models.BigIntegerField("资金总额（分）")
    multiplier = models.PositiveSmallIntegerField("使用门槛倍数", default=3)
    entry_hours = models.PositiveSmallIntegerField("录入时限（小时）", default=24)
    settle_after_days = models.PositiveSmallIntegerField("结算须在活动结束后（天）", default=31)
    # 个人信息保护法 第 19 条: as short as the purpose needs. Audit and claims come within half a year of the closing.
    retain_days = models.PositiveSmallIntegerField("结账后保存个人信息（天）", default=180)
    # Re-allocation begins when this round is over (plan: 第五轮结束后); empty means five sevenths of the rounds.
    realloc_after = models.PositiveSmallIntegerField("第几轮结束后可调整品类", null=True, blank=True)
    second_coupon_minutes = models.PositiveSmallIntegerField("同店再用券间隔（分钟）", default=30)
    page_size = models.PositiveSmallIntegerField("每页条数", default=20)
    draw_mode = models.CharField("抽奖方式", max_length=10, choices=DrawMode.choices, default=DrawMode.WHEEL)
    place_policy = models.CharField(
        "位置核对", max_length=10, choices=PlacePolicy.choices, default=PlacePolicy.DECLARED
    )
    exclusion_policy = models.CharField(
        "排除名单", max_length=10, choices=ExclusionPolicy.choices, default=ExclusionPolicy.REFUSE
    )
    boundary = models.JSONField("县域边界（GeoJSON）", null=True, blank=True)
    boundary_datum = models.CharField(
        "边界坐标系", max_length=10, default="WGS-84", choices=[("WGS-84", "WGS-84"), ("GCJ-02", "GCJ-02")]
    )
    plan_version = models.CharField("方案版本", max_length=64, blank=True)  # SHA-256 of the plan as it was loaded
    launched_at = models.DateTimeField("上线时间", null=True, blank=True)
    closed_at = models.DateTimeField("结账时间", null=True, blank=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "活动"
        constraints = [
            models.UniqueConstraint(
                fields=["county", "name", "edition"],
                name="campaign_once",
                violation_error_message="该县的这一期活动已经存在",
            ),
            models.CheckConstraint(
                condition=Q(budget_fen__gt=0), name="campaign_budget", violation_error_message="资金总额须大于零"
            ),
            models.CheckConstraint(
                condition=Q(multiplier__gte=1), name="campaign_multiplier", violation_error_message="门槛倍数至少为 1"
            ),
            models.CheckConstraint(
                condition=Q(page_size__gte=5) & Q(page_size__lte=200),
                name="campaign_page_size",
                violation_error_message="每页条数须在 5 到 200 之间",
            ),
            # The draw looks these up on its hottest path: a word that it does not know would fail every draw at 9:00.
            models.CheckConstraint(
                condition=Q(draw_mode__in=["wheel", "lottery"]),
                name="campaign_draw_mode",
                violation_error_message="抽奖方式须是大转盘或报名摇号",
            ),
            models.CheckConstraint(
                condition=Q(place_policy__in=["required", "declared", "off"]),
                name="campaign_place_policy",
                violation_error_message="位置核对须是规定的三种之一",
            ),
            models.CheckConstraint(
                condition=Q(exclusion_policy__in=["refuse", "show"]),
                name="campaign_exclusion_policy",
                violation_error_message="排除名单须是规定的两种之一",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.edition}"

    @property
    def code(self) -> str:
        """The campaign's name in everything that is hashed and published; it holds no slash."""
        return f"{self.county} {self.name} {self.edition}".replace("/", "-")


class Category(models.Model):
    """A trade whose shops take one kind of coupon: 住宿, 餐饮, 加油站, 农产品, 书店 here; data, not code."""

    class KindType(models.TextChoices):
        NUMBER = "number", "数字"
        CHOICE = "choice", "选项"
        TEXT = "text", "文字"

    campaign = models.ForeignKey(Campaign, models.PROTECT, verbose_name="活动")
    code = models.SlugField("品类代码", max_length=20)
    name = models.CharField("品类", max_length=20)
    aliases = models.JSONField("别名", default=list, blank=True)
    kind_label = models.CharField("消费种类名称", max_length=20, default="消费种类")
    kind_type = models.CharField("消费种类填法", max_length=10, choices=KindType.choices, default=KindType.TEXT)
    kind_choices = models.JSONField("选项", default=list, blank=True)
    kind_unit = models.CharField("单位", max_length=10, blank=True)
    cashless = models.BooleanField("不得现金结算", default=False)
    turns = models.PositiveSmallIntegerField("每轮抽奖次数", default=1)
    blanks = models.PositiveIntegerField("每轮空奖数", default=0)
    position = models.PositiveSmallIntegerField("次序", default=0)
    is_active = models.BooleanField("启用", default=True)
    paused_at = models.DateTimeField("暂停时间", null=True, blank=True)
    pause_notice = models.CharField("暂停公告", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "品类"
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "code"], name="category_code_once", violation_error_message="品类代码重复"
            ),
            models.UniqueConstraint(
                fields=["campaign", "name"], name="category_name_once", violation_error_message="品类名称重复"
            ),
            models.CheckConstraint(
                condition=Q(turns__gte=1) & Q(turns__lte=20),
                name="category_turns",
                violation_error_message="每轮抽奖次数须在 1 到 20 之间",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RoundQuerySet(models.QuerySet["Round"]):
    def open_at(self, now: dt.datetime) -> RoundQuerySet:
        return self.filter(opens_at__lte=now, closes_at__gt=now)

    def due_for_booking(self, now: dt.datetime) -> RoundQuerySet:
        return self.filter(closes_at__lte=now, booked_at=None, dealt_at__isnull=False)


class Round(models.Model):
    """One of the draws-and-uses inside a campaign. Its state is computed from its times, never stored."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, verbose_name="活动", related_name="rounds")
    number = models.PositiveSmallIntegerField("轮次")
    opens_at = models.DateTimeField("抽奖开始")
    closes_at = models.DateTimeField("使用到期")  # exclusive: 24:00 is the next day's 00:00
    # The window for entries of coupons already scanned, and what freezes added to it.
    entry_until = models.DateTimeField("录入截止")
    dealt_at = models.DateTimeField("备奖时间", null=True, blank=True)
    booked_at = models.DateTimeField("到期入账时间", null=True, blank=True)
    paused_at = models.DateTimeField("暂停时间", null=True, blank=True)
    pause_notice = models.CharField("暂停公告", max_length=200, blank=True)
    entropy_source = models.CharField("公开随机数来源", max_length=200, blank=True)
    entropy_value = models.CharField("公开随机数", max_length=200, blank=True)
    postponed_notice = models.CharField("延期公告", max_length=200, blank=True)
    registration_minutes = models.PositiveSmallIntegerField("报名时长（分钟）", default=10)
    revealed_at = models.DateTimeField("公开种子时间", null=True, blank=True)

    objects = RoundQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "轮次"
        ordering = ["campaign", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "number"], name="round_number_once", violation_error_message="轮次重复"
            ),
            models.CheckConstraint(
                condition=Q(closes_at__gt=F("opens_at")) & Q(entry_until__gte=F("closes_at")),
                name="round_times_in_order",
                violation_error_message="轮次的开始、到期、录入截止时间须依次向后",
            ),
            models.CheckConstraint(
                condition=Q(booked_at=None) | Q(dealt_at__isnull=False),
                name="round_booked_after_dealt",
                violation_error_message="未备奖的轮次不能入账",
            ),
            # Until a round is booked somebody could still draw with a seed that is known.
            models.CheckConstraint(
                condition=Q(revealed_at=None) | Q(booked_at__isnull=False),
                name="round_revealed_after_booked",
                violation_error_message="未入账的轮次不能公开种子",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="round_frozen_once_dealt",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__dealt_at__isnull=False),
                func="""
                    IF NEW.campaign_id <> OLD.campaign_id OR NEW.number <> OLD.number
                       OR NEW.opens_at <> OLD.opens_at OR NEW.closes_at <> OLD.closes_at
                       OR NEW.dealt_at IS DISTINCT FROM OLD.dealt_at
                       OR NEW.entry_until < OLD.entry_until
                       OR NEW.entropy_value <> OLD.entropy_value OR NEW.entropy_source <> OLD.entropy_source
                       OR NEW.registration_minutes <> OLD.registration_minutes
                       OR (OLD.revealed_at IS NOT NULL AND NEW.revealed_at IS DISTINCT FROM OLD.revealed_at)
                       OR (OLD.booked_at IS NOT NULL AND NEW.booked_at IS DISTINCT FROM OLD.booked_at) THEN
                        RAISE EXCEPTION 'round is dealt: its times are frozen' USING CONSTRAINT = 'round_is_dealt';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="round_source_once",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("entropy_source"),
                condition=pgtrigger.Q(old__entropy_source__gt="")
                & pgtrigger.Q(old__entropy_source__df=pgtrigger.F("new__entropy_source")),
                func="""
                    RAISE EXCEPTION 'the source of the public number stands once named'
                        USING CONSTRAINT = 'round_source_once';
                """,
            ),
            pgtrigger.Trigger(
                name="round_no_overlap",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("opens_at", "closes_at"),
                func="""
                    PERFORM 1 FROM coupons_campaign WHERE id = NEW.campaign_id FOR UPDATE;
                    IF EXISTS (SELECT 1 FROM coupons_round r WHERE r.campaign_id = NEW.campaign_id AND r.id <> NEW.id
                               AND r.opens_at < NEW.closes_at AND NEW.opens_at < r.closes_at) THEN
                        RAISE EXCEPTION 'rounds overlap' USING CONSTRAINT = 'round_no_overlap';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"第{self.number}轮"

    def state(self, now: dt.datetime) -> str:
        """Return before, open or over at an instant."""
        return "before" if now < self.opens_at else "open" if now < self.closes_at else "over"


class Batch(models.Model):
    """One (category, face) of a campaign with the count the plan gives it."""

    category = models.ForeignKey(Category, models.PROTECT, verbose_name="品类", related_name="batches")
    face_fen = models.BigIntegerField("面额（分）")
    name = models.CharField("券名", max_length=50)
    planned = models.PositiveIntegerField("计划数量")
    created_at = models.DateTimeField("生成时间")

    class Meta:
        verbose_name = verbose_name_plural = "优惠券"
        ordering = ["category__position", "face_fen"]
        constraints = [
            models.UniqueConstraint(
                fields=["category", "face_fen"], name="batch_once", violation_error_message="该品类已有此面额"
            ),
            models.CheckConstraint(
                condition=Q(face_fen__gt=0), name="batch_face", violation_error_message="面额须大于零"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def face_text(self) -> str:
        return short_yuan(self.face_fen)


class Allotment(models.Model):
    """How many coupons of a batch a round releases; editable by approval until the round is dealt."""

    round = models.ForeignKey(Round, models.PROTECT, verbose_name="轮次", related_name="allotments")
    batch = models.ForeignKey(Batch, models.PROTECT, verbose_name="优惠券", related_name="allotments")
    count = models.PositiveIntegerField("投放数量")
    edited_by = models.ForeignKey(
        "coupons.ChangeRequest", models.PROTECT, null=True, blank=True, verbose_name="修改审批", related_name="+"
    )

    class Meta:
        verbose_name = verbose_name_plural = "投放"
        constraints = [
            models.UniqueConstraint(
                fields=["round", "batch"], name="allotment_once", violation_error_message="本轮已有此券的投放"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="allotment_frozen_once_dealt",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete | pgtrigger.Insert,
                func="""
                    IF EXISTS (SELECT 1 FROM coupons_round r WHERE r.dealt_at IS NOT NULL
                               AND r.id = CASE WHEN TG_OP = 'INSERT' THEN NEW.round_id ELSE OLD.round_id END) THEN
                        RAISE EXCEPTION 'round is dealt: its release is frozen' USING CONSTRAINT = 'round_is_dealt';
                    END IF;
                    RETURN COALESCE(NEW, OLD);
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.round} {self.batch} {self.count} 张"


class PlanFinding(models.Model):
    """Something the linter found in the plan as printed, and who accepted it with what reason."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, verbose_name="活动", related_name="findings")
    code = models.CharField("代码", max_length=50)
    sheet = models.CharField("工作表", max_length=50)
    cell = models.CharField("单元格", max_length=20)
    message = models.TextField("问题")
    reason = models.TextField("认可理由")
    accepted_by = models.CharField("认可人", max_length=100)
    accepted_at = models.DateTimeField("认可时间")

    class Meta:
        verbose_name = verbose_name_plural = "方案核对问题"
        constraints = [
            models.CheckConstraint(
                condition=~Q(reason=""), name="finding_reason_given", violation_error_message="认可问题须写明理由"
            ),
        ]
        triggers = append_only("planfinding")

    def __str__(self) -> str:
        return f"{self.code} {self.sheet}!{self.cell}"
