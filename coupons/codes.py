"""The rotating code of a coupon: what its QR holds, and the eight digits beside it.

Both are functions of (coupon, 30-second step of the database's clock) under a key of their own, so nothing is stored.
The current and the previous step are accepted: a code is good for 30 to 60 seconds. The short code is a keyed
permutation of the coupon's number (eight-round Feistel over 10^8), so two coupons never share one and a clerk's guess
hits a live coupon with a chance of live / 10^8. A paper code is a kind of its own, bound to one coupon and one
print of it, and accepted only together with the last four digits of the holder's phone or the station's confirmation.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import struct
from typing import NamedTuple

from huigou.fields import derived_key

STEP_S = 30
ACCEPTED_STEPS = 2  # this one and the one before
SHORT_DIGITS = 8
_HALF = 10**4
_FEISTEL_ROUNDS = 8
_MAC_BYTES = 10
_BODY = struct.Struct(">BQI")
ROTATING, PAPER = 1, 2


class Shown(NamedTuple):
    """What the coupon's page shows, and until when."""

    token: str
    short_code: str
    valid_until: dt.datetime


class Presented(NamedTuple):
    """What a clerk read: which coupon, and whether from paper, then from which print of it."""

    coupon_id: int
    is_paper: bool
    serial: int = 0


def step_of(now: dt.datetime) -> int:
    """Return the 30-second step of an instant."""
    return int(now.timestamp()) // STEP_S


def show(coupon_id: int, now: dt.datetime) -> Shown:
    """Return the rotating token and short code of a coupon at an instant."""
    step = step_of(now)
    until = dt.datetime.fromtimestamp((step + 1) * STEP_S, tz=now.tzinfo)
    return Shown(_token(ROTATING, coupon_id, step), short_code(coupon_id, step), until)


def paper_token(coupon_id: int, serial: int) -> str:
    """Return the lasting token of a paper coupon's ``serial``-th print."""
    return _token(PAPER, coupon_id, serial)


def read_token(token: str, now: dt.datetime) -> Presented | None:
    """Return which coupon a token presents at ``now``; None for a foreign, forged or stale one."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        kind, coupon_id, step = _BODY.unpack(raw[: _BODY.size])
    except (ValueError, struct.error):
        return None
    if not hmac.compare_digest(_token(kind, coupon_id, step), token):
        return None
    if kind == PAPER:
        return Presented(coupon_id, is_paper=True, serial=step)
    return Presented(coupon_id, is_paper=False) if _is_fresh(step, now) else None


def read_short(code: str, now: dt.datetime) -> list[int]:
    """Return the coupon numbers that eight digits could mean now: one for this step, one for the one before."""
    digits = "".join(ch for ch in code if ch.isdecimal())  # also as a Chinese keyboard types them
    if len(digits) != SHORT_DIGITS:
        return []
    now_step = step_of(now)
    return [_permute(int(digits), now_step - back, forward=False) for back in range(ACCEPTED_STEPS)]


def short_code(coupon_id: int, step: int) -> str:
    """Return the eight digits of a coupon in one step; coupons are told apart up to 10^8 of them."""
    return f"{_permute(coupon_id % 10**SHORT_DIGITS, step, forward=True):0{SHORT_DIGITS}d}"


def _is_fresh(step: int, now: dt.datetime) -> bool:
    return 0 <= step_of(now) - step < ACCEPTED_STEPS


def _token(kind: int, coupon_id: int, step: int) -> str:
    body = _BODY.pack(kind, coupon_id, step)
    mac = hmac.digest(derived_key("qr"), body, hashlib.sha256)[:_MAC_BYTES]
    return base64.urlsafe_b64encode(body + mac).decode().rstrip("=")


def _permute(number: int, step: int, *, forward: bool) -> int:
    left, right = divmod(number, _HALF)
    key = derived_key("short")
    for turn in range(_FEISTEL_ROUNDS) if forward else reversed(range(_FEISTEL_ROUNDS)):
        if forward:
            left, right = right, (left + _mix(key, step, turn, right)) % _HALF
        else:
            left, right = (right - _mix(key, step, turn, left)) % _HALF, left
    return left * _HALF + right


def _mix(key: bytes, step: int, turn: int, half: int) -> int:
    return int.from_bytes(hmac.digest(key, struct.pack(">IBH", step, turn, half), hashlib.sha256)[:8], "big")
