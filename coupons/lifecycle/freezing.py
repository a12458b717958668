"""Whether money stands still: an unreleased freeze stops draws, scans, dealing, re-allocation and settlement."""

from __future__ import annotations

from coupons.errors import BOOKS_CLOSED
from coupons.models import Campaign, Freeze
from huigou.errors import FROZEN


def is_frozen(campaign_id: int) -> bool:
    """Say whether the campaign's books are red and not released."""
    return Freeze.objects.filter(campaign_id=campaign_id, released_at=None).exists()


def refuse_if_frozen(campaign_id: int, what: str) -> None:
    """Raise FROZEN naming what must wait, or BOOKS_CLOSED after the closing."""
    if Campaign.objects.filter(pk=campaign_id, closed_at__isnull=False).exists():
        raise BOOKS_CLOSED()
    if is_frozen(campaign_id):
        raise FROZEN(what=what)
