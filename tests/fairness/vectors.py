"""Write the test vectors that a stranger's verifier can be held against: python -m tests.fairness.vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coupons import fairness
from coupons.fairness import signing
from tests.fairness.builder import (
    CAMPAIGN,
    ENTROPY,
    OPENS_AT_US,
    PRIVATE_KEY,
    PSEUDONYM_KEY,
    ROUND_NO,
    SHARES,
    Story,
    contents,
    person,
)

VERIFY = Path(__file__).resolve().parents[2] / "coupons" / "static" / "coupons" / "verify"
FILE = VERIFY / "vectors.json"


def inputs() -> dict[str, Any]:
    """Return everything that the vectors are computed from, as JSON."""
    deck = contents()
    return {
        "campaign": CAMPAIGN,
        "round": ROUND_NO,
        "opens_at_us": deck.opens_at_us,
        "closes_at_us": deck.closes_at_us,
        "category": deck.category,
        "contents": {
            "mode": deck.mode,
            "turns": deck.turns,
            "multiplier": deck.multiplier,
            "faces": [list(pair) for pair in deck.faces],
            "blanks": deck.blanks,
        },
        "shares": {name: share.hex() for name, share in SHARES.items()},
        "entropy": {"source": ENTROPY.source, "value": ENTROPY.value},
        "pseudonym_key": PSEUDONYM_KEY.hex(),
        "phone_key": b"19900000000".hex(),
        "registrants": [person(number).hex() for number in range(8)],
        "drawn_at_us": OPENS_AT_US + 1,
        "signed_at_us": OPENS_AT_US + 5_000_000,
        "private_key": PRIVATE_KEY.hex(),
    }


def answers(given: dict[str, Any]) -> dict[str, Any]:
    """Return what the package computes from the inputs."""
    inner = {**given["contents"], "faces": tuple(tuple(pair) for pair in given["contents"]["faces"])}
    deck = fairness.Contents(
        campaign=given["campaign"],
        round_no=given["round"],
        category=given["category"],
        opens_at_us=given["opens_at_us"],
        closes_at_us=given["closes_at_us"],
        **inner,
    )
    where = (deck.campaign, deck.round_no)
    shares = {name: bytes.fromhex(share) for name, share in given["shares"].items()}
    entropy = fairness.Entropy(**given["entropy"])
    commitments = {name: fairness.share_commitment(*where, name, share) for name, share in shares.items()}
    plan = fairness.plan_hash(deck)
    commitment = fairness.deck_commitment(*where, deck.category, plan, commitments, entropy)
    round_seed = fairness.round_seed(*where, shares, entropy)
    seed = fairness.deck_seed(round_seed, deck.category)
    people = [bytes.fromhex(item) for item in given["registrants"]]
    order = fairness.lottery_order(seed, people)
    start = fairness.chain_start(deck.deck_id, commitment, plan)
    cards = fairness.Deck(seed, deck).cards(0, deck.size)
    entries = [fairness.Entry(k, cards[k], given["drawn_at_us"] + k, order[k]) for k in range(3)]
    entries.append(fairness.Entry(3, cards[3], given["drawn_at_us"] + 3, fairness.NOBODY, 0, fairness.VOID))
    links = list(fairness.chain(start, deck.deck_id, entries))
    digest = fairness.registrants_hash(deck.deck_id, people)
    private = bytes.fromhex(given["private_key"])
    args = (deck.deck_id, len(links), links[-1], given["signed_at_us"])
    listed = (deck.deck_id, len(people), digest, given["signed_at_us"])
    return {
        "deck_id": deck.deck_id,
        "share_commitments": {name: value.hex() for name, value in commitments.items()},
        "plan_json": deck.canonical().decode(),
        "plan_hash": plan.hex(),
        "round_plan_hash": fairness.round_plan_hash([deck]).hex(),
        "deck_commitment": commitment.hex(),
        "round_seed": round_seed.hex(),
        "deck_seed": seed.hex(),
        "cards": cards,
        "pseudonym": fairness.pseudonym(
            bytes.fromhex(given["pseudonym_key"]), fairness.round_id(*where), bytes.fromhex(given["phone_key"])
        ).hex(),
        "registrants_hash": digest.hex(),
        "lottery_order": [item.hex() for item in order],
        "chain_start": start.hex(),
        "log": [[*e[:3], e[3].hex(), *e[4:], after.hex()] for e, after in zip(entries, links, strict=True)],
        "public_key": signing.public_key(private).hex(),
        "head_message": fairness.head_message(*args).hex(),
        "head_signature": signing.sign_head(private, *args).signature.hex(),
        "registrants_message": fairness.registrants_message(*listed).hex(),
        "registrants_signature": signing.sign_registrants(private, *listed).signature.hex(),
    }


def examples() -> dict[str, Any]:
    """Return a small honest round with both modes and a void ticket, and its published file."""
    decks = [contents(), contents("farm", mode=fairness.LOTTERY, blanks=0, faces=((2000, 6), (5000, 3)))]
    story = Story(decks, drawn=20, registrants=12, void_tickets=(4,))
    return {"document": story.document(), "published": story.published(), "findings": ["void", "void"]}


def main() -> None:
    given = inputs()
    value = {"inputs": given, "answers": answers(given), "example": examples()}
    FILE.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
