"""Names as people enter them."""

from __future__ import annotations

from coupons import errors
from huigou.fields import normal_name

WECHAT_NAME_CHARS = 200


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


def storable(nickname: str) -> str:
    """Return a WeChat name as a text column takes it: any characters but NUL and halves of pairs."""
    return nickname.replace("\x00", "").encode("utf-8", "ignore").decode()[:WECHAT_NAME_CHARS]
