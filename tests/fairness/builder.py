"""Build invented rounds whose reveal files the tests verify, forge and compare."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from coupons import fairness
from coupons.fairness import signing

CAMPAIGN = "qianan-1"
ROUND_NO = 1
OPENS_AT_US = 1_656_118_800_000_000  # 2022-06-25 09:00 +08:00
CLOSES_AT_US = 1_656_518_400_000_000  # 2022-06-30 00:00 +08:00
PRIVATE_KEY = hashlib.sha256(b"an invented signing key").digest()
PSEUDONYM_KEY = hashlib.sha256(b"an invented pseudonym key").digest()
SHARES = {name: hashlib.sha512(f"share of {name}".encode()).digest() for name in ("system", "工信局", "审计局")}
ENTROPY = fairness.Entropy("中国体彩排列五第 22164 期", "40712")
HEAD_EVERY = 16  # entries between two signed heads


def person(number: int, round_id: str = f"{CAMPAIGN}/{ROUND_NO}") -> bytes:
    """Return the pseudonym of an invented person."""
    return fairness.pseudonym(PSEUDONYM_KEY, round_id, f"1990000{number:04d}".encode())


def contents(category: str = "dining", **changes: Any) -> fairness.Contents:
    """Return a small deck: 5 of 500, 10 of 100, 25 of 50 yuan and 10 blanks."""
    small = fairness.Contents(
        campaign=CAMPAIGN,
        round_no=ROUND_NO,
        category=category,
        opens_at_us=OPENS_AT_US,
        closes_at_us=CLOSES_AT_US,
        multiplier=3,
        faces=((5000, 25), (10000, 10), (50000, 5)),
        blanks=10,
    )
    return replace(small, **changes)


@dataclass
class Story:
    """A round as the platform would run it: sealed, drawn, signed now and then, revealed."""

    decks: list[fairness.Contents]
    drawn: int
    shares: dict[str, bytes] = field(default_factory=lambda: dict(SHARES))
    entropy: fairness.Entropy | None = ENTROPY
    private_key: bytes = PRIVATE_KEY
    step_us: int = 1_500_000
    head_every: int = HEAD_EVERY
    registrants: int = 0
    void_tickets: tuple[int, ...] = ()

    def commitments(self) -> dict[str, bytes]:
        return {name: fairness.share_commitment(CAMPAIGN, ROUND_NO, name, share) for name, share in self.shares.items()}

    def _registrants(self, deck: fairness.Contents) -> fairness.Registrants | None:
        if deck.mode != fairness.LOTTERY:
            return None
        people = fairness.sorted_registrants(person(number) for number in range(self.registrants))
        digest = fairness.registrants_hash(deck.deck_id, people)
        at_us = OPENS_AT_US + 600_000_000
        signed = signing.sign_registrants(self.private_key, deck.deck_id, len(people), digest, at_us)
        return fairness.Registrants(signed, tuple(people))

    def _deck(self, deck: fairness.Contents) -> fairness.DeckFile:
        plan = fairness.plan_hash(deck)
        where = (CAMPAIGN, ROUND_NO, deck.category)
        commitment = fairness.deck_commitment(*where, plan, self.commitments(), self.entropy)
        seed = fairness.deck_seed(fairness.round_seed(CAMPAIGN, ROUND_NO, self.shares, self.entropy), deck.category)
        start = head = fairness.chain_start(deck.deck_id, commitment, plan)
        heads = [signing.sign_head(self.private_key, deck.deck_id, 0, start, OPENS_AT_US - 3_600_000_000)]
        registrants, pairs = self._registrants(deck), []
        owners = [person(ticket) for ticket in range(self.drawn)]
        at_us = OPENS_AT_US
        if registrants:
            owners = fairness.lottery_order(seed, registrants.pseudonyms)[: deck.size]
            at_us += 660_000_000
        for ticket, card in enumerate(fairness.Deck(seed, deck).cards(0, len(owners))):
            void = ticket in self.void_tickets
            owner, turn, kind = (fairness.NOBODY, 0, fairness.VOID) if void else (owners[ticket], 1, fairness.DRAW)
            entry = fairness.Entry(ticket, card, at_us + ticket * self.step_us, owner, turn, kind)
            head = fairness.link(head, deck.deck_id, *entry)
            pairs.append((entry, head))
            if len(pairs) % self.head_every == 0 or len(pairs) == len(owners):
                signed_at_us = entry.drawn_at_us + 2_000_000
                heads.append(signing.sign_head(self.private_key, deck.deck_id, len(pairs), head, signed_at_us))
        return fairness.deck_file(deck, commitment, start, pairs, heads, registrants)

    def file(self) -> fairness.RoundFile:
        shares = [
            fairness.Share(name, commitment, self.shares[name]) for name, commitment in self.commitments().items()
        ]
        key = signing.public_key(self.private_key)
        return fairness.round_file([self._deck(deck) for deck in self.decks], shares, self.entropy, key)

    def document(self) -> dict[str, Any]:
        return fairness.as_document(self.file())

    def published(self) -> str:
        """Return the text of the file that was kept outside the platform."""
        file = self.file()
        lines = [fairness.key_line(file.public_key)]
        lines += [
            fairness.commitment_line(CAMPAIGN, ROUND_NO, name, value) for name, value in self.commitments().items()
        ]
        if file.entropy:
            lines.append(fairness.source_line(CAMPAIGN, ROUND_NO, file.entropy.source))
        for deck in file.decks:
            lines.append(fairness.seal_line(deck.contents.deck_id, deck.plan_hash, deck.commitment))
            lines += [fairness.head_line(head) for head in deck.heads]
            if deck.registrants:
                lines.append(fairness.registrants_line(deck.registrants.signed))
        return "".join(lines)
