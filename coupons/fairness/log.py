"""Chain the draws of a deck, without persons, so that no entry can be changed quietly."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from .encoding import DIGEST_BYTES, framed, framed_text, sha256, tag, u64

DRAW = 1
VOID = 2
KINDS = (DRAW, VOID)
NOBODY = bytes(DIGEST_BYTES)
_pack_entry = struct.Struct(">32sQQQ32sIB").pack


class Entry(NamedTuple):
    """Hold one line of a deck's log; a void ticket has NOBODY as pseudonym and turn 0."""

    ticket: int
    face_fen: int
    drawn_at_us: int
    pseudonym: bytes
    turn: int = 1
    kind: int = DRAW


class SignedHead(NamedTuple):
    """Hold a published statement: after `tickets` entries the chain of `deck` stood at `head`."""

    deck: str
    tickets: int
    head: bytes
    signed_at_us: int
    signature: bytes


class SignedRegistrants(NamedTuple):
    """Hold a published statement: `people` people are in the joint draw of `deck`, and the hash of their list."""

    deck: str
    people: int
    digest: bytes
    signed_at_us: int
    signature: bytes


@lru_cache(maxsize=8)
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, tag("pseudonym"), "sha256")


def pseudonym(key: bytes, round_id: str, phone_key: bytes) -> bytes:
    """Return the name under which a person appears in the logs of one round; `key` is never revealed."""
    # The keyed state is copied: hmac.digest lets go of Python's lock in every call, and a batch of draws that names its
    # people would wait for it again and again.
    name = _keyed(key).copy()
    name.update(framed_text(round_id) + framed(phone_key))
    return name.digest()


def chain_start(deck: str, commitment: bytes, plan_hash: bytes) -> bytes:
    """Return the head of an empty log: it fixes what was sealed before the first ticket."""
    return sha256(tag("log-start") + framed_text(deck) + commitment + plan_hash)


@lru_cache(maxsize=256)
def _prefix(deck: str) -> bytes:
    return tag("log-entry") + framed_text(deck)


def link(
    prev: bytes,
    deck: str,
    ticket: int,
    face_fen: int,
    drawn_at_us: int,
    pseudonym: bytes,
    turn: int = 1,
    kind: int = DRAW,
) -> bytes:
    """Return the chain's new head after one entry; both byte strings are 32 bytes."""
    # struct would pad or cut a wrong length in silence
    if len(prev) != 32 or len(pseudonym) != 32:
        raise ValueError("a head and a pseudonym are 32 bytes")
    entry = _pack_entry(prev, ticket, face_fen, drawn_at_us, pseudonym, turn, kind)
    return hashlib.sha256(_prefix(deck) + entry).digest()


def chain(prev: bytes, deck: str, entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield the head after each entry."""
    for entry in entries:
        prev = link(prev, deck, *entry)
        yield prev


def head_message(deck: str, tickets: int, head: bytes, signed_at_us: int) -> bytes:
    """Return the bytes that are signed for a head."""
    if len(head) != DIGEST_BYTES:
        raise ValueError("a head is 32 bytes")
    return tag("head") + framed_text(deck) + u64(tickets) + head + u64(signed_at_us)


def registrants_message(deck: str, people: int, digest: bytes, signed_at_us: int) -> bytes:
    """Return the bytes that are signed for the list of a joint draw."""
    if len(digest) != DIGEST_BYTES:
        raise ValueError("a hash is 32 bytes")
    return tag("registrants-signed") + framed_text(deck) + u64(people) + digest + u64(signed_at_us)
