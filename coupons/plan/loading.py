"""Load a read and linted plan: atomic, with every finding accepted by its code and a reason.

Totals are never stored; what the campaign holds is computed from its batches. The money itself comes by an approved
change (``fund``), and the campaign goes live by another (``launch``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from coupons import publishing, seeds
from coupons.errors import PLAN_EXISTS, PLAN_FATAL, PLAN_FINDINGS
from coupons.models import Batch, Campaign, Category, PlanFinding, Round
from coupons.plan.draft import PlanCategory, PlanDraft
from coupons.plan.linting import FATAL, Finding
from huigou import clock
from huigou.money import short_yuan


@dataclass(frozen=True)
class Loaded:
    """What came in, computed: how many coupons and how many fen."""

    campaign: Campaign
    coupons: int
    fen: int


def load(draft: PlanDraft, findings: Sequence[Finding], accepted: Mapping[str, str], *, accepted_by: str) -> Loaded:
    """Create the campaign of a plan; raises PLAN_FINDINGS for one not accepted, PLAN_EXISTS for a second loading.

    ``accepted`` is {finding code: reason}. Merchants are loaded by ``merchants.listing`` from the same draft.
    """
    if fatal := [f for f in findings if f.code in FATAL]:
        raise PLAN_FATAL(count=len(fatal), first=fatal[0].message)
    missing = sorted({f.code for f in findings if not accepted.get(f.code, "").strip()})
    if missing:
        raise PLAN_FINDINGS(count=len(missing), codes="、".join(missing))
    given = draft.settings
    with transaction.atomic():
        now = clock.now()
        if Campaign.objects.filter(county=given.county, name=given.name, edition=given.edition).exists():
            raise PLAN_EXISTS()
        campaign = _campaign(draft)
        categories = {c.code: _category(campaign, c, place, given.turns) for place, c in enumerate(draft.categories)}
        for batch in draft.batches:
            Batch.objects.create(
                category=categories[batch.category_code],
                face_fen=batch.face_fen,
                name=f"{short_yuan(batch.face_fen)}面额",
                planned=batch.count,
                created_at=now,
            )
        for row in draft.rounds:
            round_ = Round.objects.create(
                campaign=campaign,
                number=row.number,
                opens_at=row.opens_at,
                closes_at=row.closes_at,
                entry_until=row.closes_at + dt.timedelta(hours=given.entry_hours),
            )
            seeds.make_system_share(round_, now)
        PlanFinding.objects.bulk_create(
            PlanFinding(
                campaign=campaign,
                code=f.code,
                sheet=f.sheet,
                cell=f.cell,
                message=f.message,
                reason=accepted[f.code],
                accepted_by=accepted_by,
                accepted_at=now,
            )
            for f in findings
        )
    for made in campaign.rounds.select_related("campaign"):
        publishing.publish_commitments(made)
    return Loaded(campaign, draft.coupons, draft.fen)


def _campaign(draft: PlanDraft) -> Campaign:
    given = draft.settings
    return Campaign.objects.create(
        name=given.name,
        edition=given.edition,
        county=given.county,
        document=given.document,
        host=given.host,
        organiser=given.organiser,
        account_name=given.account_name,
        budget_fen=given.budget_fen,
        multiplier=given.multiplier,
        entry_hours=given.entry_hours,
        settle_after_days=given.settle_after_days,
        page_size=given.page_size,
        draw_mode=given.draw_mode,
        place_policy=given.place_policy,
        plan_version=version_of(draft),
    )


def _category(campaign: Campaign, row: PlanCategory, place: int, turns: int) -> Category:
    kind_type = (
        Category.KindType.CHOICE
        if row.kind_choices
        else Category.KindType.NUMBER
        if row.kind_unit
        else Category.KindType.TEXT
    )
    return Category.objects.create(
        campaign=campaign,
        code=row.code,
        name=row.name,
        aliases=list(row.aliases),
        kind_label=row.kind_label,
        kind_type=kind_type,
        kind_choices=list(row.kind_choices),
        kind_unit=row.kind_unit,
        cashless=row.cashless,
        turns=turns,
        blanks=row.blanks,
        position=place,
        is_active=row.is_active,
    )


def version_of(draft: PlanDraft) -> str:
    """Return the plan's version: a SHA-256 over what was read, to stand on exports."""
    return hashlib.sha256(repr(draft).encode()).hexdigest()
