"""优惠券领取 and 优惠券使用."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from coupons.admin.people import reveal_deed
from coupons.ledger import Actor
from coupons.models import Coupon, Draw, Event, Transfer
from coupons.models.books import ActorKind
from huigou import clock
from huigou.admin.deed import Deed, ReasonForm
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin, Section
from huigou.money import short_yuan, yuan
from merchants import errors, redemption
from merchants.attempt_desk import VERBS, outcome_words
from merchants.desk import Coupons, Uses, kind_words, use_words
from merchants.models import Attempt, Redemption


def _recall(request: HttpRequest, coupon: Coupon, data: dict[str, Any]) -> str:
    pending = coupon.redemptions.filter(state=Redemption.State.PENDING).first()
    if pending is None:
        raise errors.NO_REDEMPTION()
    redemption.recall(pending.pk, Actor(ActorKind.STAFF, request.user.pk), data["reason"])
    return "已撤回，该券退回买家（轮次已结束的收回奖池）"


def _say_recall(coupon: Coupon) -> str:
    pending = coupon.redemptions.filter(state=Redemption.State.PENDING).select_related("outlet").first()
    where = f"{pending.outlet.name} {clock.spoken(pending.scanned_at)}扫码" if pending else ""
    return f"{short_yuan(coupon.face_fen)} 元{coupon.batch.category.name}券，{where}，尚未录入。撤回后退还买家。"


EVENT_WORDS = dict(Transfer.Code.choices)


def _life(coupon: Coupon) -> list[tuple[Any, ...]]:
    events = Event.objects.filter(coupon=coupon).order_by("pk")
    return [
        (
            e.at,
            EVENT_WORDS.get(e.verb, e.verb),
            ActorKind(e.actor_kind).label + (f" {e.actor_id}" if e.actor_id else ""),
            e.note,
        )
        for e in events
    ]


class CouponAdmin(ReadOnlyMixin, DeskAdmin):
    """What was drawn by whom and what became of it; a scanned one can be sent back with a reason."""

    listing = Coupons
    deeds = (
        Deed(
            "recall",
            "撤回",
            "merchants.recall_redemption",
            _recall,
            ReasonForm,
            say=_say_recall,
            tone="danger",
            offered=lambda row: row.state == Coupon.State.PENDING,
            facts=lambda row: {"使用情况": row.get_state_display()},
        ),
        reveal_deed(lambda row: row.holder.person),
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("coupons.view_coupon")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("holder__person", "batch__category", "round", "draw")

    def sections(self, request: HttpRequest, row: Coupon) -> list[Section]:
        spent = row.redemptions.select_related("outlet", "category").order_by("pk")
        return [
            Section(
                "消费券",
                facts=[
                    ("券号", row.pk),
                    ("品类", row.batch.category.name),
                    ("金额（元）", short_yuan(row.face_fen)),
                    ("使用门槛（元）", short_yuan(row.threshold_fen)),
                    ("使用情况", use_words(row, clock.now())),
                    ("轮次", str(row.round)),
                    ("领取时间", row.drawn_at),
                    ("到期时间", clock.spoken(row.expires_at, end=True)),
                    ("奖票号", row.draw.ticket),
                    ("途径", Draw.Channel(row.draw.channel).label),
                    ("姓名", row.holder.person.masked_name),
                    ("手机号", row.holder.person.masked_phone),
                    ("微信名", row.holder.wechat_name),
                ],
            ),
            Section(
                "扫码与核销",
                headings=("扫码时间", "店面", "状态", "消费金额（元）", "消费种类", "备注", "确认时间"),
                rows=[
                    (
                        r.scanned_at,
                        r.outlet.name,
                        r.get_state_display(),
                        yuan(r.amount_fen) if r.amount_fen is not None else "",
                        kind_words(r),
                        r.note,
                        r.completed_at,
                    )
                    for r in spent
                ],
                empty="尚未扫码",
            ),
            Section("经过", headings=("时间", "动作", "经手", "说明"), rows=_life(row)),
        ]


class RedemptionAdmin(ReadOnlyMixin, DeskAdmin):
    """What was spent where: one row for each coupon that was entered."""

    listing = Uses

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.select_related(
            "outlet", "merchant", "category", "clerk__person", "consumer__person", "coupon__round"
        )

    def sections(self, request: HttpRequest, row: Redemption) -> list[Section]:
        coupon = reverse("admin:coupons_coupon_page", args=[row.coupon_id])
        attempts = Attempt.objects.filter(coupon_id=row.coupon_id).order_by("pk")[:100]
        return [
            Section(
                "核销",
                facts=[
                    ("商家", row.merchant.name),
                    ("店面", row.outlet.name),
                    ("员工姓名", row.clerk.person.masked_name),
                    ("员工电话", row.clerk.person.masked_phone),
                    ("员工微信号", row.clerk.wechat_name),
                    ("买家手机号", row.consumer.person.masked_phone),
                    ("买家微信号", row.consumer.wechat_name),
                    ("品类", row.category.name),
                    ("金额（券面额，元）", short_yuan(row.face_fen)),
                    ("使用门槛（元）", short_yuan(row.threshold_fen)),
                    ("消费金额（元）", yuan(row.amount_fen) if row.amount_fen is not None else ""),
                    (row.category.kind_label, kind_words(row)),
                    ("付款方式", row.get_payment_display() if row.payment else ""),
                    ("小票号", row.receipt_no),
                    ("备注", row.note),
                    ("扫码时间", row.scanned_at),
                    ("确认时间", row.completed_at),
                    ("使用情况", row.get_state_display()),
                    ("消费券", format_html('<a class="link" href="{}">券号 {}</a>', coupon, row.coupon_id)),
                ],
            ),
            Section(
                "扫码与录入的每次尝试",
                headings=("时间", "动作", "结果"),
                rows=[(a.at, VERBS.get(a.verb, a.verb), outcome_words(a.outcome)) for a in attempts],
            ),
        ]
