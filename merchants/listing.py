"""Load the shops of a plan's annex 2 into a campaign."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from django.db import IntegrityError, transaction

from coupons import consumers
from coupons.errors import PLAN_EXISTS
from coupons.models import Campaign, Category, Exclusion, Person
from coupons.plan.draft import PlanDraft, PlanMerchant
from coupons.plan.linting import lint
from coupons.plan.loading import Loaded, load
from huigou import clock
from huigou.fields import normal_phone
from huigou.rules import constraint_of
from merchants.models import Merchant, Outlet


def load_plan(draft: PlanDraft, accepted: Mapping[str, str], *, accepted_by: str) -> Loaded:
    """Load a whole plan, campaign and shops, or nothing. ``accepted`` is {finding code: reason}.

    Raises PLAN_FINDINGS, PLAN_FATAL, PLAN_EXISTS.
    """
    try:
        with transaction.atomic():
            loaded = load(draft, lint(draft), accepted, accepted_by=accepted_by)
            load_merchants(loaded.campaign, draft.merchants)
    except IntegrityError as lost:
        if constraint_of(lost) == "campaign_once":  # somebody loaded it at the same time
            raise PLAN_EXISTS() from lost
        raise
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
            contact=_contact(row, now),
            seq=row.seq,
            is_collective=row.is_collective,
            stat_status=Merchant.StatStatus.FARM if "farm" in row.category_codes else Merchant.StatStatus.LISTED,
            state=Merchant.State.APPLIED if row.is_collective else Merchant.State.ACTIVE,
            joined_at=now,
        )
        merchant.categories.set([categories[code] for code in row.category_codes])
        open_first_outlet(merchant)
        count += 1
    return count


def open_first_outlet(merchant: Merchant) -> None:
    """Give a firm that has none its own place; a collective has none of its own, its stations are listed one by one."""
    if not merchant.is_collective and not merchant.outlets.exists():
        Outlet.objects.create(merchant=merchant, name=merchant.name, address=merchant.address, phone=merchant.phone)


def _contact(row: PlanMerchant, now: dt.datetime) -> Person | None:
    """Return the person whom a list with the column 联系人 names beside a mobile number; shops' own people do not draw.

    A name is personal data and stands in Person alone, which a verified or listed phone leads to; without one it is
    left where it was printed.
    """
    if not row.contact or not normal_phone(row.phone):
        return None
    consumers.exclude(row.phone, Exclusion.Source.MERCHANT, "企业名单联系人")
    return consumers.person_for(row.contact, row.phone, now)
