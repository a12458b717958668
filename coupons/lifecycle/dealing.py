"""Prepare and deal a round: fix its release, its contents and the order of its cards."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Sum

from coupons import fairness, ledger, seeds
from coupons.errors import PREVIOUS_NOT_BOOKED, RELEASE_OVER_POOL, SHARE_MISSING
from coupons.ledger import SYSTEM, Move, Party
from coupons.lifecycle import freezing
from coupons.lifecycle.expiry import book_round
from coupons.models import Allotment, Batch, Category, Deck, Round, SeedShare, Transfer
from coupons.models.books import Account
from huigou import clock

# Until an hour before the opening the bureau can still have a release edited; then contents freeze and are published.
DEAL_AHEAD = dt.timedelta(hours=1)


def propose(round_: Round, pool_fen: Mapping[int, int] | None = None) -> dict[int, int]:
    """Return {batch id: count} for a round: what was approved by hand, else ceil(in the pool / rounds left)."""
    edited = dict(round_.allotments.exclude(edited_by=None).values_list("batch_id", "count"))
    pool_fen = ledger.pool_fen(round_.campaign_id) if pool_fen is None else pool_fen
    rounds_left = Round.objects.filter(campaign_id=round_.campaign_id, number__gte=round_.number).count()
    batches = Batch.objects.filter(category__campaign_id=round_.campaign_id, category__is_active=True)
    return {
        batch.pk: edited.get(batch.pk, -(-(pool_fen.get(batch.pk, 0) // batch.face_fen) // rounds_left))
        for batch in batches
    }


def ensure_dealt(round_id: int) -> None:
    """Book what is due and deal a round that the clock has opened: for the first draw when no sweep ran."""
    round_ = Round.objects.get(pk=round_id)
    now = clock.now()
    earlier = Round.objects.filter(campaign_id=round_.campaign_id, number__lt=round_.number, closes_at__lte=now)
    for previous in earlier.filter(booked_at=None).order_by("number"):
        if previous.dealt_at is None:
            deal(previous.pk)
        book_round(previous.pk)
    deal(round_.pk)


def deal(round_id: int) -> bool:
    """Deal a round: release from the pool, decks with contents, commitment and log start. False if it is dealt.

    Raises PREVIOUS_NOT_BOOKED, SHARE_MISSING, SEED_BROKEN, RELEASE_OVER_POOL, FROZEN.
    """
    with transaction.atomic():
        round_ = Round.objects.select_for_update(of=("self",)).select_related("campaign").get(pk=round_id)
        now = clock.now()
        if round_.dealt_at is not None:
            return False
        freezing.refuse_if_frozen(round_.campaign_id, "备奖")
        unbooked = Round.objects.filter(
            campaign_id=round_.campaign_id, number__lt=round_.number, booked_at=None
        ).order_by("number")
        if (previous := unbooked.first()) is not None:
            raise PREVIOUS_NOT_BOOKED(number=previous.number)
        counts = propose(round_)
        missing = list(round_.shares.filter(sealed=None).values_list("custodian", flat=True))
        # A round that releases nothing has no deck to seal: an approved release of zero ends one whose share never comes.  # noqa: E501
        if any(counts.values()) and (missing or (round_.entropy_source and not round_.entropy_value)):
            raise SHARE_MISSING(who="、".join(map(seeds.custodian_name, missing)) or round_.entropy_source)
        if any(counts.values()):
            seeds.committed_shares(round_)
        released = _release(round_, counts, now)
        for category in Category.objects.filter(campaign_id=round_.campaign_id, is_active=True):
            _make_deck(round_, category, [a for a in released if a.batch.category_id == category.pk])
        round_.dealt_at = now
        round_.save(update_fields=["dealt_at"])
    return True


def _release(round_: Round, counts: Mapping[int, int], now: dt.datetime) -> list[Allotment]:
    pool = ledger.pool_fen(round_.campaign_id)
    allotments, moves = [], []
    for batch in Batch.objects.filter(pk__in=counts).order_by("face_fen", "pk"):
        count = counts[batch.pk]
        left = pool.get(batch.pk, 0) // batch.face_fen
        if count > left:
            raise RELEASE_OVER_POOL(batch=batch.name, count=count, left=left)
        allotment, _ = Allotment.objects.update_or_create(
            round=round_, batch=batch, defaults={"count": count}, create_defaults={"count": count}
        )
        allotments.append(allotment)
        if count:
            moves.append(
                Move(
                    Transfer.Code.RELEASE,
                    Party(Account.POOL, batch.pk),
                    Party(Account.ROUND, allotment.pk),
                    count * batch.face_fen,
                    subject_kind="round",
                    subject_id=round_.pk,
                )
            )
    ledger.post(round_.campaign_id, moves, actor=SYSTEM, at=now)
    return allotments


def contents_of(round_: Round, category: Category, faces: Mapping[int, int]) -> fairness.Contents:
    """Return the canonical contents of a deck: what its plan hash covers. ``faces`` is {face_fen: count}."""
    return fairness.Contents(
        campaign=round_.campaign.code,
        round_no=round_.number,
        category=category.code,
        opens_at_us=fairness.microseconds(round_.opens_at),
        closes_at_us=fairness.microseconds(round_.closes_at),
        multiplier=round_.campaign.multiplier,
        faces=fairness.sorted_faces(faces),
        blanks=category.blanks,
        turns=category.turns,
        mode=round_.campaign.draw_mode,
    )


def _make_deck(round_: Round, category: Category, allotments: list[Allotment]) -> Deck | None:
    stocked = [a for a in allotments if a.count]
    if not stocked:
        return None
    contents = contents_of(round_, category, {a.batch.face_fen: a.count for a in stocked})
    plan_hash = fairness.plan_hash(contents)
    commitments = {share.custodian: bytes(share.commitment) for share in round_.shares.all()}
    commitment = fairness.deck_commitment(
        contents.campaign, round_.number, category.code, plan_hash, commitments, seeds.entropy(round_)
    )
    return Deck.objects.create(
        round=round_,
        category=category,
        contents=json.loads(contents.canonical()),
        stock=[[a.batch.face_fen, a.count, a.batch_id, a.pk] for a in stocked],
        size=contents.size,
        plan_hash=plan_hash,
        commitment=commitment,
        head=fairness.chain_start(contents.deck_id, commitment, plan_hash),
    )


def released_coupons(round_: Round) -> int:
    """Return how many coupons a round releases."""
    return round_.allotments.aggregate(s=Sum("count"))["s"] or 0


def share_names(round_: Round) -> list[str]:
    """Return who holds a share of this round's seed."""
    return list(SeedShare.objects.filter(round=round_).values_list("custodian", flat=True))
