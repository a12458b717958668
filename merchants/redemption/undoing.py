"""What ends a scan or a use otherwise: recall, reversal after approval, and the shop's forfeit."""

from __future__ import annotations

from django.db import transaction

from coupons import lifecycle
from coupons.errors import NOT_RECALLABLE
from coupons.ledger import SYSTEM, Actor
from coupons.lifecycle import freezing
from coupons.models import ChangeRequest, Freeze
from coupons.models.books import ActorKind
from huigou import clock
from merchants import errors
from merchants.models import Clerk, Redemption
from merchants.redemption.attempts import locked

State = Redemption.State


def recall(redemption_id: int, actor: Actor, reason: str, *, clerk: Clerk | None = None) -> Redemption:
    """Send a scanned, uncompleted coupon back to its holder (撤回), or to the pool once its round is over.

    A clerk may recall at the own outlet; the bureau anywhere, with a reason.
    """
    with transaction.atomic():
        redemption = locked(redemption_id)
        now = clock.now()
        if clerk is not None and redemption.outlet_id != clerk.outlet_id:
            raise errors.NO_REDEMPTION()
        if redemption.state != State.PENDING:
            raise NOT_RECALLABLE()
        redemption.state, redemption.ended_at = State.RECALLED, now
        redemption.save(update_fields=["state", "ended_at"])
        lifecycle.recall(
            redemption.coupon,
            campaign_id=redemption.coupon.round.campaign_id,
            redemption_id=redemption.pk,
            actor=actor,
            at=now,
            note=reason,
        )
    return redemption


def reverse(redemption_id: int, change: ChangeRequest, *, full_refund: bool) -> Redemption | None:
    """Undo a finished redemption after an approved request.

    A full refund before the coupon's expiry gives it back with the same expiry, after it the value goes to the pool; a
    partial refund gives nothing back. History stays.
    """
    if not full_refund:
        return None
    with transaction.atomic():
        redemption = locked(redemption_id)
        now = clock.now()
        if redemption.state != State.USED:
            raise errors.NOT_REVERSIBLE()
        redemption.state, redemption.ended_at = State.REVERSED, now
        redemption.save(update_fields=["state", "ended_at"])
        lifecycle.reverse(
            redemption.coupon,
            campaign_id=redemption.coupon.round.campaign_id,
            merchant_id=redemption.merchant_id,
            redemption_id=redemption.pk,
            actor=Actor(ActorKind.STAFF, change.checker_id),
            at=now,
            change=change,
            note=change.reason,
        )
    return redemption


def forfeit_overdue(limit: int = 1_000) -> int:
    """Book scanned coupons whose entry window has passed as forfeited by the shop; return how many. Idempotent."""
    done = 0
    # Frozen ones wait for their release, and must not fill the places of those whose books are in order.
    waiting = Freeze.objects.filter(released_at=None).values("campaign_id")
    due = Redemption.objects.overdue(clock.now()).exclude(merchant__campaign__in=waiting)
    for redemption_id in list(due.order_by("pk").values_list("pk", flat=True)[:limit]):
        with transaction.atomic():
            redemption = locked(redemption_id)
            now = clock.now()
            campaign_id = redemption.coupon.round.campaign_id
            # Asked again under the locks: a freeze may have come meanwhile.
            if redemption.state != State.PENDING or now < redemption.entry_until or freezing.is_frozen(campaign_id):
                continue
            redemption.state, redemption.ended_at = State.FORFEITED, now
            redemption.save(update_fields=["state", "ended_at"])
            lifecycle.forfeit(
                redemption.coupon, campaign_id=campaign_id, redemption_id=redemption.pk, actor=SYSTEM, at=now
            )
            done += 1
    return done
