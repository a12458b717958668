"""Whether somebody is in the county: asked once, and only the verdict is kept (方案 五（一）: 全体在乾人员)."""

from __future__ import annotations

import json

from django.db import transaction

from coupons import errors
from coupons.consumers.verifying import phone_key
from coupons.models import Campaign, Consumer, StationClerk
from huigou import clock, geo
from huigou.models import Staff

Place = Consumer.Place
PROVEN = (Place.INSIDE, Place.VOUCHED)  # what a declaration or a worse measurement later does not undo
DATUM_COLUMN = {geo.Datum.WGS84: "WGS-84", geo.Datum.GCJ02: "GCJ-02"}
ACCURACY_MOST_M = 1_000  # of a phone's stated error, how much is believed at the boundary


def set_place(
    consumer: Consumer, campaign: Campaign, *, longitude: float, latitude: float, datum: str, accuracy_m: float = 0
) -> str:
    """Check a position (degrees, WGS-84 or GCJ-02) against the county; only the verdict is kept.

    A phone that is ``accuracy_m`` off (its own word, 1 km at most believed) counts as inside that near the boundary.
    """
    inside = False
    if (boundary := boundary_of(campaign)) is not None:
        off_m = boundary.distance_m(longitude, latitude, geo.Datum(datum))
        inside = off_m <= min(max(accuracy_m, 0), ACCURACY_MOST_M)
    return _keep(consumer, Place.INSIDE if inside else Place.OUTSIDE)


def declare_place(consumer: Consumer) -> str:
    """Record that the person declares to be in the county without giving a position; flagged, never above a proof."""
    return _keep(consumer, Place.DECLARED)


def vouch_place(phone: str, staff: Staff) -> Consumer:
    """Record that a village station vouches for the person of a bound phone, who stands before its clerk.

    Raises NO_STATION for anybody who works at no open station, BAD_PHONE, and VOUCH_UNBOUND.
    """
    clerk = StationClerk.objects.filter(
        staff=staff, is_active=True, station__is_active=True, staff__is_active=True
    ).first()
    if clerk is None:
        raise errors.NO_STATION()
    with transaction.atomic():
        bound = Consumer.objects.bound().select_for_update(of=("self",)).filter(phone_key=phone_key(phone))
        consumer = bound.select_related("person").first()
        if consumer is None:
            raise errors.VOUCH_UNBOUND()
        consumer.place, consumer.place_at, consumer.vouched_by = Place.VOUCHED, clock.now(), clerk
        consumer.save(update_fields=["place", "place_at", "vouched_by"])
    return consumer


def _keep(consumer: Consumer, verdict: str) -> str:
    """Write a verdict unless a better one stands; return the one that stands. The row decides between two at once."""
    rows = Consumer.objects.filter(pk=consumer.pk)
    if verdict != Place.INSIDE:
        rows = rows.exclude(place__in=PROVEN)
    if rows.update(place=verdict, place_at=clock.now(), vouched_by=None):
        consumer.place = verdict
    else:
        consumer.refresh_from_db(fields=["place"])
    return consumer.place


# ---- what the county is, and how strictly it is asked


def set_boundary(campaign_id: int, geojson: str, datum: str = "") -> geo.Boundary:
    """Give a campaign its county's boundary, a GeoJSON text; ``datum`` overrides what the file says of itself.

    Raises BAD_BOUNDARY with the place of the fault, BOOKS_CLOSED.
    """
    boundary = geo.parse(geojson, datum or None)
    with transaction.atomic():
        campaign = _open(campaign_id)
        campaign.boundary = json.loads(geojson.removeprefix("\ufeff"))
        campaign.boundary_datum = DATUM_COLUMN[boundary.datum]
        campaign.save(update_fields=["boundary", "boundary_datum"])
    return boundary


def set_policy(campaign_id: int, policy: str) -> None:
    """Say how strictly the place is asked; raises ALREADY_LAUNCHED, since decks are dealt under the policy of then."""
    with transaction.atomic():
        campaign = _open(campaign_id)
        if campaign.launched_at is not None:
            raise errors.ALREADY_LAUNCHED()
        campaign.place_policy = policy
        campaign.save(update_fields=["place_policy"])


def boundary_of(campaign: Campaign) -> geo.Boundary | None:
    """Return a campaign's boundary in its datum, None when it has none."""
    return geo.parse(campaign.boundary, campaign.boundary_datum) if campaign.boundary else None


def is_coarse(campaign: Campaign) -> bool:
    """Say whether the boundary is only a sketch, in its own word: good for a demonstration, for nothing else."""
    properties = campaign.boundary.get("properties") if isinstance(campaign.boundary, dict) else None
    return isinstance(properties, dict) and bool(properties.get("coarse"))


def _open(campaign_id: int) -> Campaign:
    campaign = Campaign.objects.select_for_update().get(pk=campaign_id)
    if campaign.closed_at is not None:
        raise errors.BOOKS_CLOSED()
    return campaign
