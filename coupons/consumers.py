"""Consumers: SMS codes, binding, place, and the ways out (correct, unbind, delete)."""

from __future__ import annotations

import datetime as dt
import hmac
import secrets
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.http import HttpRequest

from coupons import errors, outbox
from coupons.models import Campaign, Consumer, Coupon, Exclusion, Person, SmsCode
from huigou import clock, geo, tokens
from huigou.fields import keyed_hash, normal_name, normal_phone
from huigou.tokens import Token

COOKIE = "hg_c"
CONSENT_VERSION = "2026-1"
CODE_DIGITS = 6
CODE_LIFE = dt.timedelta(minutes=5)
CODE_TRIES = 5
RESEND_AFTER = dt.timedelta(minutes=1)
PER_PHONE_A_DAY = 10
PER_DEVICE_A_DAY = 20
PER_ADDRESS_A_DAY = 300  # a whole village may sit behind one address
SMS_LOCK = 726_001  # advisory lock within the transaction: the global budget is counted by one at a time


@dataclass(frozen=True)
class Binding:
    """What a person enters to bind."""

    name: str
    phone: str
    code: str
    consent: bool
    openid: str = ""
    wechat_name: str = ""
    device: str = ""


def phone_key(phone: str) -> bytes:
    """Return the keyed hash under which a phone is found; raises BAD_PHONE."""
    plain = normal_phone(phone)
    if not plain:
        raise errors.BAD_PHONE()
    return keyed_hash("phone", plain)


def checked_name(name: str) -> str:
    """Return a person's name without stray spaces; raises BAD_NAME."""
    plain = " ".join(name.split())
    if (
        not 2 <= len(normal_name(plain)) <= 20
        or any(ch in plain for ch in "<>={}|\\/@#$%^*")
        or any(ch.isdigit() for ch in plain)
    ):
        raise errors.BAD_NAME()
    return plain


# ---- codes by SMS


def send_code(phone: str, purpose: str, *, address: str = "", device: str = "") -> str | None:
    """Send a six-digit code bound to phone and purpose; the answer is the same for known and unknown phones.

    Limits are counted in the database: 1 a minute and 10 a day per phone, per device, per address, and a global
    budget. Returns the code only where it is shown on the page (a demo with the console backend), else None.
    Raises BAD_PHONE, SMS_TOO_SOON, SMS_TOO_MANY, SMS_BUDGET.
    """
    plain = normal_phone(phone)
    key = phone_key(phone)
    with transaction.atomic():
        _lock_budget()
        now = clock.now()
        _refuse_flood(key, address, device, now)
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        # One valid code at a time: an older one dies with the newer.
        SmsCode.objects.filter(phone_key=key, purpose=purpose, used_at=None, expires_at__gt=now).update(expires_at=now)
        SmsCode.objects.create(
            phone_key=key,
            purpose=purpose,
            code_hash=code_hash(key, purpose, code),
            address_key=keyed_hash("address", address) if address else None,
            device_key=keyed_hash("device", device) if device else None,
            sent_at=now,
            expires_at=now + CODE_LIFE,
        )
        outbox.put_sms_code(plain, code, now)
    return code if settings.DEMO and settings.SMS_BACKEND == "console" else None


def _lock_budget() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SMS_LOCK])


def _refuse_flood(key: bytes, address: str, device: str, now: dt.datetime) -> None:
    today = now - dt.timedelta(days=1)
    mine = SmsCode.objects.filter(phone_key=key, sent_at__gt=today).order_by("-sent_at")
    times = list(mine.values_list("sent_at", flat=True)[:PER_PHONE_A_DAY])
    if times and now < times[0] + RESEND_AFTER:
        raise errors.SMS_TOO_SOON(seconds=int((times[0] + RESEND_AFTER - now).total_seconds()) + 1)
    if len(times) >= PER_PHONE_A_DAY:
        raise errors.SMS_TOO_MANY()
    for column, value, limit in (
        ("device_key", keyed_hash("device", device) if device else None, PER_DEVICE_A_DAY),
        ("address_key", keyed_hash("address", address) if address else None, PER_ADDRESS_A_DAY),
    ):
        if value and SmsCode.objects.filter(**{column: value}, sent_at__gt=today)[:limit].count() >= limit:
            raise errors.SMS_TOO_MANY()
    if SmsCode.objects.filter(sent_at__gt=today)[: settings.SMS_DAILY_BUDGET].count() >= settings.SMS_DAILY_BUDGET:
        raise errors.SMS_BUDGET()


def code_hash(key: bytes, purpose: str, code: str) -> bytes:
    """Return under which hash a code is kept: bound to phone and purpose."""
    return keyed_hash("sms:" + purpose, key.hex() + code)


def use_code(phone: str, purpose: str, code: str) -> None:
    """Check a code and use it up; a wrong one counts, the fifth ends it. Commits the count whatever follows.

    Raises BAD_CODE, CODE_TRIES.
    """
    key = phone_key(phone)
    with transaction.atomic():
        row = (
            SmsCode.objects.select_for_update()
            .filter(phone_key=key, purpose=purpose, used_at=None)
            .order_by("-sent_at")
            .first()
        )
        now = clock.now()
        if row is None or now >= row.expires_at:
            raise errors.BAD_CODE()
        if row.tries >= CODE_TRIES:
            raise errors.CODE_TRIES()
        right = hmac.compare_digest(bytes(row.code_hash), code_hash(key, purpose, code.strip()))
        if right:
            row.used_at = now
        else:
            row.tries += 1
        row.save(update_fields=["used_at", "tries"])
    if not right:
        raise errors.BAD_CODE()


# ---- binding


def person_for(name: str, phone: str, now: dt.datetime) -> Person:
    """Return the one person of a phone, made or renamed; the phone must have been verified by the caller."""
    plain = normal_phone(phone)
    person, made = Person.objects.select_for_update().get_or_create(
        phone_key=phone_key(phone),
        defaults={
            "name": name,
            "phone": plain,
            "name_key": keyed_hash("name", normal_name(name)),
            "phone_last4": plain[-4:],
            "created_at": now,
        },
    )
    if not made and (person.shredded_at is not None or person.name != name):
        person.name, person.phone, person.phone_last4 = name, plain, plain[-4:]
        person.name_key, person.shredded_at = keyed_hash("name", normal_name(name)), None
        person.save()
    return person


def bind(binding: Binding) -> Consumer:
    """Bind a person by name, phone and SMS code; a phone that is bound already comes back to its own binding.

    Raises BAD_NAME, BAD_PHONE, NO_CONSENT, BAD_CODE, CODE_TRIES.
    """
    name = checked_name(binding.name)
    phone_key(binding.phone)
    if not binding.consent:
        raise errors.NO_CONSENT()
    use_code(binding.phone, "bind", binding.code)
    with transaction.atomic():
        now = clock.now()
        person = person_for(name, binding.phone, now)
        consumer = Consumer.objects.bound().filter(person=person).first()
        if consumer is None:
            consumer = Consumer(person=person, phone_key=person.phone_key, bound_at=now)
        if binding.openid:
            # A WeChat account that moves to another number leaves the old binding without it.
            Consumer.objects.bound().filter(openid=binding.openid).exclude(pk=consumer.pk).update(openid="")
            consumer.openid, consumer.wechat_name = binding.openid, binding.wechat_name[:200]
        if binding.device:
            consumer.device_key = keyed_hash("device", binding.device)
        consumer.consented_at, consumer.consent_version = now, CONSENT_VERSION
        consumer.save()
    return consumer


def cookie_of(consumer: Consumer) -> str:
    """Return the value of the cookie that names this binding."""
    return tokens.write(Token("c", consumer.pk, consumer.session_version))


def current(request: HttpRequest) -> Consumer | None:
    """Return the consumer of a request, None when nobody is bound on this phone; one query."""
    token = tokens.read("c", request.COOKIES.get(COOKIE))
    if token is None:
        return None
    rows = Consumer.objects.bound().select_related("person")
    return rows.filter(pk=token.id, session_version=token.version).first()


def required(request: HttpRequest) -> Consumer:
    """Return the consumer of a request; raises NOT_BOUND."""
    consumer = current(request)
    if consumer is None:
        raise errors.NOT_BOUND()
    return consumer


# ---- place


def set_place(consumer: Consumer, campaign: Campaign, *, longitude: float, latitude: float, datum: str) -> str:
    """Check a position (degrees, WGS-84 or GCJ-02) against the county; only the verdict is kept."""
    inside = campaign.boundary is not None and geo.parse(campaign.boundary, campaign.boundary_datum).covers(
        longitude, latitude, geo.Datum(datum)
    )
    return _keep_place(consumer, Consumer.Place.INSIDE if inside else Consumer.Place.OUTSIDE)


def declare_place(consumer: Consumer) -> str:
    """Record that the person declares to be in the county without giving a position; flagged, never above INSIDE."""
    return _keep_place(consumer, Consumer.Place.DECLARED)


def vouch_place(consumer: Consumer) -> str:
    """Record that a village station vouches for the person."""
    return _keep_place(consumer, Consumer.Place.VOUCHED)


def _keep_place(consumer: Consumer, verdict: str) -> str:
    Consumer.objects.filter(pk=consumer.pk).update(place=verdict, place_at=clock.now())
    consumer.place = verdict
    return verdict


# ---- privacy


def correct_name(consumer: Consumer, name: str) -> None:
    """Correct a person's own name."""
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
    """Unbind and shred the person's data; raises LIVE_COUPONS while a coupon is held or scanned."""
    with transaction.atomic():
        person = Person.objects.select_for_update().get(pk=consumer.person_id)
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


def exclude(phone: str, source: str, note: str = "") -> None:
    """Put a phone on the exclusion list, by its keyed hash."""
    try:
        with transaction.atomic():
            Exclusion.objects.create(phone_key=phone_key(phone), source=source, note=note, added_at=clock.now())
    except IntegrityError:
        return  # it is there already
