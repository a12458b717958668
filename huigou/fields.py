"""Personal data at rest: an encrypted text column, and keyed hashes for exact search.

The key (FIELD_KEY, 32 bytes in hex) lives outside the database. Each purpose gets a key of its own by HMAC, so that
a leaked pseudonym key opens no name. AES-256-GCM with a random 96-bit nonce; a value can be written in SM4-GCM instead
(FIELD_CIPHER=sm4) and either is read.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import re
import unicodedata
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

NONCE_BYTES = 12
TAG_BYTES = 16
AES, SM4 = b"\x01", b"\x02"

_FULL_WIDTH = {full: full - 0xFEE0 for full in range(0xFF01, 0xFF5F)}
_PHONE = re.compile(r"1[3-9]\d{9}")


@functools.lru_cache(maxsize=64)
def derived_key(purpose: str) -> bytes:
    """Return the 32-byte key of one purpose, derived from FIELD_KEY."""
    return hmac.digest(bytes.fromhex(settings.FIELD_KEY), purpose.encode(), hashlib.sha256)


def keyed_hash(purpose: str, value: str) -> bytes:
    """Return HMAC-SHA256 (32 bytes) of a value under the purpose's own key."""
    return hmac.digest(derived_key("hash:" + purpose), value.encode(), hashlib.sha256)


def seal(plain: bytes, purpose: str) -> bytes:
    """Encrypt bytes for one purpose: cipher byte, nonce, ciphertext and tag."""
    nonce = os.urandom(NONCE_BYTES)
    key = derived_key("seal:" + purpose)
    if settings.FIELD_CIPHER == "sm4":
        encryptor = Cipher(algorithms.SM4(key[:16]), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(SM4)
        return SM4 + nonce + encryptor.update(plain) + encryptor.finalize() + encryptor.tag
    return AES + nonce + AESGCM(key).encrypt(nonce, plain, AES)


def unseal(sealed: bytes, purpose: str) -> bytes:
    """Decrypt what ``seal`` wrote for the same purpose; ValueError if key or data are not the ones."""
    sealed = bytes(sealed)
    cipher, nonce, rest = sealed[:1], sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    key = derived_key("seal:" + purpose)
    try:
        if cipher == SM4:
            decryptor = Cipher(algorithms.SM4(key[:16]), modes.GCM(nonce, rest[-TAG_BYTES:])).decryptor()
            decryptor.authenticate_additional_data(SM4)
            return decryptor.update(rest[:-TAG_BYTES]) + decryptor.finalize()
        return AESGCM(key).decrypt(nonce, rest, AES)
    except InvalidTag as wrong:
        raise ValueError("sealed with another key, or damaged") from wrong


class SealedTextField(models.BinaryField):
    """Text that stands encrypted in the database; NULL means absent or shredded. Never searchable."""

    _pyi_private_set_type: str | None  # for mypy: what is read and written is text, not the bytes at rest
    _pyi_private_get_type: str  # type: ignore[assignment]

    def __init__(self, *args: Any, purpose: str = "person", **kwargs: Any) -> None:
        self.purpose = purpose
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "purpose": self.purpose}

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str | None:
        return None if value is None else unseal(value, self.purpose).decode()

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if isinstance(value, str):
            value = seal(value.encode(), self.purpose)
        return super().get_db_prep_save(value, connection)


def normal_phone(text: str) -> str:
    """Return the 11 digits of a mainland mobile number typed in any usual way; '' when it is not one."""
    digits = re.sub(r"[\s\-()（）]", "", (text or "").translate(_FULL_WIDTH))
    digits = digits.removeprefix("+86").removeprefix("0086")
    return digits if _PHONE.fullmatch(digits) else ""


def normal_name(text: str) -> str:
    """Return a person's name as it is hashed for exact search: NFKC, without spaces and middle dots."""
    return re.sub(r"[\s·•・.]", "", unicodedata.normalize("NFKC", text or ""))


def mask_phone(last4: str, head3: str = "***") -> str:
    """Return 138****1234 (or *******1234 when only the last four are kept in clear)."""
    return f"{head3}****{last4}"


def mask_name(name: str) -> str:
    """Return 王* for 王小明, 欧* never reveals more than the first character."""
    return f"{name[0]}{'*' * min(len(name) - 1, 2) or '*'}" if name else ""
