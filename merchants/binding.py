"""Clerks bind by a one-time code that the bureau hands out against a signed letter of commitment (附件3, 第四步)."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from coupons import consumers, outbox
from coupons.errors import NO_CONSENT
from coupons.models import Exclusion, OutboxMessage
from huigou import clock, sms, tokens
from huigou.fields import keyed_hash, normal_phone
from huigou.models import Staff
from huigou.tokens import Token
from merchants import conduct, errors
from merchants.models import BindingCode, Clerk, Outlet

COOKIE = "hg_s"
# Without 0/O, 1/I/L: read aloud over a counter. 12 characters of 31 are about 59 bits.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_LENGTH = 12
CODE_LIFE = dt.timedelta(days=14)
CODE_TEXTS_MOST = 3  # a first text, one that did not arrive, one that was deleted
TEXT_KEY = "shop-code"


@dataclass(frozen=True)
class ClerkBinding:
    """What a clerk enters to bind."""

    code: str
    name: str
    phone: str
    sms_code: str
    consent: bool
    openid: str = ""
    wechat_name: str = ""


def plain_code(code: str) -> str:
    """Return a one-time code as it is hashed: upper case, without dashes and spaces."""
    return "".join(ch for ch in code.upper() if ch in ALPHABET)


def issue_code(outlet: Outlet, staff: Staff, *, is_owner: bool = False) -> str:
    """Issue a one-time code for an outlet and return it; shown once, kept hashed, sealed for printing until used.

    Raises LETTER_NEEDED without a commitment letter, COLLECTIVE_NEEDS_SITES for a collective's own line.
    """
    merchant = outlet.merchant
    if merchant.is_collective and outlet.name == merchant.name:
        raise errors.COLLECTIVE_NEEDS_SITES(merchant=merchant.name)
    conduct.refuse_without_letter(merchant)
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    now = clock.now()
    BindingCode.objects.create(
        outlet=outlet,
        code_hash=keyed_hash("binding", code),
        code=code,
        is_owner=is_owner,
        issued_by=staff,
        issued_at=now,
        expires_at=now + CODE_LIFE,
    )
    return grouped(code)


def grouped(code: str) -> str:
    """Return a one-time code as people read it, four signs at a time."""
    return "-".join(code[i : i + 4] for i in range(0, CODE_LENGTH, 4))


def mobile_of(outlet: Outlet) -> str:
    """Return the 11 digits that a shop's code is sent to: the place's own, its firm's contact's, the firm's; or ''."""
    contact = outlet.merchant.contact
    numbers = (outlet.phone, (contact.phone or "") if contact else "", outlet.merchant.phone)
    return next((plain for number in numbers if (plain := normal_phone(number))), "")


def text_code(code_id: int) -> OutboxMessage:
    """Queue an open one-time code to its shop's registered number, by SMS; the queue carries the message's id alone.

    At most CODE_TEXTS_MOST times a code, within the limits of every phone and the day's budget. Raises SHOP_TEMPLATE,
    CODE_NOT_OPEN, CODE_TEXTS, NO_MOBILE, LETTER_NEEDED, DESK_SMS_TOO_SOON, DESK_SMS_TOO_MANY, DESK_SMS_BUDGET.
    """
    if not sms.has_shop_template():
        raise errors.SHOP_TEMPLATE()
    with transaction.atomic():
        # The code's row is held until the message stands: two clicks at once send one text, a binding waits.
        row = BindingCode.objects.select_for_update().filter(pk=code_id).first()
        now = clock.now()
        if row is None or row.code is None or row.used_at or row.revoked_at or now >= row.expires_at:
            raise errors.CODE_NOT_OPEN()
        conduct.refuse_without_letter(row.outlet.merchant)
        sent = texts_of([row.pk]).count()
        if sent >= CODE_TEXTS_MOST:
            raise errors.CODE_TEXTS(limit=CODE_TEXTS_MOST)
        phone = mobile_of(row.outlet)
        if not phone:
            raise errors.NO_MOBILE(shop=row.outlet.name)
        now = consumers.count_text(phone, "shop_code", instead="请打印验证码当面交给商家")
        days = max(1, (row.expires_at - now).days)
        body: dict[str, str | int] = {"shop": row.outlet.name[:20], "code": grouped(row.code), "days": days}
        return outbox.put_shop_code(phone, body, f"{TEXT_KEY}-{row.pk}-{sent + 1}", now)


def texts_of(code_ids: Iterable[int]) -> QuerySet[OutboxMessage]:
    """Return the texts that carried these codes, oldest first."""
    keys = [f"{TEXT_KEY}-{pk}-{number}" for pk in code_ids for number in range(1, CODE_TEXTS_MOST + 1)]
    return OutboxMessage.objects.filter(about_key__in=keys).order_by("pk")


def outlet_of(code: str) -> Outlet:
    """Return the outlet that a good code binds to; raises BINDING_CODE_WRONG."""
    row = BindingCode.objects.select_related("outlet__merchant").filter(code_hash=_hash(code)).first()
    return _good(row).outlet


def is_open(code: str) -> bool:
    """Say whether nobody has used a one-time code up."""
    return BindingCode.objects.filter(code_hash=_hash(code), used_at=None).exists()


def _hash(code: str) -> bytes:
    return keyed_hash("binding", plain_code(code))


def _good(row: BindingCode | None, phone_key: bytes = b"") -> BindingCode:
    """Return a code that opens its place, a used one to its own clerk's phone only; raises BINDING_CODE_WRONG."""
    if row is not None and row.used_at:
        if phone_key and Clerk.objects.bound().filter(code=row, person__phone_key=phone_key).exists():
            return row
    elif row is not None and not row.revoked_at and clock.now() < row.expires_at:
        return row
    raise errors.BINDING_CODE_WRONG()


def bind(binding: ClerkBinding) -> tuple[Clerk, bool]:
    """Bind a clerk, and say whether the binding is a new one, which uses the one-time code up.

    The one-time code names the outlet, the SMS code proves the phone; the number goes on the exclusion list. A phone
    that is bound there already comes back to its own binding, as with a new phone in hand, by its own slip or by
    another's, which stays good; an owner's code makes the owner of a clerk.
    Raises BAD_NAME, BAD_PHONE, NO_CONSENT, BINDING_CODE_WRONG, BAD_CODE, CODE_TRIES.
    """
    name = consumers.checked_name(binding.name)
    key = consumers.phone_key(binding.phone)
    if not binding.consent:
        raise NO_CONSENT()
    rows = BindingCode.objects.filter(code_hash=_hash(binding.code))
    _good(rows.first(), key)  # before the SMS code is spent
    consumers.use_code(binding.phone, "clerk", binding.sms_code)
    with transaction.atomic():
        locked = rows.select_for_update().first()
        row = _good(locked, key)
        now = clock.now()
        # The person's row is held from here on: two slips of one person at once make one binding.
        person = consumers.person_for(name, binding.phone, now)
        before = Clerk.objects.bound().filter(person=person, outlet_id=row.outlet_id).first()
        if before and (row.used_at or before.is_owner or not row.is_owner):
            if binding.openid:
                attach_wechat(before, binding.openid, binding.wechat_name)
            return before, False
        if before:
            _end(before.pk)
        clerk = Clerk.objects.create(
            person=person,
            outlet_id=row.outlet_id,
            code=row,
            openid=binding.openid,
            wechat_name=consumers.storable(binding.wechat_name),
            is_owner=row.is_owner,
            bound_at=now,
        )
        row.used_at, row.code = now, None
        row.save(update_fields=["used_at", "code"])
        consumers.exclude(binding.phone, Exclusion.Source.MERCHANT, "店员绑定")
    return clerk, True


def cookie_of(clerk: Clerk) -> str:
    """Return the value of the cookie that names this binding."""
    return tokens.write(Token("s", clerk.pk, clerk.session_version))


def current(request: HttpRequest) -> Clerk | None:
    """Return the clerk of a request, None when nobody is bound on this phone; one query."""
    token = tokens.read("s", request.COOKIES.get(COOKIE))
    if token is None:
        return None
    rows = Clerk.objects.bound().select_related("person", "outlet__merchant__campaign")
    return rows.filter(pk=token.id, session_version=token.version).first()


def by_openid(openid: str) -> Clerk | None:
    """Return the latest binding that a WeChat account names; one person may work in several places."""
    rows = Clerk.objects.bound().select_related("person", "outlet__merchant__campaign")
    return rows.filter(openid=openid).order_by("-bound_at").first() if openid else None


def attach_wechat(clerk: Clerk, openid: str, wechat_name: str = "") -> None:
    """Let a WeChat account name all bindings of this clerk's person; an empty name leaves the one given before."""
    with transaction.atomic():
        theirs = Clerk.objects.bound().filter(person_id=clerk.person_id)
        Clerk.objects.bound().filter(openid=openid).exclude(person_id=clerk.person_id).update(openid="")
        if name := consumers.storable(wechat_name):
            theirs.update(wechat_name=name)
        theirs.update(openid=openid)


def forget_shredded() -> int:
    """Empty what names a clerk in WeChat once the person behind is shredded; return how many rows."""
    named = Clerk.objects.filter(person__shredded_at__isnull=False).exclude(openid="", wechat_name="")
    return named.update(openid="", wechat_name="", unbound_at=Coalesce("unbound_at", Value(clock.now())))


def required(request: HttpRequest) -> Clerk:
    """Return the clerk of a request; raises CLERK_NOT_BOUND."""
    clerk = current(request)
    if clerk is None:
        raise errors.CLERK_NOT_BOUND()
    return clerk


def outlets_of(clerk: Clerk) -> list[Clerk]:
    """Return all bindings of this clerk's person: one person may work in several places of a chain."""
    rows = Clerk.objects.bound().filter(person_id=clerk.person_id).select_related("outlet__merchant")
    return list(rows.order_by("bound_at"))


def unbind(clerk_id: int, *, by_owner: Clerk | None = None) -> None:
    """End a clerk's binding, by the owner of the same firm or by the bureau. Raises NOT_OWNER, NO_CLERK."""
    clerk = Clerk.objects.bound().select_related("outlet").filter(pk=clerk_id).first()
    if clerk is None:
        raise errors.NO_CLERK()
    if by_owner is not None and (not by_owner.is_owner or by_owner.outlet.merchant_id != clerk.outlet.merchant_id):
        raise errors.NOT_OWNER()
    _end(clerk_id)


def _end(clerk_id: int) -> None:
    Clerk.objects.filter(pk=clerk_id, unbound_at=None).update(
        unbound_at=clock.now(), session_version=F("session_version") + 1, openid=""
    )
