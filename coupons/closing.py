"""The end of a campaign: what is left goes to the treasury or into the next campaign, then the books close.

Plan, clause 2: 到期未使用的消费券资金返还财政或转作下一轮促消费活动资金使用. After ``closed_at`` is set the database
refuses every write to the campaign's books (coupons/models/closed.py).
"""

from __future__ import annotations

from collections.abc import Collection

from coupons import approval, ledger, lifecycle
from coupons.errors import CLOSING_EARLY, NOT_SETTLED, NOTHING_LEFT, PAYLOAD_CHANGED, STILL_LEFT
from coupons.ledger import CARRIED, RETURNED, Actor, Move, Party
from coupons.lifecycle import freezing
from coupons.models import Campaign, ChangeRequest, Transfer
from coupons.models.books import Account, ActorKind
from huigou import clock
from huigou.errors import BAD_INPUT
from huigou.models import Staff
from huigou.money import yuan

# Money that belongs to nobody any more. What is held, pending or payable is still somebody's.
FREE = (Account.POOL, Account.FORFEITED, Account.DISALLOWED)
OUT = (Account.ROUND, Account.HELD, Account.PENDING)


def left(campaign_id: int, kinds: Collection[str] = FREE) -> dict[Party, int]:
    """Return what can be returned or carried over, in fen by account, in a fixed order."""
    found = ledger.balances(campaign_id)
    return {party: fen for party, fen in sorted(found.items()) if party.kind in kinds and party.kind in FREE and fen}


def refuse_if_early(campaign: Campaign) -> None:
    """Book the last round if no sweep did; raise CLOSING_EARLY while anything is out with anybody."""
    now = clock.now()
    for round_ in campaign.rounds.order_by("number"):
        if now < round_.closes_at:
            raise CLOSING_EARLY()
        if round_.dealt_at is None:
            lifecycle.deal(round_.pk)
        lifecycle.book_round(round_.pk)
    found = ledger.balances(campaign.pk)
    out = any(fen for party, fen in found.items() if party.kind in OUT)
    if out or campaign.rounds.filter(booked_at=None).exists():
        raise CLOSING_EARLY()


def _propose(
    verb: str, campaign: Campaign, extra: dict[str, int], *, kinds: Collection[str], maker: Staff, reason: str
) -> ChangeRequest:
    freezing.refuse_if_frozen(campaign.pk, "余额转出")
    refuse_if_early(campaign)
    free = left(campaign.pk, kinds)
    if not free:
        raise NOTHING_LEFT()
    accounts = [[party.kind, party.key, fen] for party, fen in free.items()]
    total = yuan(sum(free.values()))
    title = "返还财政" if verb == "return" else "转作下一轮"
    return approval.propose(
        verb, campaign, {"accounts": accounts, **extra}, summary=f"余额 {total} 元{title}", reason=reason, maker=maker
    )


def propose_return(campaign: Campaign, *, maker: Staff, reason: str, kinds: Collection[str] = FREE) -> ChangeRequest:
    """Ask for what is left, all of it or these kinds of account, to go back to the treasury (返还财政)."""
    return _propose("return", campaign, {}, kinds=kinds, maker=maker, reason=reason)


def propose_carry(
    campaign: Campaign,
    following: Campaign | None = None,
    *,
    maker: Staff,
    reason: str,
    kinds: Collection[str] = FREE,
) -> ChangeRequest:
    """Ask for what is left to be carried over into the next campaign (转作下一轮), which may be named later."""
    if following is not None and following.pk == campaign.pk:
        raise BAD_INPUT(what="下一轮活动")
    extra = {"next": following.pk} if following else {}
    return _propose("carry", campaign, extra, kinds=kinds, maker=maker, reason=reason)


def _move_out(change: ChangeRequest, code: str, to: Party) -> None:
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=change.campaign_id)
    freezing.refuse_if_frozen(campaign.pk, "余额转出")
    refuse_if_early(campaign)
    asked = {Party(kind, key): fen for kind, key, fen in change.payload["accounts"]}
    present = left(campaign.pk)
    if any(fen <= 0 or present.get(party, 0) < fen for party, fen in asked.items()):
        raise PAYLOAD_CHANGED()
    following = change.payload.get("next")
    subject = ("campaign", following) if following else ("change", change.pk)
    moves = [
        Move(code, party, to, fen, subject_kind=subject[0], subject_id=subject[1])
        for party, fen in sorted(asked.items())
    ]
    ledger.post(campaign.pk, moves, actor=Actor(ActorKind.STAFF, change.checker_id), at=clock.now(), change=change)


@approval.executes("return")
def give_back(change: ChangeRequest) -> None:
    """Move the approved amounts back to the treasury; raises CLOSING_EARLY, PAYLOAD_CHANGED when they are not there."""
    _move_out(change, Transfer.Code.RETURN, RETURNED)


@approval.executes("carry")
def carry_over(change: ChangeRequest) -> None:
    """Move the approved amounts into the next campaign's keeping; ``funding`` draws on them there."""
    _move_out(change, Transfer.Code.CARRY_OVER, CARRIED)


def propose_close(campaign: Campaign, *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for the campaign's books to be closed for good."""
    _refuse_open(campaign)
    return approval.propose("close", campaign, {}, summary=f"{campaign} 结账", reason=reason, maker=maker)


def _refuse_open(campaign: Campaign) -> None:
    freezing.refuse_if_frozen(campaign.pk, "活动结账")
    refuse_if_early(campaign)
    found = ledger.balances(campaign.pk)
    if any(fen for party, fen in found.items() if party.kind == Account.PAYABLE):
        raise NOT_SETTLED()
    if rest := sum(left(campaign.pk).values()):
        raise STILL_LEFT(left=yuan(rest))


@approval.executes("close")
def close(change: ChangeRequest) -> None:
    """Close the books; raises CLOSING_EARLY, NOT_SETTLED, STILL_LEFT while money is anywhere but paid or given away."""
    # The whole row, not only its non-key part: every writer of this campaign holds it and is waited for.
    campaign = Campaign.objects.select_for_update().get(pk=change.campaign_id)
    _refuse_open(campaign)
    campaign.closed_at = clock.now()
    campaign.save(update_fields=["closed_at"])
