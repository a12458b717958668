"""Undoing a finished redemption: asked for by one person, approved by another department's."""

from __future__ import annotations

from django.db import DatabaseError, transaction

from coupons import approval
from coupons.lifecycle import freezing
from coupons.models import ChangeRequest
from huigou.models import Staff
from huigou.money import yuan
from huigou.rules import constraint_of
from merchants import redemption
from merchants.errors import NO_REDEMPTION, NOT_REVERSIBLE, SETTLEMENT_FROZEN
from merchants.models import Redemption


def propose(redemption_id: int, *, full_refund: bool, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for a reversal; a partial refund is recorded and gives nothing back.

    Raises NO_REDEMPTION, NOT_REVERSIBLE.
    """
    found = Redemption.objects.filter(pk=redemption_id).select_related("coupon__round__campaign", "outlet").first()
    if found is None:
        raise NO_REDEMPTION()
    if found.state != Redemption.State.USED:
        raise NOT_REVERSIBLE()
    how = "全额退款" if full_refund else "部分退款（不退券）"
    return approval.propose(
        "reverse",
        found.coupon.round.campaign,
        {"redemption": found.pk, "full_refund": full_refund},
        summary=f"{found.outlet.name}核销 {found.pk}，券面 {yuan(found.face_fen)} 元，{how}",
        reason=reason,
        maker=maker,
    )


@approval.executes("reverse")
def reverse(change: ChangeRequest) -> None:
    """Carry out an approved reversal; raises NOT_REVERSIBLE, SETTLEMENT_FROZEN once the settlement is frozen."""
    freezing.refuse_if_frozen(change.campaign_id, "退回")
    try:
        with transaction.atomic():
            redemption.reverse(change.payload["redemption"], change, full_refund=change.payload["full_refund"])
    except DatabaseError as refused:
        if constraint_of(refused) == "settlement_is_frozen":
            raise SETTLEMENT_FROZEN() from refused
        raise
