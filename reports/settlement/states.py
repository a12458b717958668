"""Where a settlement stands: collected, frozen, audited, approved, paid; its row is held while a step is done."""

from __future__ import annotations

from coupons.ledger import Actor
from coupons.models import ChangeRequest
from coupons.models.books import ActorKind
from reports import errors
from reports.models import Settlement

State = Settlement.State


def locked(settlement_id: int, *states: str) -> Settlement:
    """Return a settlement under its row's lock; raises SETTLEMENT_STATE unless it stands in one of these states."""
    settlement = Settlement.objects.select_for_update(of=("self",)).select_related("campaign").get(pk=settlement_id)
    refuse_unless(settlement, *states)
    return settlement


def refuse_unless(settlement: Settlement, *states: str) -> None:
    """Raise SETTLEMENT_STATE unless the settlement stands in one of these states."""
    if settlement.state not in states:
        raise errors.SETTLEMENT_STATE(state=settlement.get_state_display())


def actor_of(change: ChangeRequest) -> Actor:
    """Return who moves the money of an approved change: its checker."""
    return Actor(ActorKind.STAFF, change.checker_id)
