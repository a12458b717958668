"""The ways out: correct, unbind, delete, and what is destroyed in the end (个人信息保护法 第 19、45 至 47 条)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import F

from coupons import errors
from coupons.consumers.names import checked_name
from coupons.models import Campaign, Consumer, Coupon, OutboxMessage, Person, SmsCode
from huigou import clock
from huigou.fields import keyed_hash, normal_name

CODES_KEPT = dt.timedelta(days=30)  # hashes of codes and addresses; the limits look back one day
SHRED_STEP = 500  # persons a transaction


def correct_name(consumer: Consumer, name: str) -> None:
    """Correct a person's own name; raises BAD_NAME."""
    plain = checked_name(name)
    person = consumer.person
    person.name, person.name_key = plain, keyed_hash("name", normal_name(plain))
    person.save(update_fields=["name", "name_key"])


def unbind(consumer: Consumer) -> None:
    """End a binding. Coupons stay the person's; the round's limits hold on, by the pseudonym in the draws."""
    Consumer.objects.filter(pk=consumer.pk, unbound_at=None).update(
        unbound_at=clock.now(), session_version=F("session_version") + 1, openid="", wechat_name=""
    )


def delete(consumer: Consumer) -> None:
    """Unbind and shred the person's data.

    Raises LIVE_COUPONS while a coupon is held or scanned, STILL_CLERK while the same person works at a shop, whose
    entries must stay somebody's.
    """
    with transaction.atomic():
        person = Person.objects.select_for_update().get(pk=consumer.person_id)
        # The other app's side of a person, as the pages look at a coupon's redemptions.
        if person.clerks.filter(unbound_at=None).exists():
            raise errors.STILL_CLERK()
        live = Coupon.objects.held_by(consumer).live().count()
        if live:
            raise errors.LIVE_COUPONS(count=live)
        unbind(consumer)
        shred(person)


def shred(person: Person) -> None:
    """Empty a person's data; the keyed hash of the phone stays, so that limits and exclusions hold."""
    person.name = person.phone = person.name_key = None
    person.phone_last4, person.shredded_at = "", clock.now()
    person.save()
    Consumer.objects.filter(person=person).update(openid="", wechat_name="", device_key=None)


def copy_of(consumer: Consumer) -> dict[str, Any]:
    """Return all that is kept about somebody, in plain words, for their own copy (第 45 条)."""
    person = consumer.person
    coupons = Coupon.objects.held_by(consumer).select_related("batch__category", "round").order_by("pk")
    return {
        "姓名": person.name,
        "手机号": person.phone,
        "微信名": consumer.wechat_name,
        "所在地核对": consumer.get_place_display(),
        "绑定时间": _said(consumer.bound_at),
        "同意时间": _said(consumer.consented_at),
        "同意书版本": consumer.consent_version,
        "微信提醒": [
            {"类别": each.get_kind_display(), "同意时间": _said(each.agreed_at)}
            for each in consumer.subscriptions.order_by("pk")
        ],
        "消费券": [
            {
                "轮次": each.round.number,
                "品类": each.batch.category.name,
                "面额（分）": each.face_fen,
                "状态": each.get_state_display(),
                "领取时间": _said(each.drawn_at),
            }
            for each in coupons
        ],
    }


def _said(moment: dt.datetime) -> str:
    return clock.local(moment).isoformat(timespec="seconds")


# ---- when the time is over


def retained_until(campaign: Campaign) -> dt.datetime | None:
    """Return until when a campaign needs the personal data in it; None while its books are open."""
    return campaign.closed_at and campaign.closed_at + dt.timedelta(days=campaign.retain_days)


def shred_due(limit: int = SHRED_STEP) -> int:
    """Shred whoever no campaign needs any more; return how many. Idempotent, in steps that each commit.

    Nobody is touched while a launched campaign is open or within its time. The books hold no personal value and prove
    as before; draws keep their pseudonyms. Hashes of old codes go too, and messages that were never sent.
    """
    now = clock.now()
    SmsCode.objects.filter(sent_at__lt=now - CODES_KEPT).delete()
    OutboxMessage.objects.filter(created_at__lt=now - CODES_KEPT).exclude(sealed_to=None, sealed_body=None).update(
        state=OutboxMessage.State.FAILED, sealed_to=None, sealed_body=None
    )
    times = [retained_until(campaign) for campaign in Campaign.objects.filter(launched_at__isnull=False)]
    if not times or any(until is None or now < until for until in times):
        return 0
    done = 0
    while step := _shred_step(limit):
        done += step
    return done


def _shred_step(limit: int) -> int:
    with transaction.atomic():
        due = Person.objects.select_for_update(skip_locked=True).filter(shredded_at=None).order_by("pk")[:limit]
        persons = list(due)
        for person in persons:
            for consumer in Consumer.objects.bound().filter(person=person):
                unbind(consumer)
            shred(person)
    return len(persons)
