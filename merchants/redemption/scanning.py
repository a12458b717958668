"""Scan: read what is presented, and lock the coupon to the clerk's outlet. That instant decides validity."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from coupons import assisting, codes, lifecycle
from coupons.ledger import Actor
from coupons.lifecycle import freezing
from coupons.models import Consumer, Coupon
from coupons.models.books import ActorKind
from huigou import clock
from huigou.errors import Refusal
from huigou.rules import constraint_of
from merchants import errors
from merchants.models import Attempt, Clerk, Merchant, Redemption
from merchants.redemption.attempts import is_open, lock_person, logged, receipts_since

State = Redemption.State
SHORT_TRIES = 5  # wrong short codes a clerk may type
SHORT_WINDOW = dt.timedelta(minutes=10)
RECEIPT_LENGTH = 50


@dataclass(frozen=True)
class ScanOptions:
    """What a clerk adds to a scan: that it is another purchase with another receipt, the paper coupon's digits."""

    another_purchase: bool = False
    receipt_no: str = ""
    paper_last4: str = ""
    request_key: uuid.UUID | None = None


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
    come in the order of ``refuse_scan``.
    """
    options = options or ScanOptions()
    if presented.is_paper:
        return _scan_paper(clerk, presented, options)
    return logged("scan", clerk, presented.coupon_id, lambda: _scan(clerk, presented, options))


def _scan_paper(clerk: Clerk, presented: codes.Presented, options: ScanOptions) -> Redemption:
    refused: Refusal | None = None
    with transaction.atomic():
        # One clerk's guesses at a holder's digits queue here: each is written down before the next one is counted.
        Clerk.objects.select_for_update(no_key=True).get(pk=clerk.pk)
        try:
            return logged("scan", clerk, presented.coupon_id, lambda: _scan(clerk, presented, options))
        except Refusal as refusal:
            refused = refusal  # leaves the transaction whole, with the attempt in it
    raise refused


def _scan(clerk: Clerk, presented: codes.Presented, options: ScanOptions) -> Redemption:
    row = Coupon.objects.filter(pk=presented.coupon_id).values("holder_id", "holder__person_id").first()
    if row is None:
        raise errors.CODE_STALE()
    lock_person(row["holder__person_id"])
    holder = Consumer.objects.select_related("person").get(pk=row["holder_id"])
    coupon = Coupon.objects.select_for_update(no_key=True).select_related(None).get(pk=presented.coupon_id)
    now = clock.now()  # after the lock, in a statement of its own
    current = coupon.redemptions.filter(state=State.PENDING).first()
    if current and current.outlet_id == clerk.outlet_id and is_open(current, coupon.round.campaign_id, now):
        return current
    merchant = clerk.outlet.merchant
    refuse_scan(coupon, holder, clerk, presented, options, now)
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
        reason = errors.SCAN_REFUSED_BY.get(constraint_of(lost))
        if reason is None:
            raise
        raise reason(
            where="另一家店",
            when=clock.spoken(coupon.expires_at, end=True),
            category=coupon.batch.category.name,
            minutes=coupon.round.campaign.second_coupon_minutes,
        ) from lost
    actor = Actor(ActorKind.CLERK, clerk.pk)
    lifecycle.scan(coupon, campaign_id=coupon.round.campaign_id, redemption_id=redemption.pk, actor=actor, at=now)
    return redemption


def refuse_scan(
    coupon: Coupon,
    holder: Consumer,
    clerk: Clerk,
    presented: codes.Presented,
    options: ScanOptions,
    now: dt.datetime,
) -> None:
    """Raise the first reason why a coupon cannot be scanned here; the order is the rule, and tests pin it."""
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
    pending = Redemption.objects.pending().of_person(holder).select_related("outlet").first()
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
    recent = receipts_since(holder, clerk.outlet_id, now - dt.timedelta(minutes=minutes))
    if not recent:
        return False
    receipt = options.receipt_no.strip()
    if not options.another_purchase or not receipt:
        raise errors.SECOND_COUPON(minutes=minutes)
    if receipt in recent:
        raise errors.SAME_RECEIPT()
    return True
