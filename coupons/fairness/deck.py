"""Put a deck's cards in the order that its seed fixes, as far as they are asked for."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable
from itertools import pairwise

from .encoding import Contents, framed_text, sha256, tag, u64

HMAC_BLOCK_BYTES = 64
TWO_64 = 2**64
_POSITION = struct.Struct(">QI")


def _keyed_words(seed: bytes, name: str) -> Callable[[int, int], int]:
    """Return f(k, attempt): the first eight bytes of HMAC-SHA256(seed, tag || k || attempt), big endian.

    The two keyed states are hashed once and copied: 0.6 us a call where hmac.digest takes 1.4 us.
    """
    if len(seed) != hashlib.sha256().digest_size:
        raise ValueError("a deck's seed is 32 bytes")
    key = seed.ljust(HMAC_BLOCK_BYTES, b"\x00")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + tag(name)).copy
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key)).copy
    pack, number = _POSITION.pack, int.from_bytes

    def word(k: int, attempt: int) -> int:
        first = inner()
        first.update(pack(k, attempt))
        second = outer()
        second.update(first.digest())
        return number(second.digest()[:8], "big")

    return word


def _shuffle_range(items: bytearray | list[bytes], word: Callable[[int, int], int], start: int, stop: int) -> None:
    """Carry a forward Fisher-Yates on from position `start` to `stop`; what stands before is final."""
    size = len(items)
    for k in range(start, stop):
        span = size - k
        value = word(k, 0)
        if value >= TWO_64 - span:  # only here can the value lie in the part that would favour low results
            attempt, limit = 0, TWO_64 - TWO_64 % span
            while value >= limit:
                attempt += 1
                value = word(k, attempt)
        j = k + value % span
        items[k], items[j] = items[j], items[k]  # type: ignore[assignment]


class Deck:
    """Answer which card a ticket gets; tickets count from 0.

    One byte per card. Building is cheap, and each ticket up to the highest one asked for costs about a microsecond,
    once. Not for several threads at the same time.
    """

    __slots__ = ("_cards", "_done", "_faces", "_word", "size")

    def __init__(self, seed: bytes, contents: Contents) -> None:
        self.size = contents.size
        self._faces = [face_fen for face_fen, _ in contents.faces] + [0]
        counts = [count for _, count in contents.faces] + [contents.blanks]
        self._cards = bytearray().join(bytes([index]) * count for index, count in enumerate(counts))
        self._done = 0
        self._word = _keyed_words(seed, "shuffle")

    def card(self, ticket: int) -> int:
        """Return the face in fen of a ticket's card, 0 for a blank; raise IndexError outside the deck."""
        if not 0 <= ticket < self.size:
            raise IndexError(f"ticket {ticket} of a deck of {self.size}")
        self._extend(ticket + 1)
        return self._faces[self._cards[ticket]]

    def cards(self, first: int, count: int) -> list[int]:
        """Return the cards of `count` tickets from `first` on; raise IndexError outside the deck."""
        if first < 0 or count < 0 or first + count > self.size:
            raise IndexError(f"tickets {first} to {first + count - 1} of a deck of {self.size}")
        self._extend(first + count)
        faces = self._faces
        return [faces[index] for index in self._cards[first : first + count]]

    def _extend(self, stop: int) -> None:
        if stop > self._done:
            _shuffle_range(self._cards, self._word, self._done, stop)
            self._done = stop


def sorted_registrants(pseudonyms: Iterable[bytes]) -> list[bytes]:
    """Return the registrants ascending; raise ValueError for a repeated one or one that is not 32 bytes."""
    ordered = sorted(pseudonyms)
    if any(len(pseudonym) != 32 for pseudonym in ordered):
        raise ValueError("a pseudonym is 32 bytes")
    if any(a == b for a, b in pairwise(ordered)):
        raise ValueError("a registrant stands in the list once")
    return ordered


def registrants_hash(deck: str, pseudonyms: Iterable[bytes]) -> bytes:
    """Return what is published when registration ends and before the joint draw."""
    ordered = sorted_registrants(pseudonyms)
    return sha256(tag("registrants") + framed_text(deck) + u64(len(ordered)) + b"".join(ordered))


def lottery_order(seed: bytes, pseudonyms: Iterable[bytes]) -> list[bytes]:
    """Return the registrants in the order of their tickets: the k-th gets ticket k, the rest beyond the deck none.

    `seed` is the deck's seed; the words come from another tag than the cards' words.
    """
    order = sorted_registrants(pseudonyms)
    _shuffle_range(order, _keyed_words(seed, "lottery"), 0, len(order))
    return order
