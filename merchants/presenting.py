"""What is presented to a clerk: a photo's QR, a claim that a fresh code was shown, and what a scan would say."""

from __future__ import annotations

import datetime as dt
import re
from typing import BinaryIO

import zxingcpp
from django.core import signing
from PIL import Image, ImageOps, UnidentifiedImageError

from coupons.codes import Presented
from coupons.models import Coupon
from huigou import clock
from huigou.errors import Refusal
from merchants import errors, redemption
from merchants.models import Clerk, Redemption

TOKEN_IN_LINK = re.compile(r"/shop/c/([A-Za-z0-9_-]{20,80})(?:[/?#]|$)")
MOST_PIXELS = 40_000_000  # phones take 12 to 50 megapixels and shrink before sending; more is an attack
LONGEST_SIDE = 1600  # pixels: enough for a QR that fills a tenth of the picture, decoded in 12 ms
CLAIM_LIFE = dt.timedelta(minutes=5)
CLAIM_SALT = "huigou.claim"


def token_in(photo: BinaryIO) -> str:
    """Return the token in the coupon's QR on a photo; raises CODE_UNREADABLE when there is none."""
    try:
        file = Image.open(photo)
        if file.width * file.height > MOST_PIXELS:
            raise errors.CODE_UNREADABLE()
        file.draft("L", (LONGEST_SIDE, LONGEST_SIDE))
        image = ImageOps.exif_transpose(file).convert("L")
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as broken:
        raise errors.CODE_UNREADABLE() from broken
    for found in zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)):
        if match := TOKEN_IN_LINK.search(found.text):
            return match.group(1)
    raise errors.CODE_UNREADABLE()


def claim(clerk: Clerk, presented: Presented, now: dt.datetime) -> str:
    """Return a signed note that this clerk saw a fresh code of this coupon just now.

    A code lives 30 to 60 seconds; reading the page and asking for a second receipt number may take longer. What decides
    validity is still the scan's own instant.
    """
    note = [clerk.pk, presented.coupon_id, presented.is_paper, int(now.timestamp()), presented.serial]
    return signing.dumps(note, salt=CLAIM_SALT)


def from_claim(clerk: Clerk, text: str, now: dt.datetime) -> Presented | None:
    """Return what a note of ``claim`` presents, None when it is not ours, another clerk's, or over 5 minutes old."""
    try:
        clerk_id, coupon_id, is_paper, at, serial = signing.loads(text, salt=CLAIM_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    if clerk_id != clerk.pk or not 0 <= int(now.timestamp()) - at <= CLAIM_LIFE.total_seconds():
        return None
    return Presented(coupon_id, is_paper=is_paper, serial=serial)


def coupon_of(presented: Presented) -> Coupon:
    """Return the presented coupon with what a clerk is shown of it; raises CODE_STALE."""
    rows = Coupon.objects.select_related("batch__category", "holder__person", "round__campaign")
    coupon = rows.filter(pk=presented.coupon_id).first()
    if coupon is None:
        raise errors.CODE_STALE()
    return coupon


def pending_here(clerk: Clerk, coupon: Coupon) -> Redemption | None:
    """Return the coupon's open scan at this clerk's outlet."""
    return coupon.redemptions.filter(state=Redemption.State.PENDING, outlet_id=clerk.outlet_id).first()


def foresee(clerk: Clerk, presented: Presented, coupon: Coupon) -> Refusal | None:
    """Return what a scan would be refused with now, for the page that only shows; the scan itself asks again."""
    # The paper coupon's four digits are asked on the same page: their absence is no reason yet.
    options = redemption.ScanOptions(paper_last4=coupon.holder.person.phone_last4)
    try:
        redemption.refuse_scan(coupon, coupon.holder, clerk, presented, options, clock.now())
    except Refusal as refusal:
        return refusal
    return None
