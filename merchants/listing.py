"""Load the shops of a plan's annex 2 into a campaign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction

from coupons.models import Campaign, Category
from coupons.plan.draft import PlanDraft, PlanMerchant
from coupons.plan.linting import lint
from coupons.plan.loading import Loaded, load
from huigou import clock
from merchants.models import Merchant, Outlet


def load_plan(draft: PlanDraft, accepted: Mapping[str, str], *, accepted_by: str) -> Loaded:
    """Load a whole plan, campaign and shops, or nothing. ``accepted`` is {finding code: reason}.

    Raises PLAN_FINDINGS, PLAN_FATAL, PLAN_EXISTS.
    """
    with transaction.atomic():
        loaded = load(draft, lint(draft), accepted, accepted_by=accepted_by)
        load_merchants(loaded.campaign, draft.merchants)
    return loaded


def load_merchants(campaign: Campaign, rows: Iterable[PlanMerchant]) -> int:
    """Create the firms of annex 2, each with its one place; return how many.

    A collective without an address is kept without a place: its stations must be listed before it can take part.
    """
    now = clock.now()
    categories = {c.code: c for c in Category.objects.filter(campaign=campaign)}
    count = 0
    for row in rows:
        merchant = Merchant.objects.create(
            campaign=campaign,
            name=row.name,
            address=row.address,
            phone=row.phone,
            seq=row.seq,
            is_collective=row.is_collective,
            stat_status=Merchant.StatStatus.FARM if "farm" in row.category_codes else Merchant.StatStatus.LISTED,
            state=Merchant.State.APPLIED if row.is_collective else Merchant.State.ACTIVE,
            joined_at=now,
        )
        merchant.categories.set([categories[code] for code in row.category_codes])
        if not row.is_collective:
            Outlet.objects.create(merchant=merchant, name=row.name, address=row.address, phone=row.phone)
        count += 1
    return count
