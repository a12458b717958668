"""Collect and freeze: every use counts or does not, for exactly one reason; built twice it is the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, Sum

from coupons.lifecycle import freezing
from coupons.models import Campaign, Coupon
from huigou import clock
from merchants.models import Redemption
from reports import errors, reconcile
from reports.models import Settlement, SettlementLine, SettlementUse
from reports.settlement.states import State, locked, refuse_unless

Verdict = SettlementUse.Verdict


def collect(campaign: Campaign) -> Settlement:
    """Build a campaign's settlement from its redemptions; again as often as wanted until it is frozen.

    Built twice from the same books it is the same, byte for byte (``as_bytes``).
    """
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        now = clock.now()
        settlement, _ = Settlement.objects.get_or_create(campaign=campaign, defaults={"built_at": now})
        refuse_unless(settlement, State.COLLECTED)
        SettlementUse.objects.filter(line__settlement=settlement).delete()
        settlement.lines.all().delete()
        _write_lines(settlement, uses_of(campaign))
        settlement.built_at = now
        settlement.sha256 = hashlib.sha256(as_bytes(settlement)).hexdigest()
        settlement.save(update_fields=["built_at", "sha256"])
    return settlement


def uses_of(campaign: Campaign) -> QuerySet[Redemption]:
    """Return every use of the campaign: entered, never entered, or reversed. A recalled scan is no use."""
    return Redemption.objects.filter(
        merchant__campaign=campaign,
        state__in=[Redemption.State.USED, Redemption.State.FORFEITED, Redemption.State.REVERSED],
    ).order_by("merchant__seq", "merchant_id", "pk")


def verdict_of(use: Redemption) -> Verdict:
    """Return what the books alone say of a use; the audit's opinion comes later."""
    if use.state == Redemption.State.FORFEITED:
        return Verdict.NO_ENTRY
    if use.state == Redemption.State.REVERSED:
        return Verdict.REVERSED
    if use.amount_fen is None or use.amount_fen < use.threshold_fen:
        return Verdict.UNDER
    return Verdict.COUNTS


def _write_lines(settlement: Settlement, uses: Iterable[Redemption]) -> None:
    by_merchant: dict[int, list[Redemption]] = defaultdict(list)
    for use in uses:
        by_merchant[use.merchant_id].append(use)
    for merchant_id, own in by_merchant.items():
        counted = [use for use in own if verdict_of(use) == Verdict.COUNTS]
        line = SettlementLine.objects.create(
            settlement=settlement,
            merchant_id=merchant_id,
            uses=len(own),
            counted=len(counted),
            counted_fen=sum(use.face_fen for use in counted),
            spend_fen=sum(use.amount_fen or 0 for use in counted),
        )
        SettlementUse.objects.bulk_create(
            SettlementUse(line=line, redemption=use, verdict=verdict_of(use), face_fen=use.face_fen) for use in own
        )


def as_bytes(settlement: Settlement) -> bytes:
    """Return the settlement's content as canonical JSON: what its SHA-256 is taken of."""
    lines = [
        {
            "merchant": line.merchant.name,
            "uses": line.uses,
            "counted": line.counted,
            "counted_fen": line.counted_fen,
            "spend_fen": line.spend_fen,
            "details": [
                list(row)
                for row in line.details.order_by("redemption").values_list("redemption", "verdict", "face_fen")
            ],
        }
        for line in settlement.lines.select_related("merchant").order_by("merchant__seq", "merchant_id")
    ]
    content = {"campaign": settlement.campaign.code, "lines": lines}
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def freeze(settlement: Settlement) -> Settlement:
    """Fix the content: from here on no use is reversed. The books are checked in full before; call it outside of any
    transaction. Raises FROZEN on red books, SETTLEMENT_OPEN while a coupon is out or a round unbooked.
    """
    reconcile.guard(settlement.campaign, "结算锁定")
    with transaction.atomic():
        settlement = locked(settlement.pk, State.COLLECTED)
        campaign = settlement.campaign
        freezing.refuse_if_frozen(campaign.pk, "结算")
        live = Coupon.objects.live().filter(round__campaign=campaign).count()
        if live or campaign.rounds.filter(booked_at=None).exists():
            raise errors.SETTLEMENT_OPEN(count=live)
        collect(campaign)
        settlement.refresh_from_db()
        settlement.state, settlement.frozen_at = State.FROZEN, clock.now()
        settlement.save(update_fields=["state", "frozen_at"])
    return settlement


def summary(settlement: Settlement) -> dict[str, Any]:
    """Return the settlement's figures in fen: for the command, the page and the report of a rehearsal."""
    verdicts: dict[str, dict[str, int]] = {v.value: {"uses": 0, "fen": 0} for v in Verdict}
    rows = SettlementUse.objects.filter(line__settlement=settlement).values_list("verdict", "face_fen")
    for verdict, fen in rows:
        verdicts[verdict]["uses"] += 1
        verdicts[verdict]["fen"] += fen
    sums = settlement.lines.aggregate(
        counted_fen=Sum("counted_fen"), paid_fen=Sum("paid_fen"), clawed_back_fen=Sum("clawed_back_fen")
    )
    return {
        "state": settlement.state,
        "shops": settlement.lines.count(),
        **{key: value or 0 for key, value in sums.items()},
        "verdicts": verdicts,
        "sha256": settlement.sha256,
    }
