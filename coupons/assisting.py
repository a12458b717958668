"""代抽: a village station's clerk draws for a person who is present, and prints the coupon on paper.

The same deck, the same limits and the same door as everybody: only the channel says how it came. A person's first time
needs the code sent to their phone, so that no station can make people up; somebody who proved a phone before may be
recognised by name and identity card. Every turn is written down before it is drawn, refused ones too.
"""

from __future__ import annotations

import datetime as dt
import hmac
import secrets
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max, QuerySet

from coupons import consumers, drawing, errors, fairness, lottery
from coupons.consumers.binding import CONSENT_VERSION
from coupons.consumers.placing import PROVEN
from coupons.drawing.facts import open_deck
from coupons.models import (
    Assist,
    Campaign,
    Category,
    Consumer,
    Coupon,
    Deck,
    Draw,
    PaperConfirmation,
    PaperPrint,
    Person,
    Station,
    StationClerk,
)
from coupons.models.books import ActorKind
from huigou import clock
from huigou.errors import Refusal
from huigou.fields import keyed_hash, normal_name
from huigou.models import Department, Staff

SMS_PURPOSE = "assist"
CONFIRM_DIGITS = 6
CONFIRM_LIFE = dt.timedelta(minutes=30)  # a call from the shop to the station and back


@dataclass(frozen=True)
class Present:
    """Who stands before the station's clerk, and how that was proven: a code, or the identity card seen."""

    name: str
    phone: str
    code: str = ""
    card_seen: bool = False
    consents: bool = False


def station_of(staff: Staff) -> Station:
    """Return the station at which a member of staff works; raises NO_STATION."""
    rows = StationClerk.objects.select_related("station").filter(is_active=True, station__is_active=True)
    row = rows.filter(staff=staff).first()
    if row is None or staff.department != Department.STATION:
        raise errors.NO_STATION()
    return row.station


def assign(station: Station, staff: Staff) -> StationClerk:
    """Let a member of staff work at a station, instead of where they worked before; raises NOT_STATION_STAFF."""
    if staff.department != Department.STATION or not staff.is_active:
        raise errors.NOT_STATION_STAFF()
    where = {"station": station, "is_active": True}
    return StationClerk.objects.update_or_create(staff=staff, defaults=where)[0]


def release(station: Station, staff: Staff) -> None:
    """End somebody's work at a station."""
    StationClerk.objects.filter(station=station, staff=staff).update(is_active=False)


# ---- the person


def identify(who: Present, staff: Staff, campaign: Campaign) -> tuple[Consumer, str]:
    """Return the consumer who is present, bound anew when needed, and how they were proven.

    Raises NO_STATION, BAD_NAME, BAD_PHONE, ASSIST_CONSENT, BAD_CODE, CODE_TRIES, ASSIST_PROOF, ASSIST_NAME.
    """
    station_of(staff)
    name = consumers.checked_name(who.name)
    key = consumers.phone_key(who.phone)
    if not who.consents:
        raise errors.ASSIST_CONSENT()
    if who.code:
        consumers.use_code(who.phone, SMS_PURPOSE, who.code)
    else:
        _refuse_unknown(key, name, who)
    with transaction.atomic():
        now = clock.now()
        person = consumers.person_for(name, who.phone, now)
        consumer = Consumer.objects.bound().filter(person=person).first() or Consumer.objects.create(
            person=person,
            phone_key=person.phone_key,
            consented_at=now,
            consent_version=CONSENT_VERSION,
            bound_at=now,
        )
        if campaign.place_policy != Campaign.PlacePolicy.OFF and consumer.place not in PROVEN:
            consumer = consumers.vouch_place(who.phone, staff)
    return consumer, Assist.Proof.SMS if who.code else Assist.Proof.SEEN


def _refuse_unknown(key: bytes, name: str, who: Present) -> None:
    known = Person.objects.filter(phone_key=key, shredded_at=None, consumers__isnull=False).first()
    if not who.card_seen or known is None:
        raise errors.ASSIST_PROOF()
    if known.name_key is None or bytes(known.name_key) != keyed_hash("name", normal_name(name)):
        raise errors.ASSIST_NAME()


# ---- the draw


def draw_for(staff: Staff, consumer: Consumer, category_code: str, proof: str, key: uuid.UUID) -> Assist:
    """Draw for a consumer through the one door, or register them where the round draws jointly; not in a transaction.

    A repeated ``key`` gets the same row. Raises NO_STATION, ASSIST_ALREADY and whatever refuses a draw.
    """
    station = station_of(staff)
    fact = open_deck(category_code, clock.now())
    assist, _ = Assist.objects.get_or_create(
        key=key,
        defaults={
            "station": station,
            "staff": staff,
            "consumer": consumer,
            "category": Category.objects.get(pk=fact.category_id),
            "round_id": fact.round_id,
            "proof": proof,
            "asked_at": clock.now(),
        },
    )
    if assist.outcome:
        return assist
    try:
        if fact.mode == fairness.LOTTERY:
            lottery.register(assist.consumer, Deck.objects.get(pk=fact.deck_id))
            return _finish(assist, Assist.REGISTERED)
        return _draw(assist, fact.deck_id)
    except Refusal as refusal:
        if refusal.reason is not errors.DRAW_BUSY:  # that one may still be written: the same key asks again
            _finish(assist, refusal.code)
        raise


def _draw(assist: Assist, deck_id: int) -> Assist:
    answer = drawing.draw(
        drawing.Ask(
            deck_id,
            assist.consumer_id,
            request_key=assist.key,
            channel=Draw.Channel.STATION,
            station_id=assist.station_id,
            actor_kind=ActorKind.STAFF,
            actor_id=assist.staff_id,
        )
    )
    drawn = Draw.objects.select_related("station").get(pk=answer.draw_id)
    if drawn.request_key != assist.key:
        where = f"在{drawn.station.name}" if drawn.station else "由本人"
        raise errors.ASSIST_ALREADY(when=clock.spoken(drawn.drawn_at), where=where, category=assist.category.name)
    return _finish(assist, Assist.DRAWN, drawn)


def _finish(assist: Assist, outcome: str, drawn: Draw | None = None) -> Assist:
    assist.outcome, assist.draw = outcome, drawn
    assist.save(update_fields=["outcome", "draw"])
    return assist


def coupon_of(assist: Assist) -> Coupon | None:
    """Return the coupon that came of it, None for a blank, a refusal or a joint draw that is still to come."""
    rows = Coupon.objects.select_related("batch__category", "holder__person", "round__campaign")
    if assist.outcome == Assist.REGISTERED:
        held = rows.filter(holder__person_id=assist.consumer.person_id, round=assist.round)
        return held.filter(batch__category_id=assist.category_id).first()
    return rows.filter(pk=assist.draw_id).first() if assist.draw_id else None


def seen_by(staff: Staff) -> QuerySet[Assist]:
    """Return the assisted draws that a member of staff may see: a station sees its own."""
    if staff.department != Department.STATION:
        return Assist.objects.all()
    return Assist.objects.filter(station__stationclerk__staff=staff, station__stationclerk__is_active=True)


# ---- paper


def print_paper(coupon_id: int, staff: Staff, reason: str = "") -> PaperPrint:
    """Record a print of a coupon; from now on it alone is good. A reprint needs a reason.

    Raises NOT_PRINTABLE for a coupon that is not held any more, REPRINT_REASON.
    """
    with transaction.atomic():
        coupon = Coupon.objects.select_for_update(no_key=True).get(pk=coupon_id)
        now = clock.now()
        if coupon.state != Coupon.State.HELD or coupon.expires_at <= now:
            raise errors.NOT_PRINTABLE()
        serial = newest_print(coupon_id) + 1
        if serial > 1 and not reason.strip():
            raise errors.REPRINT_REASON()
        return PaperPrint.objects.create(coupon=coupon, serial=serial, staff=staff, reason=reason.strip(), at=now)


def newest_print(coupon_id: int) -> int:
    """Return the number of a coupon's newest print, 0 when it was never printed."""
    return PaperPrint.objects.filter(coupon_id=coupon_id).aggregate(n=Max("serial"))["n"] or 0


def confirm(coupon_id: int, staff: Staff) -> str:
    """Return six digits that a shop types in place of the phone's last four; good once, for half an hour.

    Raises NOT_PRINTABLE unless the coupon is held and was printed.
    """
    with transaction.atomic():
        coupon = Coupon.objects.select_for_update(no_key=True).get(pk=coupon_id)
        now = clock.now()
        if coupon.state != Coupon.State.HELD or coupon.expires_at <= now or not newest_print(coupon_id):
            raise errors.NOT_PRINTABLE()
        coupon.confirmations.filter(used_at=None, expires_at__gt=now).update(expires_at=now)
        code = f"{secrets.randbelow(10**CONFIRM_DIGITS):0{CONFIRM_DIGITS}d}"
        PaperConfirmation.objects.create(
            coupon=coupon, staff=staff, code_hash=_hash(coupon_id, code), made_at=now, expires_at=now + CONFIRM_LIFE
        )
    return code


def proves_holder(coupon: Coupon, last4: str, digits: str, now: dt.datetime) -> bool:
    """Say whether digits typed at a counter prove the holder of a paper coupon; a station's word is used up.

    Called under the coupon's lock: a scan that is refused for another reason afterwards gives the word back.
    """
    if len(digits) == len(last4) == 4:
        return hmac.compare_digest(digits, last4)
    if len(digits) != CONFIRM_DIGITS or not (digits.isascii() and digits.isdigit()):
        return False
    word = coupon.confirmations.filter(used_at=None, expires_at__gt=now).order_by("-pk").first()
    if word is None or not hmac.compare_digest(bytes(word.code_hash), _hash(coupon.pk, digits)):
        return False
    return PaperConfirmation.objects.filter(pk=word.pk, used_at=None).update(used_at=now) == 1


def _hash(coupon_id: int, code: str) -> bytes:
    return keyed_hash("paper", f"{coupon_id}:{code}")
