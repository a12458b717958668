"""优惠券管理."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.functional import cached_property

from coupons import tallies
from coupons.desk.campaign import CampaignListing
from coupons.models import (
    Batch,
    Coupon,
)
from huigou.listing import (
    Column,
    Kind,
    PickField,
)

State = Coupon.State


class BatchFilters(forms.Form):
    category = PickField("品类")


class Batches(CampaignListing):
    """优惠券管理: what the plan gives, what was drawn, used, taken back at expiry, and is still to come.

    总数量 = 领取数量 - 到期收回 + 未发.
    """

    code = "batches"
    title = "优惠券管理"
    nothing = "还没有优惠券：先在“活动与方案”导入方案"
    Filters = BatchFilters
    columns = (
        Column("券名", lambda b: b.name, width=14),
        Column("面额", lambda b: b.face_fen, Kind.FACE, width=8),
        Column("总数量", lambda b: b.planned, Kind.COUNT, total="planned", width=10),
        Column(
            "领取数量",
            lambda b: b.drawn,
            Kind.COUNT,
            total="drawn",
            width=10,
            link=lambda b: f"{reverse('admin:coupons_coupon_changelist')}?category={b.category.code}&face={b.face_fen}",
        ),
        Column(
            "使用数量",
            lambda b: b.used,
            Kind.COUNT,
            total="used",
            width=10,
            link=lambda b: (
                f"{reverse('admin:merchants_redemption_changelist')}?category={b.category.code}&face={b.face_fen}"
            ),
        ),
        Column("到期收回", lambda b: b.lapsed, Kind.COUNT, total="lapsed", width=10),
        Column("未发", lambda b: b.left, Kind.COUNT, total="left", width=10),
        Column("未发金额", lambda b: b.left * b.face_fen, Kind.MONEY, total="left_fen", width=14),
        Column("品类", lambda b: b.category.name, width=10),
        Column("生成时间", lambda b: b.created_at, Kind.MOMENT, width=20),
    )

    def prepare(self, form: forms.Form) -> None:
        form.fields["category"].choices = [("", "全部…"), *self.categories()]  # type: ignore[attr-defined]

    def base(self) -> QuerySet[Any]:
        return (
            Batch.objects.filter(category__campaign=self.subject)
            .select_related("category")
            .order_by("category__position", "face_fen")
        )

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        return rows.filter(category__code=cleaned["category"]) if cleaned.get("category") else rows

    @cached_property
    def _drawn(self) -> dict[int, tuple[int, int, int]]:
        """Return {batch: (drawn, used, lapsed)}."""
        sums = ("sum(n)", "sum(n) FILTER (WHERE k.state = 'used')", f"sum(n) FILTER (WHERE {LAPSED_CELL})")
        ids = list(Batch.objects.filter(category__campaign=self.subject).values_list("pk", flat=True))
        found = tallies.COUPONS.read(
            ["k.batch_id"], sums, where=["k.batch_id = ANY(%(batches)s)"], batches=ids, now=self.now
        )
        return {batch: (drawn, used, lapsed) for batch, drawn, used, lapsed in found}

    def finish(self, rows: list[Any]) -> list[Any]:
        for row in rows:
            row.drawn, row.used, row.lapsed = self._drawn.get(row.pk, (0, 0, 0))
            row.left = row.planned - row.drawn + row.lapsed
        return rows

    def sums(self) -> dict[str, int]:
        rows = self.finish(list(self.rows))
        sums = {
            name: sum(getattr(row, name) for row in rows) for name in ("planned", "drawn", "used", "lapsed", "left")
        }
        return {**sums, "left_fen": sum(row.left * row.face_fen for row in rows)}


def is_lapsed(now: dt.datetime) -> Q:
    """Return the condition that a coupon has lapsed at an instant, booked or not yet."""
    return Q(state=State.EXPIRED) | Q(state=State.HELD, expires_at__lte=now)


LAPSED_CELL = "(k.state = 'expired' OR (k.state = 'held' AND k.expires_at <= %(now)s))"  # the same of a tally's cell
