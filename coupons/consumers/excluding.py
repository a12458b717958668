"""排除名单: whose numbers may not draw, kept as keyed hashes alone."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from coupons.consumers.verifying import phone_key
from coupons.models import Exclusion
from huigou import clock
from huigou.masking import redacted


def exclude(phone: str, source: str, note: str = "") -> None:
    """Put a phone on the exclusion list, by its keyed hash."""
    try:
        with transaction.atomic():
            Exclusion.objects.create(
                phone_key=phone_key(phone), source=source, note=redacted(note), added_at=clock.now()
            )
    except IntegrityError:
        return  # it is there already


def readmit(exclusion_id: int) -> None:
    """Take a number off the exclusion list; the row stays, and who removed it stands in the trail."""
    Exclusion.objects.filter(pk=exclusion_id, removed_at=None).update(removed_at=clock.now())
