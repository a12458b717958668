"""Sign heads with Ed25519. The only module of the package that needs `cryptography`."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .log import SignedHead, SignedRegistrants, head_message, registrants_message


def generate_key() -> bytes:
    """Return a new private key, 32 bytes."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(private_key: bytes) -> bytes:
    """Return the public key, 32 bytes, of a private key."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def sign(private_key: bytes, message: bytes) -> bytes:
    """Return the signature of 64 bytes."""
    return Ed25519PrivateKey.from_private_bytes(private_key).sign(message)


def sign_head(private_key: bytes, deck: str, tickets: int, head: bytes, signed_at_us: int) -> SignedHead:
    """Return the statement that the chain of `deck` stood at `head` after `tickets` entries."""
    signature = sign(private_key, head_message(deck, tickets, head, signed_at_us))
    return SignedHead(deck, tickets, head, signed_at_us, signature)


def sign_registrants(private_key: bytes, deck: str, people: int, digest: bytes, signed_at_us: int) -> SignedRegistrants:
    """Return the statement that fixes who is in a joint draw."""
    signature = sign(private_key, registrants_message(deck, people, digest, signed_at_us))
    return SignedRegistrants(deck, people, digest, signed_at_us, signature)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether a signature holds, as `ed25519.verify` does and several times faster."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
