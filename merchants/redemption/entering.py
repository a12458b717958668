"""Complete: amount and kind are entered, the coupon is used, and the county owes the shop its face."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from coupons import lifecycle
from coupons.ledger import Actor
from coupons.models import Category
from coupons.models.books import ActorKind
from huigou import clock
from huigou.masking import redacted
from huigou.money import MAX_AMOUNT_FEN, short_yuan, yuan
from huigou.rules import constraint_of
from merchants import errors
from merchants.models import Clerk, Redemption
from merchants.redemption.attempts import is_open, locked, logged, receipts_since
from merchants.redemption.scanning import RECEIPT_LENGTH

State = Redemption.State
NOTE_LENGTH = 200


@dataclass(frozen=True)
class Entry:
    """What a clerk enters. ``amount_fen`` is the bill after the shop's own discounts and before the coupon."""

    amount_fen: int
    kind: str
    note: str = ""
    receipt_no: str = ""
    payment: str = ""
    request_key: uuid.UUID | None = None


def complete(clerk: Clerk, redemption_id: int, entry: Entry) -> Redemption:
    """Enter amount and kind: the coupon is used and the county owes the shop its face.

    A repeated request with the same key or the same content gets the same answer; nothing is booked twice.
    """
    coupon_id = Redemption.objects.filter(pk=redemption_id).values_list("coupon_id", flat=True).first()
    return logged("complete", clerk, coupon_id, lambda: _complete(clerk, redemption_id, entry))


def _complete(clerk: Clerk, redemption_id: int, entry: Entry) -> Redemption:
    redemption = locked(redemption_id)
    now = clock.now()
    if redemption.outlet_id != clerk.outlet_id or not Clerk.objects.bound().filter(pk=clerk.pk).exists():
        raise errors.NO_REDEMPTION()
    if redemption.state == State.USED:
        same = (redemption.amount_fen, redemption.kind) == (entry.amount_fen, entry.kind.strip())
        if same or (entry.request_key is not None and redemption.entry_key == entry.request_key):
            return redemption
        raise errors.ALREADY_ENTERED()
    if redemption.state != State.PENDING:
        raise errors.NO_REDEMPTION()
    if not is_open(redemption, redemption.coupon.round.campaign_id, now):
        raise errors.ENTRY_LATE(until=clock.spoken(redemption.entry_until, end=True))
    kind = check_entry(redemption, redemption.category, entry)
    receipt = entry.receipt_no.strip() or redemption.receipt_no
    if redemption.is_second and receipt in receipts_since(redemption.consumer, clerk.outlet_id, _since(redemption)):
        raise errors.SAME_RECEIPT()
    redemption.amount_fen = entry.amount_fen
    redemption.kind = kind
    redemption.note = redacted(entry.note.strip())  # a customer's number noted here would go into every export
    redemption.receipt_no = receipt
    redemption.payment = entry.payment
    redemption.entry_key = entry.request_key
    redemption.state = State.USED
    redemption.completed_at = redemption.ended_at = now
    _keep(redemption)
    lifecycle.complete(
        redemption.coupon,
        campaign_id=redemption.coupon.round.campaign_id,
        merchant_id=redemption.merchant_id,
        redemption_id=redemption.pk,
        actor=Actor(ActorKind.CLERK, clerk.pk),
        at=now,
    )
    return redemption


def _keep(redemption: Redemption) -> None:
    """Write an entry; what the database refuses is said as ``check_entry`` would have said it."""
    try:
        with transaction.atomic():
            redemption.save()
    except IntegrityError as lost:
        reason = errors.ENTRY_REFUSED_BY.get(constraint_of(lost))
        if reason is None:
            raise
        raise reason(
            threshold=short_yuan(redemption.threshold_fen),
            missing=yuan(redemption.threshold_fen - (redemption.amount_fen or 0)),
            label=redemption.category.kind_label,
        ) from lost


def _since(redemption: Redemption) -> dt.datetime:
    minutes = redemption.coupon.round.campaign.second_coupon_minutes
    return redemption.scanned_at - dt.timedelta(minutes=minutes)


def check_entry(redemption: Redemption, category: Category, entry: Entry) -> str:
    """Return the kind of consumption as it is kept, or raise what is wrong with the entry."""
    if not 0 < entry.amount_fen <= MAX_AMOUNT_FEN:
        raise errors.AMOUNT_BAD()
    if entry.amount_fen < redemption.threshold_fen:
        raise errors.UNDER_THRESHOLD(
            threshold=short_yuan(redemption.threshold_fen), missing=yuan(redemption.threshold_fen - entry.amount_fen)
        )
    kind = _checked_kind(category, entry.kind.strip())
    if category.cashless and entry.payment not in Redemption.Payment.values[1:]:
        raise errors.PAYMENT_NEEDED()
    if entry.payment not in Redemption.Payment.values:
        raise errors.PAYMENT_NEEDED()
    for what, text, limit in (("备注", entry.note, NOTE_LENGTH), ("小票号", entry.receipt_no, RECEIPT_LENGTH)):
        if len(text.strip()) > limit:
            raise errors.TEXT_TOO_LONG(what=what, limit=limit)
    return kind


def _checked_kind(category: Category, kind: str) -> str:
    label = category.kind_label
    if not kind:
        raise errors.KIND_NEEDED(label=label)
    if category.kind_type == Category.KindType.NUMBER:
        if not (kind.isascii() and kind.isdigit() and 1 <= int(kind) <= 9999):
            raise errors.KIND_BAD(label=label)
        return str(int(kind))
    if category.kind_type == Category.KindType.CHOICE and kind not in category.kind_choices:
        raise errors.KIND_BAD(label=label)
    if len(kind) > 50:
        raise errors.TEXT_TOO_LONG(what=label, limit=50)
    return kind


def as_seen_by_clerk(redemption: Redemption) -> dict[str, Any]:
    """Return what the entry page needs of a redemption: amounts in fen, times aware."""
    category = redemption.category
    return {
        "id": redemption.pk,
        "state": redemption.state,
        "category": category.name,
        "face_fen": redemption.face_fen,
        "threshold_fen": redemption.threshold_fen,
        "kind_label": category.kind_label,
        "kind_type": category.kind_type,
        "kind_choices": category.kind_choices,
        "kind_unit": category.kind_unit,
        "cashless": category.cashless,
        "entry_until": redemption.entry_until,
    }
