"""绑定: one person is one verified phone, and where there is WeChat, one openid."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from coupons import errors
from coupons.consumers.names import checked_name, storable
from coupons.consumers.verifying import DAY, phone_key, use_code
from coupons.models import Consumer, Person
from huigou import clock, tokens
from huigou.fields import keyed_hash, normal_name, normal_phone
from huigou.tokens import Token

COOKIE = "hg_c"
CONSENT_VERSION = "2026-1"
BINDINGS_OF_A_PHONE = 5  # in a round's and a month's time: whoever unbinds and binds more often is no ordinary person
BINDINGS_WITHIN = dt.timedelta(days=30)


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

    Raises BAD_NAME, BAD_PHONE, NO_CONSENT, BAD_CODE, CODE_TRIES, TOO_MANY_BINDINGS, DEVICE_FULL.
    """
    name = checked_name(binding.name)
    phone_key(binding.phone)
    if not binding.consent:
        raise errors.NO_CONSENT()
    use_code(binding.phone, "bind", binding.code)
    with transaction.atomic():
        now = clock.now()
        person = person_for(name, binding.phone, now)
        device = keyed_hash("device", binding.device) if binding.device else None
        consumer = Consumer.objects.bound().filter(person=person).first()
        if consumer is None:
            _refuse_too_many(person, device, now)
            consumer = Consumer(person=person, phone_key=person.phone_key, bound_at=now)
        if device:
            consumer.device_key = device
        consumer.consented_at, consumer.consent_version = now, CONSENT_VERSION
        consumer.save()
    if binding.openid:
        attach_wechat(consumer, binding.openid, binding.wechat_name)
    return consumer


def _refuse_too_many(person: Person, device: bytes | None, now: dt.datetime) -> None:
    """Refuse a binding that comes too soon after too many of the same phone, or on a device that bound too many phones.

    Counted under the person's lock; two phones that bind on one device in the same instant may both pass.
    """
    if Consumer.objects.filter(person=person, bound_at__gt=now - BINDINGS_WITHIN).count() >= BINDINGS_OF_A_PHONE:
        raise errors.TOO_MANY_BINDINGS()
    if device is not None:
        others = Consumer.objects.filter(device_key=device, bound_at__gt=now - DAY).exclude(person=person)
        if others.values("person").distinct().count() >= settings.PHONES_PER_DEVICE:
            raise errors.DEVICE_FULL(count=settings.PHONES_PER_DEVICE)


def attach_wechat(consumer: Consumer, openid: str, wechat_name: str = "") -> None:
    """Let a WeChat account name this binding; one that moves to another number leaves the old binding without it.

    An empty name leaves the one that was given before, unless the account is another.
    """
    if consumer.openid == openid and not wechat_name:
        return
    name = storable(wechat_name) or (consumer.wechat_name if consumer.openid == openid else "")
    for last_try in (False, True):
        try:
            with transaction.atomic():
                Consumer.objects.bound().filter(openid=openid).exclude(pk=consumer.pk).update(openid="")
                Consumer.objects.filter(pk=consumer.pk, unbound_at=None).update(openid=openid, wechat_name=name)
            break
        except IntegrityError:  # the same account bound elsewhere in the same instant: the later one keeps it
            if last_try:
                raise
    consumer.openid, consumer.wechat_name = openid, name


def by_openid(openid: str) -> Consumer | None:
    """Return whose binding a WeChat account names."""
    return Consumer.objects.bound().select_related("person").filter(openid=openid).first() if openid else None


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
