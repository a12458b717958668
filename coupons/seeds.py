"""The shares of a round's seed: committed ahead, handed over sealed, opened when the round is over.

The system's share is made when the plan is loaded. A custodian (工信局, 纪委监委, 审计局) may add one: first its
commitment, a day or more before the opening and before anybody knows the contents, later the share itself. All shares
stand encrypted under FIELD_KEY, which is not in the database.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import os

from django.db import connection, transaction

from coupons import fairness
from coupons.errors import ROUND_DEALT, SEED_BROKEN, SHARE_LATE, SHARE_WRONG
from coupons.models import Round, SeedShare
from huigou import clock
from huigou.fields import seal, unseal
from huigou.models import Department, Staff

COMMIT_AHEAD = dt.timedelta(days=1)
CUSTODIANS = (Department.INDUSTRY, Department.DISCIPLINE, Department.AUDIT)
PURPOSE = "seed-share"
SHARE_BYTES = 32
REHEARSAL_DATABASE = "huigou_rehearse"  # how the name of a rehearsal's own database begins


_rehearsed_from: bytes | None = None


def rehearse_from(secret: bytes | None) -> None:
    """Let system shares follow from a rehearsal's seed; None ends it. Refused outside of a rehearsal's database."""
    global _rehearsed_from
    if secret is not None:
        _refuse_outside_a_rehearsal()
    _rehearsed_from = secret


def _refuse_outside_a_rehearsal() -> None:
    if not str(connection.settings_dict["NAME"]).startswith(REHEARSAL_DATABASE):
        raise PermissionError("a share is given by hand in a rehearsal's own database only")


def make_system_share(round_: Round, now: dt.datetime, share: bytes | None = None) -> SeedShare:
    """Create and commit the platform's own share: 256 random bits from the operating system.

    A given share, or one from a rehearsal's seed, is refused outside of a rehearsal's own database.
    """
    if share is not None or _rehearsed_from is not None:
        _refuse_outside_a_rehearsal()
        share = share or hashlib.sha256(b"%s/%d" % (_rehearsed_from or b"", round_.number)).digest()
    share = share or os.urandom(SHARE_BYTES)
    return SeedShare.objects.create(
        round=round_,
        custodian=fairness.SYSTEM,
        commitment=fairness.share_commitment(round_.campaign.code, round_.number, fairness.SYSTEM, share),
        committed_at=now,
        sealed=seal(share, PURPOSE),
        handed_at=now,
    )


def custodian_name(custodian: str) -> str:
    """Return a holder of a share as people call it."""
    return "平台" if custodian == fairness.SYSTEM else str(Department(custodian).label)


def commit(round_: Round, staff: Staff, commitment: bytes) -> SeedShare:
    """Record a custodian's commitment, 32 bytes; raises SHARE_LATE within a day of the opening, SHARE_WRONG.

    A postponement does not open the door again: which shares go in was frozen with the first date.
    """
    if staff.department not in CUSTODIANS or len(commitment) != 32:
        raise SHARE_WRONG()
    with transaction.atomic():
        # A postponement takes the same row: it waits for us, or we read what it wrote, and the clock after it.
        held = Round.objects.select_for_update(of=("self",)).get(pk=round_.pk)
        now = clock.now()
        if now > held.opens_at - COMMIT_AHEAD or held.postponed_notice:
            raise SHARE_LATE()
        return SeedShare.objects.create(
            round=held, custodian=staff.department, commitment=commitment, committed_at=now, committed_by=staff
        )


def hand_over(round_: Round, staff: Staff, share: bytes) -> None:
    """Take a custodian's share, check it against the commitment, and seal it."""
    with transaction.atomic():
        held = SeedShare.objects.select_for_update().get(round=round_, custodian=staff.department)
        if round_.dealt_at is not None:
            raise ROUND_DEALT(number=round_.number)
        try:
            given = fairness.share_commitment(round_.campaign.code, round_.number, held.custodian, share)
        except ValueError as wrong:
            raise SHARE_WRONG() from wrong
        if given != bytes(held.commitment) or held.sealed is not None:
            raise SHARE_WRONG()
        held.sealed, held.handed_at = seal(share, PURPOSE), clock.now()
        held.save(update_fields=["sealed", "handed_at"])


def entropy(round_: Round) -> fairness.Entropy | None:
    """Return the round's public entropy, None when no source was named."""
    return fairness.Entropy(round_.entropy_source, round_.entropy_value) if round_.entropy_source else None


def open_shares(round_: Round) -> dict[str, bytes]:
    """Return {custodian: share} in clear. For the draw itself and for the reveal; never for a page before it."""
    return {share.custodian: unseal(bytes(share.sealed), PURPOSE) for share in round_.shares.all() if share.sealed}


def committed_shares(round_: Round) -> dict[str, bytes]:
    """Return {custodian: share} of a round whose shares are all there and are those committed; raises SEED_BROKEN.

    Nobody draws from a seed that the reveal could not prove: a share exchanged behind our back stops the round.
    """
    opened = {}
    for share in round_.shares.all():
        try:
            opened[share.custodian] = value = unseal(bytes(share.sealed or b""), PURPOSE)
            said = fairness.share_commitment(round_.campaign.code, round_.number, share.custodian, value)
        except ValueError as wrong:
            raise SEED_BROKEN(who=custodian_name(share.custodian)) from wrong
        if said != bytes(share.commitment):
            raise SEED_BROKEN(who=custodian_name(share.custodian))
    return opened


@functools.lru_cache(maxsize=16)
def _round_seed(round_id: int) -> bytes:
    round_ = Round.objects.select_related("campaign").prefetch_related("shares").get(pk=round_id)
    return fairness.round_seed(round_.campaign.code, round_.number, committed_shares(round_), entropy(round_))


def deck_seed(round_id: int, category_code: str) -> bytes:
    """Return a dealt deck's seed. Kept in memory by process: shares and entropy are frozen once dealt."""
    return fairness.deck_seed(_round_seed(round_id), category_code)


def forget() -> None:
    """Drop seeds kept in memory: for tests, whose rounds reuse numbers."""
    _round_seed.cache_clear()
