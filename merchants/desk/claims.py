"""优惠券领取: every coupon that was drawn, and what became of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Prefetch, Q, QuerySet, Sum
from django.urls import reverse
from django.utils.functional import cached_property

from coupons import tallies
from coupons.desk import LAPSED_CELL, CampaignListing, blocks, consumers_of, days, is_lapsed, people
from coupons.models import Batch, Coupon
from huigou.listing import (
    Column,
    DaysForm,
    Kind,
    NameField,
    PhoneField,
    PickField,
    within,
)
from huigou.paging import Stretch
from merchants.models import Redemption

State = Coupon.State
Spent = Redemption.State

# 使用情况 as the bureau's page writes it, and what it means for a coupon at an instant.
UNUSED, SENT, USED, LAPSED, FORFEITED = (
    "未使用 未发送",
    "使用 已发送商家",
    "已使用 已发送商家",
    "已过期",
    "已发送商家 未录入（商家放弃）",
)
USE_CODES = {"unused": UNUSED, "sent": SENT, "used": USED, "lapsed": LAPSED, "forfeited": FORFEITED}
USE_TONES = {UNUSED: "", SENT: "wait", USED: "good", LAPSED: "off", FORFEITED: "bad"}


def use_words(coupon: Coupon, now: dt.datetime) -> str:
    """Return 使用情况 of a coupon at an instant, whether or not the expiry is booked."""
    if coupon.state == State.HELD:
        return LAPSED if coupon.expires_at <= now else UNUSED
    return {State.PENDING: SENT, State.USED: USED, State.EXPIRED: LAPSED, State.FORFEITED: FORFEITED}[
        State(coupon.state)
    ]


def in_use_state(code: str, now: dt.datetime) -> Q:
    """Return the condition of the filter 状态."""
    return {
        "unused": Q(state=State.HELD, expires_at__gt=now),
        "sent": Q(state=State.PENDING),
        "used": Q(state=State.USED),
        "lapsed": is_lapsed(now),
        "forfeited": Q(state=State.FORFEITED),
    }[code]


# The same conditions on a tally's cell.
USE_CELLS = {
    "unused": "k.state = 'held' AND k.expires_at > %(now)s",
    "sent": "k.state = 'pending'",
    "used": "k.state = 'used'",
    "lapsed": LAPSED_CELL,
    "forfeited": "k.state = 'forfeited'",
}


# ---- 优惠券领取


class CouponFilters(DaysForm):
    name = NameField()
    phone = PhoneField()
    category = PickField("品类")
    state = PickField("状态", list(USE_CODES.items()))
    face = PickField("面额")
    round = PickField("轮次")
    channel = PickField("途径", [("self", "本人"), ("station", "服务站代抽")])


class Coupons(CampaignListing):
    """优惠券领取（领取情况）."""

    code = "coupons"
    title = "优惠券领取"
    nothing = "还没有人抽中消费券"
    Filters = CouponFilters
    more = frozenset({"face", "round", "channel"})
    deeds_heading = "退回"
    columns = (
        Column("金额", lambda c: c.face_fen, Kind.FACE, total="face", width=10),
        Column("类型（品类）", lambda c: c.batch.category.name, width=12),
        Column("姓名", lambda c: c.holder.person.masked_name, full=lambda c: c.holder.person.name or "", width=10),
        Column("微信名", lambda c: c.holder.wechat_name, width=18, of_person=True),
        Column("手机号", lambda c: c.holder.person.masked_phone, full=lambda c: c.holder.person.phone or "", width=14),
        Column("使用情况", lambda c: c.use, tone=lambda c: USE_TONES[c.use], width=20),
        Column("商家", lambda c: c.spent.outlet.name if c.spent else "", width=20),
        Column(
            "领取时间",
            lambda c: c.drawn_at,
            Kind.MOMENT,
            width=20,
            link=lambda c: reverse("admin:coupons_coupon_page", args=[c.pk]),
        ),
        Column("轮次", lambda c: f"第{c.round.number}轮", width=8, only="workbook"),
        Column("到期时间", lambda c: c.expires_at, Kind.MOMENT, width=20, only="workbook"),
        Column("券号", lambda c: c.pk, width=10, only="workbook"),
    )

    def prepare(self, form: forms.Form) -> None:
        form.fields["category"].choices = [("", "全部…"), *self.categories()]  # type: ignore[attr-defined]
        form.fields["face"].choices = [("", "全部…"), *self.faces()]  # type: ignore[attr-defined]
        rounds = self.subject.rounds.order_by("number") if self.subject else []
        form.fields["round"].choices = [("", "全部…"), *((str(r.number), str(r)) for r in rounds)]  # type: ignore[attr-defined]

    def base(self) -> QuerySet[Any]:
        spent = Redemption.objects.filter(state__in=[Spent.PENDING, Spent.USED, Spent.FORFEITED])
        return (
            Coupon.objects.filter(round__campaign=self.subject)
            .select_related("holder__person", "batch__category", "round")
            .prefetch_related(Prefetch("redemptions", spent.select_related("outlet"), to_attr="spending"))
            .order_by("-pk")
        )

    def is_search(self) -> bool:
        return bool(self.cleaned.get("name") or self.cleaned.get("phone"))

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "drawn_at"))
        if self.is_search():
            persons = people(cleaned.get("name", ""), cleaned.get("phone", ""))
            rows = rows.filter(holder__in=consumers_of(persons))
        if cleaned.get("category"):
            rows = rows.filter(batch__category__code=cleaned["category"])
        if cleaned.get("face"):
            rows = rows.filter(face_fen=int(cleaned["face"]))
        if cleaned.get("round"):
            rows = rows.filter(round__number=int(cleaned["round"]))
        if cleaned.get("state"):
            rows = rows.filter(in_use_state(cleaned["state"], self.now))
        if cleaned.get("channel"):
            rows = rows.filter(draw__channel=cleaned["channel"])
        return rows

    def finish(self, rows: list[Any]) -> list[Any]:
        for row in rows:
            row.spent = row.spending[0] if row.spending else None
            row.use = use_words(row, self.now)
        return rows

    @cached_property
    def _kept(self) -> list[tuple[int, int, int]]:
        """Return (block, coupons, face) of what the filters leave, from the kept sums."""
        where, params = days(self.cleaned, "k.day")
        where.append("k.batch_id = ANY(%(batches)s)")
        params["batches"] = list(self._batches().values_list("pk", flat=True))
        if number := self.cleaned.get("round"):
            where.append(
                "k.round_id = (SELECT id FROM coupons_round WHERE campaign_id = %(campaign)s AND number = %(round)s)"
            )
            params |= {"campaign": self.subject and self.subject.pk, "round": int(number)}
        if channel := self.cleaned.get("channel"):
            where.append("k.channel = %(channel)s")
            params["channel"] = channel
        if state := self.cleaned.get("state"):
            where.append(USE_CELLS[state])
            params["now"] = self.now
        sums = ("sum(n)", "sum(n * b.face_fen)")
        joins = "JOIN coupons_batch b ON b.id = k.batch_id"
        return tallies.COUPONS.read(["k.block"], sums, where=where, joins=joins, **params)

    def _batches(self) -> QuerySet[Batch]:
        rows = Batch.objects.filter(category__campaign=self.subject)
        if self.cleaned.get("category"):
            rows = rows.filter(category__code=self.cleaned["category"])
        return rows.filter(face_fen=int(self.cleaned["face"])) if self.cleaned.get("face") else rows

    def stretches(self) -> list[Stretch]:
        return blocks(self._kept)

    def sums(self) -> dict[str, int]:
        if self.is_search():
            return {"face": self.rows.order_by().aggregate(s=Sum("face_fen"))["s"] or 0}
        return {"face": sum(face for _, _, face in self._kept)}
