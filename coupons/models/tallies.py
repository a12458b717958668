"""Kept sums of the long lists; ``coupons.tallies`` alone writes them and tells why they are exact."""

from __future__ import annotations

from django.db import models

from coupons.models.draws import Coupon, Draw
from coupons.models.people import Consumer
from coupons.models.plan import Batch, Round


class TallyMark(models.Model):
    """Up to which transaction of the ledger a tally has been folded in."""

    name = models.CharField("统计", max_length=20, primary_key=True)
    horizon = models.BigIntegerField("事务界限", default=0)  # transfers with a smaller xact are in the tally
    floor = models.BigIntegerField("流水界限", default=0)  # so are those up to this number, restored from elsewhere

    class Meta:
        verbose_name = verbose_name_plural = "统计进度"

    def __str__(self) -> str:
        return self.name


class CouponTally(models.Model):
    """How many coupons of one block of draw numbers share day, batch, round, channel, expiry and state."""

    block = models.BigIntegerField("段")
    day = models.DateField("领取日期")
    batch = models.ForeignKey(Batch, models.PROTECT, verbose_name="优惠券", related_name="+", db_index=False)
    round = models.ForeignKey(Round, models.PROTECT, verbose_name="轮次", related_name="+", db_index=False)
    channel = models.CharField("途径", max_length=8, choices=Draw.Channel.choices)
    expires_at = models.DateTimeField("到期时间")
    state = models.CharField("使用情况", max_length=10, choices=Coupon.State.choices)
    n = models.BigIntegerField("张数")

    class Meta:
        verbose_name = verbose_name_plural = "领取统计"
        constraints = [
            models.UniqueConstraint(
                fields=["block", "day", "batch", "round", "channel", "expires_at", "state"],
                name="coupon_tally_once",
                violation_error_message="该统计行已存在",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.state} {self.n}"


class ConsumerTally(models.Model):
    """How many consumers of one block of numbers share day of binding, place and whether they are bound."""

    block = models.BigIntegerField("段")
    day = models.DateField("绑定日期")
    place = models.CharField("位置核对", max_length=10, choices=Consumer.Place.choices)
    is_bound = models.BooleanField("已绑定")
    n = models.BigIntegerField("人数")

    class Meta:
        verbose_name = verbose_name_plural = "买家统计"
        constraints = [
            models.UniqueConstraint(
                fields=["block", "day", "place", "is_bound"],
                name="consumer_tally_once",
                violation_error_message="该统计行已存在",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.place} {self.n}"


class ConsumerStep(models.Model):
    """A change of the consumers' tally that is not folded in yet, written by the triggers of ``steps``."""

    block = models.BigIntegerField("段")
    day = models.DateField("绑定日期")
    place = models.CharField("位置核对", max_length=10)
    is_bound = models.BooleanField("已绑定")
    n = models.BigIntegerField("人数")

    class Meta:
        verbose_name = verbose_name_plural = "买家统计变动"

    def __str__(self) -> str:
        return f"{self.day} {self.place} {self.n}"
