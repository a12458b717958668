"""A phone is verified by six digits sent to it: limits, hashes and tries are counted in the database."""

from __future__ import annotations

import datetime as dt
import hmac
import math
import secrets

from django.conf import settings
from django.db import connection, transaction

from coupons import errors, outbox
from coupons.models import SmsCode
from huigou import clock
from huigou.fields import keyed_hash, normal_phone

CODE_DIGITS = 6
CODE_LIFE = dt.timedelta(minutes=outbox.CODE_MINUTES)
CODE_TRIES = 5
RESEND_AFTER = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
PER_PHONE_A_DAY = 10
PER_DEVICE_A_DAY = 20
SMS_LOCK = 726_001  # advisory lock within the transaction: the global budget is counted by one at a time


def phone_key(phone: str) -> bytes:
    """Return the keyed hash under which a phone is found; raises BAD_PHONE."""
    plain = normal_phone(phone)
    if not plain:
        raise errors.BAD_PHONE()
    return keyed_hash("phone", plain)


def send_code(phone: str, purpose: str, *, address: str = "", device: str = "", instead: str = "") -> str | None:
    """Send a six-digit code bound to phone and purpose; the answer is the same for known and unknown phones.

    Limits are counted in the database: 1 a minute and 10 a day per phone, per device, per address, and a global
    budget. Returns the code only where it is shown on the page (a demo with the console backend), else None.
    ``instead`` is what staff who send it for somebody can do without it: they are refused in words of their own.
    Raises BAD_PHONE, SMS_TOO_SOON, SMS_TOO_MANY, SMS_BUDGET, or the same three with DESK_ before them.
    """
    plain = normal_phone(phone)
    key = phone_key(phone)
    with transaction.atomic():
        _lock_budget()
        now = clock.now()
        _refuse_flood(key, address, device, now, instead)
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


def count_text(phone: str, purpose: str, instead: str) -> dt.datetime:
    """Count a text without a code to check against the limits of its phone and the budget; return when.

    ``instead`` is what staff can do without it. Called inside the transaction that queues it. Raises BAD_PHONE,
    DESK_SMS_TOO_SOON, DESK_SMS_TOO_MANY, DESK_SMS_BUDGET.
    """
    key = phone_key(phone)
    _lock_budget()
    now = clock.now()
    _refuse_flood(key, "", "", now, instead)
    # Over as it begins, its hash that of nothing anybody can type: it opens no door.
    SmsCode.objects.create(
        phone_key=key, purpose=purpose, code_hash=secrets.token_bytes(32), sent_at=now, expires_at=now
    )
    return now


def _lock_budget() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SMS_LOCK])


def _refuse_flood(key: bytes, address: str, device: str, now: dt.datetime, instead: str) -> None:
    soon, many, budget = (
        (errors.DESK_SMS_TOO_SOON, errors.DESK_SMS_TOO_MANY, errors.DESK_SMS_BUDGET)
        if instead
        else (errors.SMS_TOO_SOON, errors.SMS_TOO_MANY, errors.SMS_BUDGET)
    )
    today = now - DAY
    mine = SmsCode.objects.filter(phone_key=key, sent_at__gt=today).order_by("-sent_at")
    times = list(mine.values_list("sent_at", flat=True)[:PER_PHONE_A_DAY])
    if times and now < times[0] + RESEND_AFTER:
        raise soon(seconds=math.ceil((times[0] + RESEND_AFTER - now).total_seconds()))
    if len(times) >= PER_PHONE_A_DAY:
        raise many(whose="这个号码", instead=instead)
    for column, value, limit in (
        ("device_key", keyed_hash("device", device) if device else None, PER_DEVICE_A_DAY),
        ("address_key", keyed_hash("address", address) if address else None, settings.SMS_PER_ADDRESS),
    ):
        if value and SmsCode.objects.filter(**{column: value}, sent_at__gt=today)[:limit].count() >= limit:
            raise many(whose="本单位的网络", instead=instead)
    if SmsCode.objects.filter(sent_at__gt=today)[: settings.SMS_DAILY_BUDGET].count() >= settings.SMS_DAILY_BUDGET:
        raise budget(instead=instead)


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
