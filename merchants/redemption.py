"""The only door by which a coupon is spent: scan, complete, recall, reverse, forfeit.

Every verb locks in the same order (consumer, coupon, redemption), reads the clock in the next statement, and writes
redemption, coupon, transfer and event in one transaction. Every attempt is logged, refused ones too, outside of it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from coupons import assisting, codes, lifecycle
from coupons.errors import NOT_RECALLABLE
from coupons.ledger import SYSTEM, Actor, constraint_of
from coupons.lifecycle import freezing
from coupons.models import Category, ChangeRequest, Consumer, Coupon
from coupons.models.books import ActorKind
from huigou import clock
from huigou.errors import Refusal
from huigou.masking import redacted
from huigou.money import MAX_AMOUNT_FEN, short_yuan, yuan
from merchants import errors
from merchants.models import Attempt, Clerk, Merchant, Redemption

State = Redemption.State
SHORT_TRIES = 5  # wrong short codes, or wrong digits of paper coupons, that a clerk may type
SHORT_WINDOW = dt.timedelta(minutes=10)
NOTE_LENGTH = 200
RECEIPT_LENGTH = 50


@dataclass(frozen=True)
class ScanOptions:
    """What a clerk adds to a scan: that it is another purchase with another receipt, the paper coupon's digits."""

    another_purchase: bool = False
    receipt_no: str = ""
    paper_last4: str = ""
    request_key: uuid.UUID | None = None


@dataclass(frozen=True)
class Entry:
    """What a clerk enters. ``amount_fen`` is the bill after the shop's own discounts and before the coupon."""

    amount_fen: int
    kind: str
    note: str = ""
    receipt_no: str = ""
    payment: str = ""
    request_key: uuid.UUID | None = None


def _logged(verb: str, clerk: Clerk, coupon_id: int | None, deed: Callable[[], Redemption]) -> Redemption:
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


# ---- reading what is presented


def coupon_from_token(token: str) -> codes.Presented:
    """Return what a QR's token presents; raises CODE_STALE for an old, forged or foreign one."""
    presented = codes.read_token(token, clock.now())
    if presented is None:
        raise errors.CODE_STALE()
    if presented.is_paper and presented.serial != assisting.newest_print(presented.coupon_id):
        raise errors.PAPER_REPLACED()
    return presented


def token_from_short(clerk: Clerk, code: str) -> codes.Presented:
    """Return what eight typed digits present; five wrong ones per clerk in ten minutes, kept in the database."""
    now = clock.now()
    with transaction.atomic():
        # One clerk's guesses queue here, so that parallel ones cannot pass the count together.
        Clerk.objects.select_for_update().get(pk=clerk.pk)
        wrong = Attempt.objects.filter(
            clerk=clerk, verb="short", outcome=errors.CODE_STALE.code, at__gt=now - SHORT_WINDOW
        ).count()
        if wrong >= SHORT_TRIES:
            raise errors.SHORT_CODE_TRIES()
        live = Coupon.objects.filter(pk__in=codes.read_short(code, now)).values_list("pk", flat=True).first()
        if live is None:
            Attempt.objects.create(verb="short", clerk=clerk, outcome=errors.CODE_STALE.code, at=now)
    if live is None:
        raise errors.CODE_STALE()
    return codes.Presented(live, is_paper=False)


# ---- scan


def scan(clerk: Clerk, presented: codes.Presented, options: ScanOptions | None = None) -> Redemption:
    """Lock a coupon to the clerk's outlet: that instant is the scan, and it decides validity.

    A repeated request (same key, or the same clerk's outlet while it is pending) gets the same redemption. Refusals
    come in the order of ``_refuse_scan``.
    """
    options = options or ScanOptions()
    if presented.is_paper:
        return _scan_paper(clerk, presented, options)
    return _logged("scan", clerk, presented.coupon_id, lambda: _scan(clerk, presented, options))


def _scan_paper(clerk: Clerk, presented: codes.Presented, options: ScanOptions) -> Redemption:
    refused: Refusal | None = None
    with transaction.atomic():
        # One clerk's guesses at a holder's digits queue here: each is written down before the next one is counted.
        Clerk.objects.select_for_update(no_key=True).get(pk=clerk.pk)
        try:
            return _logged("scan", clerk, presented.coupon_id, lambda: _scan(clerk, presented, options))
        except Refusal as refusal:
            refused = refusal  # leaves the transaction whole, with the attempt in it
    raise refused


def _scan(clerk: Clerk, presented: codes.Presented, options: ScanOptions) -> Redemption:
    consumer_id = Coupon.objects.filter(pk=presented.coupon_id).values_list("holder_id", flat=True).first()
    if consumer_id is None:
        raise errors.CODE_STALE()
    holder = Consumer.objects.select_for_update(no_key=True).get(pk=consumer_id)
    coupon = Coupon.objects.select_for_update(no_key=True).select_related(None).get(pk=presented.coupon_id)
    now = clock.now()  # after the lock, in a statement of its own
    current = coupon.redemptions.filter(state=State.PENDING).first()
    if current and current.outlet_id == clerk.outlet_id and _is_open(current, coupon.round.campaign_id, now):
        return current
    merchant = clerk.outlet.merchant
    _refuse_scan(coupon, holder, clerk, presented, options, now)
    second = _second_coupon(holder, clerk, coupon, options, now)
    try:
        with transaction.atomic():
            redemption = Redemption.objects.create(
                coupon=coupon,
                consumer=holder,
                merchant=merchant,
                outlet_id=clerk.outlet_id,
                clerk=clerk,
                category_id=coupon.batch.category_id,
                face_fen=coupon.face_fen,
                threshold_fen=coupon.threshold_fen,
                scanned_at=now,
                entry_until=coupon.round.entry_until,
                receipt_no=options.receipt_no.strip()[:RECEIPT_LENGTH],
                is_second=second,
                scan_key=options.request_key,
            )
    except IntegrityError as lost:
        if constraint_of(lost) == "redemption_one_pending":
            raise errors.ONE_AT_A_TIME(where="另一家店") from lost
        raise
    actor = Actor(ActorKind.CLERK, clerk.pk)
    lifecycle.scan(coupon, campaign_id=coupon.round.campaign_id, redemption_id=redemption.pk, actor=actor, at=now)
    return redemption


def _refuse_scan(
    coupon: Coupon,
    holder: Consumer,
    clerk: Clerk,
    presented: codes.Presented,
    options: ScanOptions,
    now: dt.datetime,
) -> None:
    merchant, category = clerk.outlet.merchant, coupon.batch.category
    if clerk.unbound_at is not None or not Clerk.objects.bound().filter(pk=clerk.pk).exists():
        raise errors.CLERK_NOT_BOUND()
    if merchant.state != Merchant.State.ACTIVE or not clerk.outlet.is_active:
        state = merchant.get_state_display() if merchant.state != Merchant.State.ACTIVE else "未营业"
        raise errors.MERCHANT_NOT_ACTIVE(state=state)
    if not merchant.categories.filter(pk=category.pk).exists():
        raise errors.WRONG_MERCHANT(category=category.name)
    if coupon.state in (Coupon.State.USED, Coupon.State.FORFEITED):
        raise _used(coupon)
    if coupon.state == Coupon.State.EXPIRED or (coupon.state == Coupon.State.HELD and now >= coupon.expires_at):
        raise errors.COUPON_EXPIRED(when=clock.spoken(coupon.expires_at, end=True))
    if coupon.state == Coupon.State.PENDING:
        elsewhere = coupon.redemptions.filter(state=State.PENDING).select_related("outlet").first()
        raise errors.COUPON_PENDING_ELSEWHERE(where=elsewhere.outlet.name if elsewhere else "另一家店")
    if holder.person_id == clerk.person_id:
        raise errors.OWN_COUPON()
    if presented.is_paper:
        _refuse_stranger(coupon, holder, clerk, options.paper_last4.strip(), now)
    freezing.refuse_if_frozen(coupon.round.campaign_id, "扫码核销")
    if category.paused_at is not None or coupon.round.paused_at is not None:
        raise errors.SCANS_PAUSED(notice=category.pause_notice or coupon.round.pause_notice)
    pending = Redemption.objects.pending().filter(consumer=holder).select_related("outlet").first()
    if pending is not None:
        raise errors.ONE_AT_A_TIME(where=pending.outlet.name)


def _refuse_stranger(coupon: Coupon, holder: Consumer, clerk: Clerk, digits: str, now: dt.datetime) -> None:
    """Refuse a paper coupon whose holder is not proven; five wrong tries per clerk in ten minutes."""
    tries = Attempt.objects.filter(clerk=clerk, outcome=errors.PAPER_DIGITS.code, at__gt=now - SHORT_WINDOW)
    if tries.count() >= SHORT_TRIES:
        raise errors.PAPER_TRIES()
    if not assisting.proves_holder(coupon, holder.person.phone_last4, digits, now):
        raise errors.PAPER_DIGITS()


def _used(coupon: Coupon) -> Refusal:
    last = coupon.redemptions.exclude(state__in=[State.RECALLED]).select_related("outlet").order_by("-pk").first()
    when = clock.spoken(last.completed_at or last.scanned_at) if last else ""
    return errors.COUPON_USED(when=when, where=last.outlet.name if last else "其他商家")


def _second_coupon(holder: Consumer, clerk: Clerk, coupon: Coupon, options: ScanOptions, now: dt.datetime) -> bool:
    """Say whether this is a second coupon at the same outlet soon after (每笔交易仅限一张); refuse it unconfirmed."""
    minutes = coupon.round.campaign.second_coupon_minutes
    recent = (
        Redemption.objects.filter(
            consumer=holder,
            outlet_id=clerk.outlet_id,
            state__in=[State.USED, State.FORFEITED],
            scanned_at__gt=now - dt.timedelta(minutes=minutes),
        )
        .order_by("-scanned_at")
        .first()
    )
    if recent is None:
        return False
    receipt = options.receipt_no.strip()
    if not options.another_purchase or not receipt:
        raise errors.SECOND_COUPON(minutes=minutes)
    if receipt == recent.receipt_no:
        raise errors.SAME_RECEIPT()
    return True


# ---- complete


def complete(clerk: Clerk, redemption_id: int, entry: Entry) -> Redemption:
    """Enter amount and kind: the coupon is used and the county owes the shop its face.

    A repeated request with the same key or the same content gets the same answer; nothing is booked twice.
    """
    coupon_id = Redemption.objects.filter(pk=redemption_id).values_list("coupon_id", flat=True).first()
    return _logged("complete", clerk, coupon_id, lambda: _complete(clerk, redemption_id, entry))


def _locked(redemption_id: int) -> Redemption:
    row = Redemption.objects.filter(pk=redemption_id).values("coupon_id", "consumer_id").first()
    if row is None:
        raise errors.NO_REDEMPTION()
    Consumer.objects.select_for_update(no_key=True).get(pk=row["consumer_id"])
    coupon = Coupon.objects.select_for_update(no_key=True).get(pk=row["coupon_id"])
    redemption = Redemption.objects.select_for_update(no_key=True).get(pk=redemption_id)
    redemption.coupon = coupon
    return redemption


def _is_open(redemption: Redemption, campaign_id: int, now: dt.datetime) -> bool:
    """Say whether an entry is still taken: within its window, which a standing freeze makes longer by its length."""
    return now < redemption.entry_until or freezing.keeps_open(campaign_id, redemption.entry_until)


def _complete(clerk: Clerk, redemption_id: int, entry: Entry) -> Redemption:
    redemption = _locked(redemption_id)
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
    if not _is_open(redemption, redemption.coupon.round.campaign_id, now):
        raise errors.ENTRY_LATE(until=clock.spoken(redemption.entry_until, end=True))
    kind = check_entry(redemption, redemption.category, entry)
    redemption.amount_fen = entry.amount_fen
    redemption.kind = kind
    redemption.note = redacted(entry.note.strip())  # a customer's number noted here would go into every export
    redemption.receipt_no = entry.receipt_no.strip() or redemption.receipt_no
    redemption.payment = entry.payment
    redemption.entry_key = entry.request_key
    redemption.state = State.USED
    redemption.completed_at = redemption.ended_at = now
    redemption.save()
    lifecycle.complete(
        redemption.coupon,
        campaign_id=redemption.coupon.round.campaign_id,
        merchant_id=redemption.merchant_id,
        redemption_id=redemption.pk,
        actor=Actor(ActorKind.CLERK, clerk.pk),
        at=now,
    )
    return redemption


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


# ---- recall, reverse, forfeit


def recall(redemption_id: int, actor: Actor, reason: str, *, clerk: Clerk | None = None) -> Redemption:
    """Send a scanned, uncompleted coupon back to its holder (撤回), or to the pool once its round is over.

    A clerk may recall at the own outlet; the bureau anywhere, with a reason.
    """
    with transaction.atomic():
        redemption = _locked(redemption_id)
        now = clock.now()
        if clerk is not None and redemption.outlet_id != clerk.outlet_id:
            raise errors.NO_REDEMPTION()
        if redemption.state != State.PENDING:
            raise NOT_RECALLABLE()
        redemption.state, redemption.ended_at = State.RECALLED, now
        redemption.save(update_fields=["state", "ended_at"])
        lifecycle.recall(
            redemption.coupon,
            campaign_id=redemption.coupon.round.campaign_id,
            redemption_id=redemption.pk,
            actor=actor,
            at=now,
            note=reason,
        )
    return redemption


def reverse(redemption_id: int, change: ChangeRequest, *, full_refund: bool) -> Redemption | None:
    """Undo a finished redemption after an approved request.

    A full refund before the coupon's expiry gives it back with the same expiry, after it the value goes to the pool; a
    partial refund gives nothing back. History stays.
    """
    if not full_refund:
        return None
    with transaction.atomic():
        redemption = _locked(redemption_id)
        now = clock.now()
        if redemption.state != State.USED:
            raise errors.NOT_REVERSIBLE()
        redemption.state, redemption.ended_at = State.REVERSED, now
        redemption.save(update_fields=["state", "ended_at"])
        lifecycle.reverse(
            redemption.coupon,
            campaign_id=redemption.coupon.round.campaign_id,
            merchant_id=redemption.merchant_id,
            redemption_id=redemption.pk,
            actor=Actor(ActorKind.STAFF, change.checker_id),
            at=now,
            change=change,
            note=change.reason,
        )
    return redemption


def forfeit_overdue(limit: int = 1_000) -> int:
    """Book scanned coupons whose entry window has passed as forfeited by the shop; return how many. Idempotent."""
    done = 0
    for redemption_id in list(
        Redemption.objects.overdue(clock.now()).order_by("pk").values_list("pk", flat=True)[:limit]
    ):
        with transaction.atomic():
            redemption = _locked(redemption_id)
            now = clock.now()
            campaign_id = redemption.coupon.round.campaign_id
            if redemption.state != State.PENDING or now < redemption.entry_until or freezing.is_frozen(campaign_id):
                continue
            redemption.state, redemption.ended_at = State.FORFEITED, now
            redemption.save(update_fields=["state", "ended_at"])
            lifecycle.forfeit(
                redemption.coupon, campaign_id=campaign_id, redemption_id=redemption.pk, actor=SYSTEM, at=now
            )
            done += 1
    return done


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
