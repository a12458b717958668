"""Write and read the two public files: a round's reveal file and the list of what was published on the way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .encoding import Contents, plan_hash, round_plan_hash
from .log import Entry, SignedHead, SignedRegistrants
from .seeds import Entropy

FORMAT = "huigou-fairness-round"
VERSION = 1
SIGNATURE_BYTES = 64


class Malformed(ValueError):
    """Say where a file does not have the form that the specification gives it."""


@dataclass(frozen=True, slots=True)
class Share:
    """Hold one custodian's part; `value` is None until the reveal."""

    custodian: str
    commitment: bytes
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class Registrants:
    """Hold the list of a joint draw as it was signed before the draw."""

    signed: SignedRegistrants
    pseudonyms: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class DeckFile:
    """Hold a deck as the reveal file states it; `links[k]` is the chain's head after `log[k]`."""

    contents: Contents
    plan_hash: bytes
    commitment: bytes
    size: int
    drawn: int
    head: bytes
    log: Sequence[Entry]
    links: Sequence[bytes]
    heads: Sequence[SignedHead] = ()
    registrants: Registrants | None = None


@dataclass(frozen=True, slots=True)
class RoundFile:
    """Hold a whole reveal file."""

    campaign: str
    round_no: int
    opens_at_us: int
    closes_at_us: int
    plan_hash: bytes
    shares: Sequence[Share]
    entropy: Entropy | None
    public_key: bytes
    decks: Sequence[DeckFile]


@dataclass(slots=True)
class Published:
    """Hold what was published while the round ran, kept by somebody outside the platform.

    `commitments` are {(campaign, round, custodian): commitment}, `seals` {deck: (plan hash, deck commitment)} and
    `sources` {(campaign, round): where its public entropy comes from}.
    """

    public_key: bytes | None = None
    commitments: dict[tuple[str, int, str], bytes] = field(default_factory=dict)
    heads: list[SignedHead] = field(default_factory=list)
    registrants: list[SignedRegistrants] = field(default_factory=list)
    seals: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    sources: dict[tuple[str, int], str] = field(default_factory=dict)


# ---- writing


def deck_file(
    contents: Contents,
    commitment: bytes,
    start: bytes,
    entries: Iterable[tuple[Entry, bytes]],
    heads: Sequence[SignedHead] = (),
    registrants: Registrants | None = None,
    sealed_plan: bytes | None = None,
) -> DeckFile:
    """Return a deck's part of the file from its log of (entry, head after it) and the empty log's head.

    `sealed_plan` is the plan's hash as it was frozen at dealing; without it the contents' own is stated.
    """
    pairs = list(entries)
    links = [after for _, after in pairs]
    return DeckFile(
        contents=contents,
        plan_hash=sealed_plan or plan_hash(contents),
        commitment=commitment,
        size=contents.size,
        drawn=len(pairs),
        head=links[-1] if links else start,
        log=[entry for entry, _ in pairs],
        links=links,
        heads=heads,
        registrants=registrants,
    )


def round_file(
    decks: Sequence[DeckFile], shares: Sequence[Share], entropy: Entropy | None, public_key: bytes
) -> RoundFile:
    """Return the whole file of decks that belong to one round; raise ValueError when they do not."""
    first = decks[0].contents
    same = {(c.campaign, c.round_no, c.opens_at_us, c.closes_at_us) for c in (deck.contents for deck in decks)}
    if len(same) != 1:
        raise ValueError("the decks are of different rounds")
    return RoundFile(
        campaign=first.campaign,
        round_no=first.round_no,
        opens_at_us=first.opens_at_us,
        closes_at_us=first.closes_at_us,
        plan_hash=round_plan_hash(deck.contents for deck in decks),
        shares=shares,
        entropy=entropy,
        public_key=public_key,
        decks=decks,
    )


def as_document(file: RoundFile) -> dict[str, Any]:
    """Return the file as the object that becomes JSON."""
    entropy = file.entropy and {"source": file.entropy.source, "value": file.entropy.value}
    return {
        "format": FORMAT,
        "version": VERSION,
        "campaign": file.campaign,
        "round": file.round_no,
        "opens_at_us": file.opens_at_us,
        "closes_at_us": file.closes_at_us,
        "plan_hash": file.plan_hash.hex(),
        "shares": [
            {"custodian": s.custodian, "commitment": s.commitment.hex(), "share": s.value and s.value.hex()}
            for s in file.shares
        ],
        "entropy": entropy,
        "public_key": file.public_key.hex(),
        "decks": [_deck_object(deck) for deck in file.decks],
    }


def _deck_object(deck: DeckFile) -> dict[str, Any]:
    contents = deck.contents
    return {
        "category": contents.category,
        "contents": {
            "mode": contents.mode,
            "turns": contents.turns,
            "multiplier": contents.multiplier,
            "faces": [list(pair) for pair in contents.faces],
            "blanks": contents.blanks,
        },
        "plan_hash": deck.plan_hash.hex(),
        "commitment": deck.commitment.hex(),
        "size": deck.size,
        "drawn": deck.drawn,
        "head": deck.head.hex(),
        "heads": [[h.tickets, h.head.hex(), h.signed_at_us, h.signature.hex()] for h in deck.heads],
        "registrants": deck.registrants
        and {
            "count": deck.registrants.signed.people,
            "hash": deck.registrants.signed.digest.hex(),
            "signed_at_us": deck.registrants.signed.signed_at_us,
            "signature": deck.registrants.signed.signature.hex(),
            "list": [pseudonym.hex() for pseudonym in deck.registrants.pseudonyms],
        },
        "log": [
            [e.ticket, e.face_fen, e.drawn_at_us, e.pseudonym.hex(), e.turn, e.kind, after.hex()]
            for e, after in zip(deck.log, deck.links, strict=True)
        ],
    }


def key_line(public_key: bytes) -> str:
    """Return the published file's line that names the key."""
    return _line({"kind": "key", "public_key": public_key.hex()})


def commitment_line(campaign: str, round_no: int, custodian: str, commitment: bytes) -> str:
    """Return the published file's line of a custodian's commitment."""
    named = {"campaign": campaign, "round": round_no, "custodian": custodian}
    return _line({"kind": "commitment", **named, "commitment": commitment.hex()})


def source_line(campaign: str, round_no: int, source: str) -> str:
    """Return the published file's line of where a round's public entropy will come from."""
    return _line({"kind": "source", "campaign": campaign, "round": round_no, "source": source})


def seal_line(deck: str, plan_hash: bytes, commitment: bytes) -> str:
    """Return the published file's line of what a deck was dealt from; the empty log's signed head covers both."""
    return _line({"kind": "seal", "deck": deck, "plan_hash": plan_hash.hex(), "commitment": commitment.hex()})


def head_line(signed: SignedHead) -> str:
    """Return the published file's line of a signed head."""
    stated = {"deck": signed.deck, "tickets": signed.tickets, "head": signed.head.hex()}
    return _line({"kind": "head", **stated, **_signed(signed)})


def registrants_line(signed: SignedRegistrants) -> str:
    """Return the published file's line of a joint draw's list."""
    stated = {"deck": signed.deck, "count": signed.people, "hash": signed.digest.hex()}
    return _line({"kind": "registrants", **stated, **_signed(signed)})


def _signed(signed: SignedHead | SignedRegistrants) -> dict[str, Any]:
    return {"signed_at_us": signed.signed_at_us, "signature": signed.signature.hex()}


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
