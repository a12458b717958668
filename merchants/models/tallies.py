"""Kept sums of the redemptions; ``merchants.tallies`` says what they count."""

from __future__ import annotations

from django.db import models

from coupons.models import Category, Round
from merchants.models.firms import Clerk, Merchant, Outlet
from merchants.models.spending import Redemption


class UseTally(models.Model):
    """How many redemptions of one hour share clerk, category, round, face and state, and what was spent in them.

    The hour is that of the entry for finished ones, that of the scan for those that wait or were given up.
    """

    hour_at = models.DateTimeField("时段")
    merchant = models.ForeignKey(Merchant, models.PROTECT, verbose_name="商家", related_name="+", db_index=False)
    outlet = models.ForeignKey(Outlet, models.PROTECT, verbose_name="店面", related_name="+", db_index=False)
    clerk = models.ForeignKey(Clerk, models.PROTECT, verbose_name="员工", related_name="+", db_index=False)
    category = models.ForeignKey(Category, models.PROTECT, verbose_name="品类", related_name="+", db_index=False)
    round = models.ForeignKey(Round, models.PROTECT, verbose_name="轮次", related_name="+", db_index=False)
    face_fen = models.BigIntegerField("面额（分）")
    state = models.CharField("使用情况", max_length=10, choices=Redemption.State.choices)
    n = models.BigIntegerField("笔数")
    amount_fen = models.BigIntegerField("消费金额（分）")

    class Meta:
        verbose_name = verbose_name_plural = "使用统计"
        constraints = [
            models.UniqueConstraint(
                fields=["hour_at", "clerk", "outlet", "merchant", "category", "round", "face_fen", "state"],
                name="use_tally_once",
                violation_error_message="该统计行已存在",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hour_at} {self.state} {self.n}"
