"""What the last green check of the books found, so that the next one sees what was altered since."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from coupons.models import Campaign


class Seal(models.Model):
    """The sums of a campaign's transfers up to a horizon below which no transaction was still running."""

    campaign = models.OneToOneField(Campaign, models.PROTECT, verbose_name="活动", related_name="seal")
    horizon = models.BigIntegerField("事务界限")  # transfers with a smaller xact are sealed
    transfers = models.BigIntegerField("流水数")
    sums = models.JSONField("各账户余额（分）")  # {"kind:key": fen}
    # [[code, debit kind, debit key, credit kind, credit key, fen, least fen, count]]: enough to go on from without
    # reading the sealed rows again; some thousands at most, for it grows with batches and shops and not with coupons.
    flows = models.JSONField("各类流水合计", default=list)
    digest = models.CharField("逐笔校验和", max_length=20, default="")
    sealed_at = models.DateTimeField("封存时间")

    class Meta:
        verbose_name = verbose_name_plural = "账目封存"
        constraints = [
            models.CheckConstraint(
                condition=Q(transfers__gte=0, horizon__gte=0),
                name="seal_bounds",
                violation_error_message="封存的界限和笔数不得为负",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} 封存"
