"""Combine the shares of several hands into one seed that none of them could choose alone."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from .encoding import DIGEST_BYTES, check_name, deck_id, framed, framed_text, sha256, tag, u64

SYSTEM = "system"
MIN_SHARE_BYTES = 32
MAX_SHARE_BYTES = 1024
MAX_SHARES = 4


@dataclass(frozen=True, slots=True)
class Entropy:
    """Hold the public value that became known after the commitments, and the source named ahead."""

    source: str
    value: str

    def __post_init__(self) -> None:
        check_name(self.source)
        check_name(self.value)


def _entropy_bytes(entropy: Entropy | None) -> bytes:
    if entropy is None:
        return b"\x00"
    return b"\x01" + framed_text(entropy.source) + framed_text(entropy.value)


def _by_name(named: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    if not 1 <= len(named) <= MAX_SHARES:
        raise ValueError(f"a round has 1 to {MAX_SHARES} shares")
    return sorted(named.items(), key=lambda item: check_name(item[0]).encode())


def share_commitment(campaign: str, round_no: int, custodian: str, share: bytes) -> bytes:
    """Return the commitment a custodian publishes a day ahead.

    It carries the custodian's name, so that nobody can pass another's commitment off as his own. Raises ValueError
    for a share of fewer than 32 bytes: it would not hide itself.
    """
    if not MIN_SHARE_BYTES <= len(share) <= MAX_SHARE_BYTES:
        raise ValueError(f"a share is {MIN_SHARE_BYTES} to {MAX_SHARE_BYTES} bytes")
    where = framed_text(campaign) + u64(round_no) + framed_text(check_name(custodian))
    return sha256(tag("share") + where + framed(share))


def round_seed(campaign: str, round_no: int, shares: Mapping[str, bytes], entropy: Entropy | None = None) -> bytes:
    """Return the seed of a round from {custodian: share} and the optional public entropy."""
    ordered = _by_name(shares)
    body = b"".join(framed_text(name) + framed(share) for name, share in ordered)
    message = framed_text(campaign) + u64(round_no) + u64(len(ordered)) + body + _entropy_bytes(entropy)
    return hmac.digest(tag("round-seed"), message, "sha256")


def deck_seed(seed: bytes, category: str) -> bytes:
    """Return the seed of one category's deck from the round's seed."""
    return hmac.digest(seed, tag("deck-seed") + framed_text(category), "sha256")


def deck_commitment(
    campaign: str,
    round_no: int,
    category: str,
    plan_hash: bytes,
    share_commitments: Mapping[str, bytes],
    entropy: Entropy | None = None,
) -> bytes:
    """Return what the public page shows before the opening: it fixes shares, entropy and contents at once."""
    ordered = _by_name(share_commitments)
    if any(len(digest) != DIGEST_BYTES for digest in (plan_hash, *share_commitments.values())):
        raise ValueError("hashes are 32 bytes")
    body = b"".join(framed_text(name) + commitment for name, commitment in ordered)
    head = tag("deck-commitment") + framed_text(deck_id(campaign, round_no, category)) + plan_hash
    return sha256(head + u64(len(ordered)) + body + _entropy_bytes(entropy))
