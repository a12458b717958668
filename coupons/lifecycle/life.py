"""Each deed in the life of a coupon: change the row, book the transfer, write the event, in one transaction.

The caller holds the coupon's row lock and has read the clock after it.
"""

from __future__ import annotations

import datetime as dt

from coupons import ledger
from coupons.errors import WRONG_STATE
from coupons.ledger import Actor, Move, Party
from coupons.models import ChangeRequest, Coupon, Event, Transfer
from coupons.models.books import Account

State = Coupon.State
Code = Transfer.Code


def _step(
    coupon: Coupon,
    to: State,
    code: Code,
    credit: Party,
    *,
    debit: Party,
    campaign_id: int,
    actor: Actor,
    at: dt.datetime,
    note: str = "",
    change: ChangeRequest | None = None,
    subject: tuple[str, int] = ("", 0),
) -> None:
    was, step = coupon.state, coupon.steps
    ended_at = None if to in (State.HELD, State.PENDING) else at
    moved = Coupon.objects.filter(pk=coupon.pk, state=was, steps=step).update(
        state=to, steps=step + 1, ended_at=ended_at
    )
    if not moved:
        raise WRONG_STATE(state=Coupon.objects.get(pk=coupon.pk).get_state_display())
    coupon.state, coupon.steps, coupon.ended_at = to, step + 1, ended_at
    move = Move(code, debit, credit, coupon.face_fen, coupon.pk, step, subject[0], subject[1] or None)
    ledger.post(campaign_id, [move], actor=actor, at=at, change=change)
    Event.objects.create(
        verb=code, coupon_id=coupon.pk, actor_kind=actor.kind, actor_id=actor.id, at=at, note=note[:300]
    )


def scan(coupon: Coupon, *, campaign_id: int, redemption_id: int, actor: Actor, at: dt.datetime) -> None:
    """Held to pending: a clerk has scanned the coupon (已发送商家)."""
    _step(
        coupon,
        State.PENDING,
        Code.SCAN,
        Party(Account.PENDING, coupon.batch_id),
        debit=Party(Account.HELD, coupon.batch_id),
        campaign_id=campaign_id,
        actor=actor,
        at=at,
        subject=("redemption", redemption_id),
    )


def complete(
    coupon: Coupon, *, campaign_id: int, merchant_id: int, redemption_id: int, actor: Actor, at: dt.datetime
) -> None:
    """Pending to used: amount and kind are entered; the county owes the shop the face."""
    _step(
        coupon,
        State.USED,
        Code.COMPLETE,
        Party(Account.PAYABLE, merchant_id),
        debit=Party(Account.PENDING, coupon.batch_id),
        campaign_id=campaign_id,
        actor=actor,
        at=at,
        subject=("redemption", redemption_id),
    )


def recall(
    coupon: Coupon, *, campaign_id: int, redemption_id: int, actor: Actor, at: dt.datetime, note: str = ""
) -> None:
    """Pending back to its holder; after its expiry it ends as expired, its value in the pool for a later round."""
    over = at >= coupon.expires_at
    _step(
        coupon,
        State.EXPIRED if over else State.HELD,
        Code.EXPIRE if over else Code.RECALL,
        Party(Account.POOL if over else Account.HELD, coupon.batch_id),
        debit=Party(Account.PENDING, coupon.batch_id),
        campaign_id=campaign_id,
        actor=actor,
        at=at,
        note=note,
        subject=("redemption", redemption_id),
    )


def forfeit(coupon: Coupon, *, campaign_id: int, redemption_id: int, actor: Actor, at: dt.datetime) -> None:
    """Pending and never entered within the window: used, and the shop's subsidy forfeited (视为放弃, plan 6.4)."""
    _step(
        coupon,
        State.FORFEITED,
        Code.FORFEIT,
        Party(Account.FORFEITED, coupon.batch_id),
        debit=Party(Account.PENDING, coupon.batch_id),
        campaign_id=campaign_id,
        actor=actor,
        at=at,
        subject=("redemption", redemption_id),
    )


def reverse(
    coupon: Coupon,
    *,
    campaign_id: int,
    merchant_id: int,
    redemption_id: int,
    actor: Actor,
    at: dt.datetime,
    change: ChangeRequest,
    note: str,
) -> None:
    """Used and wholly refunded: before its expiry the coupon lives again, after it the value goes to the pool."""
    over = at >= coupon.expires_at
    _step(
        coupon,
        State.EXPIRED if over else State.HELD,
        Code.REVERSE,
        Party(Account.POOL if over else Account.HELD, coupon.batch_id),
        debit=Party(Account.PAYABLE, merchant_id),
        campaign_id=campaign_id,
        actor=actor,
        at=at,
        note=note,
        change=change,
        subject=("redemption", redemption_id),
    )
