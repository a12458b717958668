"""A small proof of work before an SMS is sent: altcha's challenge, solved by the page, accepted once."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import altcha
from django.conf import settings
from django.core.cache import cache
from django_altcha import get_altcha_challenge
from redis.exceptions import RedisError

MAX_NUMBER = 60_000  # about 0.1 s on a desktop, under 1 s on a cheap phone
LIFE_S = 600


def issue() -> dict[str, Any]:
    """Return a fresh challenge: algorithm, challenge, maxnumber, salt, signature."""
    made = get_altcha_challenge(max_number=MAX_NUMBER, expires=LIFE_S * 1000)
    return {
        "algorithm": made.algorithm,
        "challenge": made.challenge,
        "maxnumber": made.max_number,
        "salt": made.salt,
        "signature": made.signature,
    }


def is_solved(payload: str) -> bool:
    """Say whether a payload solves a challenge of ours that is fresh and was not used before."""
    try:
        challenge = json.loads(base64.b64decode(payload, validate=True))["challenge"]
        good, _ = altcha.verify_solution(payload, settings.ALTCHA_HMAC_KEY, check_expires=True)
    except (ValueError, KeyError, TypeError, binascii.Error):
        return False
    if not good or not isinstance(challenge, str):
        return False
    try:
        # One statement decides which of two uses came first.
        return bool(cache.add("pow:" + challenge, 1, timeout=LIFE_S))
    except RedisError:
        # Redis is never the truth: the limits per phone, device and address are counted in the database anyway.
        return True
