"""Money into the campaign, the campaign live, and a round's release edited by hand: each asked for and approved."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Sum

from coupons import approval, ledger
from coupons.errors import ALREADY_LAUNCHED, BALANCE_SHORT, NOT_FUNDED, OVER_BUDGET, RELEASE_OVER_POOL, ROUND_DEALT
from coupons.ledger import CARRIED, TREASURY, Actor, Move, Party
from coupons.models import Allotment, Batch, Campaign, ChangeRequest, Round, Transfer
from coupons.models.books import Account, ActorKind
from huigou import clock
from huigou.errors import BAD_INPUT
from huigou.models import Staff
from huigou.money import yuan


def planned_fen(campaign: Campaign) -> dict[int, int]:
    """Return {batch id: fen} as the plan gives it: count times face."""
    batches = Batch.objects.filter(category__campaign=campaign, category__is_active=True)
    return {batch.pk: batch.planned * batch.face_fen for batch in batches if batch.planned}


def funded_fen(campaign_id: int) -> int:
    """Return what the treasury has given so far, in fen."""
    rows = Transfer.objects.filter(campaign_id=campaign_id, debit_kind=Account.TREASURY)
    return rows.aggregate(s=Sum("amount_fen"))["s"] or 0


def carried_fen(source_id: int) -> int:
    """Return what a closed campaign carried over and no other has taken yet, in fen."""
    taken = Transfer.objects.filter(code=Transfer.Code.FUND, subject_kind="carried", subject_id=source_id)
    return ledger.balance_fen(source_id, CARRIED) - (taken.aggregate(s=Sum("amount_fen"))["s"] or 0)


def propose_fund(
    campaign: Campaign,
    *,
    maker: Staff,
    reason: str,
    batches: Mapping[int, int] | None = None,
    carried_from: Campaign | None = None,
) -> ChangeRequest:
    """Ask for money: {batch id: fen}, by default what the plan gives each batch.

    It comes from the treasury, or from what ``carried_from`` carried over (转作下一轮).
    """
    given = dict(planned_fen(campaign) if batches is None else batches)
    _checked(campaign, given, carried_from.pk if carried_from else None)
    source = {"carried_from": carried_from.pk} if carried_from else {}
    return approval.propose(
        "fund",
        campaign,
        {"batches": {str(key): fen for key, fen in sorted(given.items())}, **source},
        summary=f"拨入资金 {yuan(sum(given.values()))} 元",
        reason=reason,
        maker=maker,
    )


def _checked(campaign: Campaign, given: Mapping[int, int], carried_from: int | None) -> None:
    faces = dict(Batch.objects.filter(category__campaign=campaign).values_list("pk", "face_fen"))
    if not given or any(key not in faces or fen <= 0 or fen % faces[key] for key, fen in given.items()):
        raise BAD_INPUT(what="拨入金额")
    total_fen = funded_fen(campaign.pk) + sum(given.values())
    if total_fen > campaign.budget_fen:
        raise OVER_BUDGET(total=yuan(total_fen), budget=yuan(campaign.budget_fen))
    if carried_from is not None and sum(given.values()) > carried_fen(carried_from):
        raise BALANCE_SHORT()


@approval.executes("fund")
def fund(change: ChangeRequest) -> None:
    """Move money from the treasury to the pool; all of it together stays within the budget.

    Raises OVER_BUDGET, BALANCE_SHORT when more is taken than was carried over.
    """
    source = change.payload.get("carried_from")
    if source is not None:
        # Two campaigns that draw on one carried-over sum queue here.
        Campaign.objects.select_for_update(no_key=True).get(pk=source)
    # Two approvals at once queue on the campaign's row, so that each sees what the other funded.
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=change.campaign_id)
    given = {int(key): fen for key, fen in change.payload["batches"].items()}
    _checked(campaign, given, source)
    subject = ("carried", source) if source else ("change", change.pk)
    moves = [
        Move(
            Transfer.Code.FUND,
            TREASURY,
            Party(Account.POOL, batch),
            fen,
            subject_kind=subject[0],
            subject_id=subject[1],
        )
        for batch, fen in sorted(given.items())
    ]
    ledger.post(campaign.pk, moves, actor=Actor(ActorKind.STAFF, change.checker_id), at=clock.now(), change=change)


def propose_launch(campaign: Campaign, *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for the campaign to go live."""
    return approval.propose("launch", campaign, {}, summary=f"{campaign} 上线", reason=reason, maker=maker)


@approval.executes("launch")
def launch(change: ChangeRequest) -> None:
    """Let the campaign go live; raises NOT_FUNDED without money in its pool, ALREADY_LAUNCHED the second time.

    The plan's findings were each accepted with a reason when it was loaded.
    """
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=change.campaign_id)
    if campaign.launched_at is not None:
        raise ALREADY_LAUNCHED()
    if not funded_fen(campaign.pk) or not campaign.rounds.exists():
        raise NOT_FUNDED()
    campaign.launched_at = clock.now()
    campaign.save(update_fields=["launched_at"])


def left_of(batch: Batch, pool_fen: Mapping[int, int]) -> int:
    """Return how many coupons of a batch the pool holds; ``pool_fen`` is the ledger's {batch id: fen}."""
    return pool_fen.get(batch.pk, 0) // batch.face_fen


def most_to_release(batch: Batch, pool_fen: Mapping[int, int]) -> int:
    """Return how many coupons of a batch a round may be asked to release.

    More comes back until the round is dealt, yet never more than the plan gave: a digit too many would stop a round.
    """
    return max(left_of(batch, pool_fen), batch.planned)


def propose_release(round_: Round, counts: Mapping[int, int], *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for another release of a round than the proposed one: {batch id: count}.

    Raises ROUND_DEALT, BAD_INPUT, RELEASE_OVER_POOL.
    """
    if round_.dealt_at is not None:
        raise ROUND_DEALT(number=round_.number)
    known = Batch.objects.filter(category__campaign=round_.campaign_id).in_bulk()
    if not counts or any(batch not in known or count < 0 for batch, count in counts.items()):
        raise BAD_INPUT(what="投放数量")
    pool_fen = ledger.pool_fen(round_.campaign_id)
    for batch_id, count in counts.items():
        batch = known[batch_id]
        if count > most_to_release(batch, pool_fen):
            raise RELEASE_OVER_POOL(batch=batch.name, count=count, left=left_of(batch, pool_fen))
    return approval.propose(
        "release",
        round_.campaign,
        {"round": round_.pk, "counts": {str(batch): count for batch, count in sorted(counts.items())}},
        summary=f"{round_}投放改为共 {sum(counts.values())} 张（所列券）",
        reason=reason,
        maker=maker,
    )


@approval.executes("release")
def release(change: ChangeRequest) -> None:
    """Write the approved counts; dealing takes them in place of its own. Raises ROUND_DEALT."""
    round_ = Round.objects.select_for_update().get(pk=change.payload["round"], campaign_id=change.campaign_id)
    if round_.dealt_at is not None:
        raise ROUND_DEALT(number=round_.number)
    for batch, count in change.payload["counts"].items():
        Allotment.objects.update_or_create(
            round=round_, batch_id=int(batch), defaults={"count": count, "edited_by": change}
        )
