"""Our Ed25519 verification agrees with RFC 8032 and with the library that signs."""

from __future__ import annotations

import random

import pytest

from coupons.fairness import ed25519, signing
from tests.fairness.verifiers import ask_javascript, need_javascript, standalone

# RFC 8032, 7.1: public key, message, signature
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
RFC_ITEMS = [tuple(bytes.fromhex(part) for part in item) for item in RFC_8032]


def spoiled() -> list[tuple[bytes, bytes, bytes]]:
    """Return signatures with one bit turned somewhere, and some of special form."""
    rng = random.Random(8032)
    items = []
    for number in range(24):
        private = rng.randbytes(32)
        parts = [bytearray(signing.public_key(private)), bytearray(rng.randbytes(number)), bytearray()]
        parts[2] = bytearray(signing.sign(private, bytes(parts[1])))
        part = parts[rng.choice([0, 2])]
        part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)
        items.append(tuple(bytes(p) for p in parts))
    key, message, signature = RFC_ITEMS[1]
    too_large = int.from_bytes(signature[32:], "little") + ed25519.ORDER
    items.append((key, message, signature[:32] + too_large.to_bytes(32, "little")))
    items.append(((2**255 - 18).to_bytes(32, "little"), message, signature))
    items.append(((1 | 1 << 255).to_bytes(32, "little"), message, signature))
    return items


@pytest.mark.parametrize("verify", [ed25519.verify, signing.verify, standalone.signature_holds])
def test_the_rfcs_signatures_hold_and_spoiled_ones_do_not(verify):
    assert [verify(*item) for item in RFC_ITEMS] == [True] * 3
    assert [verify(*item) for item in spoiled()] == [False] * 27


def test_the_browsers_code_agrees():
    items = [[part.hex() for part in item] for item in [*RFC_ITEMS, *spoiled()]]
    [found] = ask_javascript([{"task": "signatures", "items": items}], need_javascript())
    assert found == [True] * 3 + [False] * 27


def test_a_signature_or_key_of_another_length_does_not_hold():
    key, message, signature = RFC_ITEMS[0]
    assert not ed25519.verify(key[:31], message, signature)
    assert not ed25519.verify(key, message, signature[:63])
    assert not signing.verify(key[:31], message, signature)


def test_a_new_key_signs():
    private = signing.generate_key()
    assert ed25519.verify(signing.public_key(private), b"x", signing.sign(private, b"x"))
    assert signing.generate_key() != private
