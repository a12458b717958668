"""A consumer's complaint about a shop, taken in for 市监局."""

from __future__ import annotations

from django.db.models import QuerySet

from coupons.models import Consumer
from huigou import clock
from huigou.masking import redacted
from merchants import errors
from merchants.models import Complaint, Merchant, Redemption

TEXT_LENGTH = 500
A_DAY = 5  # complaints one person may send a day


def mine(consumer: Consumer) -> QuerySet[Complaint]:
    """Return a person's complaints, newest first."""
    rows = Complaint.objects.filter(consumer__person_id=consumer.person_id).select_related("merchant")
    return rows.order_by("-made_at")


def file(consumer: Consumer, merchant_id: int, text: str, coupon_id: int | None = None) -> Complaint:
    """Take in a complaint; a coupon of one's own names the redemption it is about.

    Raises COMPLAINT_EMPTY, NO_MERCHANT, TEXT_TOO_LONG, COMPLAINTS_MANY.
    """
    words = text.strip()
    if not words:
        raise errors.COMPLAINT_EMPTY()
    if len(words) > TEXT_LENGTH:
        raise errors.TEXT_TOO_LONG(what="内容", limit=TEXT_LENGTH)
    merchant = Merchant.objects.filter(pk=merchant_id).exclude(state=Merchant.State.APPLIED).first()
    if merchant is None:
        raise errors.NO_MERCHANT()
    now = clock.now()
    since = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if mine(consumer).filter(made_at__gte=since).count() >= A_DAY:
        raise errors.COMPLAINTS_MANY()
    uses = Redemption.objects.filter(consumer__person_id=consumer.person_id, merchant=merchant)
    about = uses.filter(coupon_id=coupon_id).order_by("-pk").first() if coupon_id else None
    kept = redacted(words)  # another's number in it would be read by everybody who handles the complaint
    return Complaint.objects.create(consumer=consumer, merchant=merchant, redemption=about, text=kept, made_at=now)
