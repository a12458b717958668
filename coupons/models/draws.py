"""The draw: decks, the shares of their seed, draws, coupons and the published heads of the log."""

from __future__ import annotations

import datetime as dt

import pgtrigger
from django.db import models
from django.db.models import F, Q

from coupons.models.people import Consumer, Station
from coupons.models.plan import Batch, Category, Round
from huigou.tables import append_only


class SeedShare(models.Model):
    """One part of a round's seed: the system's or a custodian's, sealed until the round is over."""

    round = models.ForeignKey(Round, models.PROTECT, verbose_name="轮次", related_name="shares")
    custodian = models.CharField("保管单位", max_length=20)  # system, or a Department value
    commitment = models.BinaryField("承诺值", max_length=32)
    committed_at = models.DateTimeField("承诺时间")
    committed_by = models.ForeignKey("huigou.Staff", models.PROTECT, null=True, verbose_name="承诺人", related_name="+")
    sealed = models.BinaryField("密封的份额", null=True)
    handed_at = models.DateTimeField("交付时间", null=True)
    published_at = models.DateTimeField("承诺公布时间", null=True)

    class Meta:
        verbose_name = verbose_name_plural = "种子份额"
        constraints = [
            models.UniqueConstraint(
                fields=["round", "custodian"], name="share_once", violation_error_message="该单位本轮已提交份额"
            ),
            models.CheckConstraint(
                condition=Q(sealed=None, handed_at=None) | Q(sealed__isnull=False, handed_at__isnull=False),
                name="share_handed_whole",
                violation_error_message="份额与交付时间须同时登记",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="share_is_committed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF TG_OP = 'DELETE' OR NEW.commitment <> OLD.commitment OR NEW.custodian <> OLD.custodian
                       OR NEW.round_id <> OLD.round_id OR NEW.committed_at <> OLD.committed_at
                       OR (OLD.sealed IS NOT NULL AND NEW.sealed IS DISTINCT FROM OLD.sealed) THEN
                        RAISE EXCEPTION 'a committed share cannot be changed' USING CONSTRAINT = 'share_is_committed';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="share_before_dealing",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func="""
                    -- Dealing holds the round's row: whoever comes during it waits here and then reads that it is dealt.
                    PERFORM 1 FROM coupons_round WHERE id = NEW.round_id FOR KEY SHARE;
                    IF EXISTS (SELECT 1 FROM coupons_round WHERE id = NEW.round_id AND dealt_at IS NOT NULL) THEN
                        RAISE EXCEPTION 'round is dealt: its shares are frozen' USING CONSTRAINT = 'round_is_dealt';
                    END IF;
                    RETURN NEW;
                """,  # noqa: E501
            ),
        ]

    def __str__(self) -> str:
        return f"{self.round} {self.custodian}"


class Deck(models.Model):
    """The cards of one (round, category): contents frozen at dealing, order fixed by the committed seed.

    ``next_ticket`` is how many tickets are out; its CHECK against ``size`` is why nothing can be oversold.
    """

    round = models.ForeignKey(Round, models.PROTECT, verbose_name="轮次", related_name="decks")
    category = models.ForeignKey(Category, models.PROTECT, verbose_name="品类", related_name="decks")
    contents = models.JSONField("牌面")  # the canonical contents, exactly what plan_hash covers
    stock = models.JSONField("券源")  # [[face_fen, count, batch id, allotment id], ...] ascending by face
    size = models.PositiveIntegerField("奖票数")
    next_ticket = models.PositiveIntegerField("已抽", default=0)
    head = models.BinaryField("日志头", max_length=32)
    plan_hash = models.BinaryField("方案散列", max_length=32)
    commitment = models.BinaryField("承诺值", max_length=32)
    last_draw_at = models.DateTimeField("最近一抽", null=True)

    class Meta:
        verbose_name = verbose_name_plural = "奖票盒"
        constraints = [
            models.UniqueConstraint(
                fields=["round", "category"], name="deck_once", violation_error_message="本轮该品类已备奖"
            ),
            models.CheckConstraint(
                condition=Q(next_ticket__lte=F("size")),
                name="deck_ticket_in_size",
                violation_error_message="奖票已抽完",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="deck_is_sealed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF TG_OP = 'DELETE' OR NEW.round_id <> OLD.round_id OR NEW.category_id <> OLD.category_id
                       OR NEW.contents <> OLD.contents OR NEW.stock <> OLD.stock OR NEW.size <> OLD.size
                       OR NEW.plan_hash <> OLD.plan_hash OR NEW.commitment <> OLD.commitment OR NEW.next_ticket < OLD.next_ticket THEN
                        RAISE EXCEPTION 'a dealt deck cannot be changed' USING CONSTRAINT = 'deck_is_sealed';
                    END IF;
                    RETURN NEW;
                """,  # noqa: E501 (the text is hashed into the migration)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.round} {self.category}"

    @property
    def left(self) -> int:
        return self.size - self.next_ticket


class Draw(models.Model):
    """One turn of the wheel: its ticket and its card. Append-only; also the public log, person by pseudonym."""

    class Kind(models.TextChoices):
        DRAW = "draw", "抽奖"
        VOID = "void", "作废"

    class Channel(models.TextChoices):
        SELF = "self", "本人"
        STATION = "station", "服务站代抽"

    # Where db_constraint is off, the table's own trigger looks the whole batch up at once (coupons/models/kin.py).
    deck = models.ForeignKey(
        Deck, models.PROTECT, verbose_name="奖票盒", related_name="draws", db_index=False, db_constraint=False
    )
    ticket = models.PositiveIntegerField("奖票号")
    face_fen = models.BigIntegerField("面额（分）")  # 0 is a blank
    drawn_at = models.DateTimeField("抽奖时间")
    kind = models.CharField("类别", max_length=4, choices=Kind.choices, default=Kind.DRAW)
    consumer = models.ForeignKey(
        Consumer,
        models.PROTECT,
        null=True,
        verbose_name="买家",
        related_name="draws",
        db_index=False,
        db_constraint=False,
    )
    # HMAC of phone and round: who drew, for the rule and for the log, without saying who; outlives an unbinding.
    pseudonym = models.BinaryField("代号", max_length=32)
    turn = models.PositiveSmallIntegerField("第几次", default=1)
    entry_hash = models.BinaryField("日志散列", max_length=32)
    request_key = models.UUIDField("请求号", null=True)
    channel = models.CharField("途径", max_length=8, choices=Channel.choices, default=Channel.SELF)
    station = models.ForeignKey(
        Station, models.PROTECT, null=True, verbose_name="服务站", related_name="+", db_index=False
    )

    class Meta:
        verbose_name = verbose_name_plural = "抽奖记录"
        constraints = [
            models.UniqueConstraint(
                fields=["deck", "ticket"], name="draw_ticket_once", violation_error_message="该奖票已抽出"
            ),
            models.UniqueConstraint(
                fields=["deck", "pseudonym", "turn"],
                condition=Q(kind="draw"),
                name="draw_turn_once",
                violation_error_message="本轮该品类已抽过",
            ),
            models.UniqueConstraint(
                fields=["deck", "pseudonym"],
                condition=Q(face_fen__gt=0, kind="draw"),
                name="draw_win_once",
                violation_error_message="每个品类每轮最多抽取一张",
            ),
            models.UniqueConstraint(
                fields=["consumer", "request_key"],
                name="draw_request_once",
                violation_error_message="该请求已处理",
            ),
            models.CheckConstraint(
                condition=Q(face_fen__gte=0), name="draw_face", violation_error_message="面额不得为负"
            ),
            models.CheckConstraint(
                condition=Q(kind="void") | Q(consumer__isnull=False),
                name="draw_has_consumer",
                violation_error_message="抽奖须有抽奖人",
            ),
        ]
        triggers = append_only("draw")

    def __str__(self) -> str:
        return f"{self.deck_id}#{self.ticket}"


class CouponQuerySet(models.QuerySet["Coupon"]):
    def held_by(self, consumer: Consumer) -> CouponQuerySet:
        """All coupons of the person behind a consumer, over an unbinding and binding again."""
        return self.filter(holder__person_id=consumer.person_id)

    def redeemable(self, now: dt.datetime) -> CouponQuerySet:
        return self.filter(state=Coupon.State.HELD, expires_at__gt=now)

    def live(self) -> CouponQuerySet:
        """Coupons whose value is out with somebody: held, or scanned and not yet entered."""
        return self.filter(state__in=[Coupon.State.HELD, Coupon.State.PENDING])


class Coupon(models.Model):
    """What a winner holds. Born by a winning draw, whose number is its own; its state is written by lifecycle alone."""

    class State(models.TextChoices):
        HELD = "held", "未使用"
        PENDING = "pending", "已发送商家"
        USED = "used", "已使用"
        EXPIRED = "expired", "已过期"
        FORFEITED = "forfeited", "已使用（商家未录入）"

    draw = models.OneToOneField(
        Draw, models.PROTECT, primary_key=True, verbose_name="抽奖", related_name="coupon", db_constraint=False
    )
    round = models.ForeignKey(
        Round, models.PROTECT, verbose_name="轮次", related_name="coupons", db_index=False, db_constraint=False
    )
    batch = models.ForeignKey(
        Batch, models.PROTECT, verbose_name="优惠券", related_name="coupons", db_index=False, db_constraint=False
    )
    holder = models.ForeignKey(
        Consumer, models.PROTECT, verbose_name="买家", related_name="coupons", db_constraint=False
    )
    face_fen = models.BigIntegerField("面额（分）")
    threshold_fen = models.BigIntegerField("使用门槛（分）")
    state = models.CharField("使用情况", max_length=10, choices=State.choices, default=State.HELD)
    drawn_at = models.DateTimeField("领取时间")
    expires_at = models.DateTimeField("到期时间")  # exclusive
    ended_at = models.DateTimeField("结束时间", null=True)
    steps = models.PositiveSmallIntegerField("账次", default=1)  # transfers so far; the next one's number

    objects = CouponQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "消费券"
        constraints = [
            models.CheckConstraint(
                condition=Q(face_fen__gt=0) & Q(threshold_fen__gte=F("face_fen")),
                name="coupon_amounts",
                violation_error_message="门槛不得低于面额",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["held", "pending"], ended_at=None)
                | Q(state__in=["used", "expired", "forfeited"], ended_at__isnull=False),
                name="coupon_ended_iff_over",
                violation_error_message="使用情况与结束时间不符",
            ),
        ]
        indexes = [
            models.Index(fields=["round"], condition=Q(state__in=["held", "pending"]), name="coupon_live_by_round"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="coupon_way_of_life",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF TG_OP = 'DELETE' THEN
                        RAISE EXCEPTION 'a coupon is never deleted' USING CONSTRAINT = 'coupon_way_of_life';
                    END IF;
                    IF (NEW.draw_id, NEW.round_id, NEW.batch_id, NEW.holder_id, NEW.face_fen, NEW.threshold_fen,
                        NEW.drawn_at, NEW.expires_at) IS DISTINCT FROM
                       (OLD.draw_id, OLD.round_id, OLD.batch_id, OLD.holder_id, OLD.face_fen, OLD.threshold_fen,
                        OLD.drawn_at, OLD.expires_at)
                       OR (OLD.state || '>' || NEW.state) NOT IN
                          ('held>pending', 'held>expired', 'pending>held', 'pending>used', 'pending>expired',
                           'pending>forfeited', 'used>held', 'used>expired')
                       OR NEW.steps <> OLD.steps + 1 THEN
                        RAISE EXCEPTION 'coupon % cannot go from % to %', OLD.draw_id, OLD.state, NEW.state
                            USING CONSTRAINT = 'coupon_way_of_life';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"消费券 {self.pk}"


class Head(models.Model):
    """The signed head of a deck's log at a moment, published; append-only."""

    deck = models.ForeignKey(Deck, models.PROTECT, verbose_name="奖票盒", related_name="heads")
    tickets = models.PositiveIntegerField("奖票数")
    head = models.BinaryField("日志头", max_length=32)
    signed_at = models.DateTimeField("签名时间")
    signature = models.BinaryField("签名", max_length=64)

    class Meta:
        verbose_name = verbose_name_plural = "日志头"
        constraints = [
            models.UniqueConstraint(
                fields=["deck", "tickets"], name="head_once", violation_error_message="该日志头已公布"
            ),
        ]
        triggers = append_only("head")

    def __str__(self) -> str:
        return f"{self.deck_id}@{self.tickets}"


class Registration(models.Model):
    """A person's entry for a joint draw (报名摇号); decided by the round's seed, speed plays no part."""

    deck = models.ForeignKey(Deck, models.PROTECT, verbose_name="奖票盒", related_name="registrations")
    consumer = models.ForeignKey(Consumer, models.PROTECT, verbose_name="买家")
    pseudonym = models.BinaryField("代号", max_length=32)
    registered_at = models.DateTimeField("报名时间")

    class Meta:
        verbose_name = verbose_name_plural = "摇号报名"
        constraints = [
            models.UniqueConstraint(
                fields=["deck", "pseudonym"], name="registration_once", violation_error_message="您已报名"
            ),
        ]
        triggers = [
            *append_only("registration"),
            pgtrigger.Trigger(
                name="registration_before_the_list",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func="""
                    -- Signing the list locks the deck's row against this lock, so that nobody slips in behind it.
                    PERFORM 1 FROM coupons_deck WHERE id = NEW.deck_id FOR SHARE;
                    IF EXISTS (SELECT 1 FROM coupons_registrantlist WHERE deck_id = NEW.deck_id) THEN
                        RAISE EXCEPTION 'the list is signed' USING CONSTRAINT = 'registration_before_the_list';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deck_id} {self.pk}"


class RegistrantList(models.Model):
    """The list of a joint draw as it was fixed and signed when registration ended; append-only, one per deck."""

    deck = models.OneToOneField(Deck, models.PROTECT, verbose_name="奖票盒", related_name="registrant_list")
    count = models.PositiveIntegerField("人数")
    digest = models.BinaryField("名单散列", max_length=32)
    signed_at = models.DateTimeField("签名时间")
    signature = models.BinaryField("签名", max_length=64)

    class Meta:
        verbose_name = verbose_name_plural = "摇号名单"
        triggers = append_only("registrantlist")

    def __str__(self) -> str:
        return f"{self.deck_id} {self.count} 人"
