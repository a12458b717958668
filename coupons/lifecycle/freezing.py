"""Whether money stands still: an unreleased freeze stops draws, scans, dealing, re-allocation and settlement."""

from __future__ import annotations

import datetime as dt

from coupons.errors import BOOKS_CLOSED
from coupons.models import Campaign, Freeze
from huigou.errors import FROZEN


def is_frozen(campaign_id: int) -> bool:
    """Say whether the campaign's books are red and not released."""
    return Freeze.objects.filter(campaign_id=campaign_id, released_at=None).exists()


def keeps_open(campaign_id: int, until: dt.datetime) -> bool:
    """Say whether a standing freeze holds a window open: it began before ``until`` and adds its length when released.

    An honest shop whose window would end during the freeze still enters: the release cannot come too late for it.
    """
    return Freeze.objects.filter(campaign_id=campaign_id, released_at=None, frozen_at__lt=until).exists()


def frozen_since(campaign_id: int) -> dt.datetime | None:
    """Return when the standing freeze began, None where money moves."""
    standing = Freeze.objects.filter(campaign_id=campaign_id, released_at=None)
    return standing.values_list("frozen_at", flat=True).first()


def extended(until: dt.datetime, since: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """Return a window's end as a release of the standing freeze at ``now`` would leave it; later ones end it later."""
    return until if since is None or since >= until else until + (now - since)


def refuse_if_frozen(campaign_id: int, what: str) -> None:
    """Raise FROZEN naming what must wait, or BOOKS_CLOSED after the closing."""
    if Campaign.objects.filter(pk=campaign_id, closed_at__isnull=False).exists():
        raise BOOKS_CLOSED()
    if is_frozen(campaign_id):
        raise FROZEN(what=what)
