"""What people are told in WeChat: a coupon won, one that ends tomorrow. Found by sweeps, once each, sent by the outbox.

The draw itself writes no message: at 9:00 it has better things to do, and a minute later is soon enough.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from django.conf import settings
from django.db.models import CharField, Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat

from coupons import outbox
from coupons.models import Consumer, Coupon, OutboxMessage
from huigou import clock
from huigou.money import short_yuan

Kind = OutboxMessage.Kind
STALE = dt.timedelta(days=1)  # news older than this is none
WAKING_HOUR = 9  # nobody is woken for a coupon that ends tomorrow
MOST = 1_000  # messages a sweep; the next one goes on


def untold(rows: QuerySet, kind: str) -> QuerySet:
    """Return the rows about which no message of this kind was queued."""
    key = Concat(Value(f"{kind}:"), Cast("pk", CharField()))
    told = OutboxMessage.objects.filter(about_key=OuterRef("about"))
    return rows.annotate(about=key).filter(~Exists(told))


def listeners(person_ids: set[int]) -> dict[int, Consumer]:
    """Return who of these persons can be reached in WeChat, by person: coupons outlive an unbinding."""
    bound = Consumer.objects.bound().exclude(openid="").filter(person_id__in=person_ids)
    return {consumer.person_id: consumer for consumer in bound}


def reachable(rows: QuerySet, holder: str, kind: str) -> QuerySet:
    """Return the rows whose ``holder`` (a path to a consumer) has a binding with a WeChat account.

    A kind without a template of its own is sent to those alone who allowed one message of it here.
    """
    bound = Consumer.objects.bound().exclude(openid="").filter(person=OuterRef(f"{holder}__person"))
    if kind not in settings.WECHAT_TEMPLATES:
        bound = bound.filter(subscriptions__kind=kind, subscriptions__message=None)
    return rows.filter(Exists(bound)).annotate(listener=F(f"{holder}__person_id"))


def tell(rows: QuerySet, kind: str, holder: str, words: Callable[..., Mapping[str, str]], now: dt.datetime) -> int:
    """Queue one message for each row that nobody was told of; return how many."""
    if not outbox.can_tell(kind):
        return 0
    due = list(reachable(untold(rows, kind), holder, kind)[:MOST])
    consumers = listeners({row.listener for row in due})
    queued = [
        outbox.put_about(kind, consumers[row.listener], dict(words(row)), row.about, now)
        for row in due
        if row.listener in consumers
    ]
    return sum(message is not None for message in queued)


def queue() -> int:
    """Queue what is new about coupons; return how many messages. Idempotent, late or doubled."""
    now = clock.now()
    held = Coupon.objects.redeemable(now).select_related("batch__category", "round").order_by("pk")
    # The open round's live coupons stand in an index; nobody's history is looked through.
    held = held.filter(round__opens_at__lte=now, round__closes_at__gt=now)
    won = held.filter(drawn_at__gt=now - STALE)
    return tell(won, Kind.WON, "holder", coupon_words, now) + tell(
        held.filter(expires_at__lte=_told_until(now)), Kind.EXPIRING, "holder", coupon_words, now
    )


def coupon_words(coupon: Coupon) -> dict[str, str]:
    """Return what a message may say of a coupon, by the names that the templates' settings use."""
    last = clock.local(coupon.expires_at - dt.timedelta(minutes=1))
    return {
        "what": f"{coupon.batch.category.name}消费券 {short_yuan(coupon.face_fen)} 元",
        "until": f"{clock.spoken(coupon.expires_at, end=True)}到期",
        "until_time": said_time(last),
        "how": f"满 {short_yuan(coupon.threshold_fen)} 元可用",
    }


def said_time(moment: dt.datetime) -> str:
    """Return a moment as WeChat's ``time`` fields want it."""
    here = clock.local(moment)
    return f"{here.year}年{here.month}月{here.day}日 {here:%H:%M}"


def _told_until(now: dt.datetime) -> dt.datetime:
    """Return up to which end a coupon "ends tomorrow" at ``now``: tomorrow's 24:00, from nine in the morning on."""
    here = clock.local(now)
    days = 2 if here.hour >= WAKING_HOUR else 1
    return here.replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=days)
