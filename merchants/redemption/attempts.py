"""What every verb at the counter does first and last: lock in one order, and keep the attempt whatever came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.db import transaction

from coupons.lifecycle import freezing
from coupons.models import Consumer, Coupon, Person
from huigou import clock
from huigou.errors import Refusal
from merchants import errors
from merchants.models import Attempt, Clerk, Redemption

State = Redemption.State


def logged(verb: str, clerk: Clerk, coupon_id: int | None, deed: Callable[[], Redemption]) -> Redemption:
    """Run a deed in its own transaction and keep the attempt, whatever came of it."""
    try:
        with transaction.atomic():
            done = deed()
    except Refusal as refused:
        _keep(verb, clerk, coupon_id, refused.code)
        raise
    _keep(verb, clerk, coupon_id, "ok")
    return done


def _keep(verb: str, clerk: Clerk, coupon_id: int | None, outcome: str) -> None:
    known = coupon_id if coupon_id and Coupon.objects.filter(pk=coupon_id).exists() else None
    Attempt.objects.create(verb=verb, clerk=clerk, coupon_id=known, outcome=outcome, at=clock.now())


def lock_person(person_id: int) -> None:
    """Let a person's scans and entries queue: the person's, since who binds anew holds coupons under two bindings."""
    Person.objects.select_for_update(no_key=True).only("pk").get(pk=person_id)


def locked(redemption_id: int) -> Redemption:
    """Return a redemption under the locks of its person, its coupon and itself; raises NO_REDEMPTION."""
    row = Redemption.objects.filter(pk=redemption_id).values("coupon_id", "consumer__person_id").first()
    if row is None:
        raise errors.NO_REDEMPTION()
    lock_person(row["consumer__person_id"])
    coupon = Coupon.objects.select_for_update(no_key=True).get(pk=row["coupon_id"])
    redemption = Redemption.objects.select_for_update(no_key=True).get(pk=redemption_id)
    redemption.coupon = coupon
    return redemption


def is_open(redemption: Redemption, campaign_id: int, now: dt.datetime) -> bool:
    """Say whether an entry is still taken: within its window, which a standing freeze makes longer by its length."""
    return now < redemption.entry_until or freezing.keeps_open(campaign_id, redemption.entry_until)


def receipts_since(holder: Consumer, outlet_id: int, since: dt.datetime) -> list[str]:
    """Return the receipt numbers of what a person spent at an outlet since then, '' where none was given."""
    spent = Redemption.objects.filter(outlet_id=outlet_id, state__in=[State.USED, State.FORFEITED])
    return list(spent.of_person(holder).filter(scanned_at__gt=since).values_list("receipt_no", flat=True))
