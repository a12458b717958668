"""Three implementations compute the same bytes from the same inputs."""

from __future__ import annotations

import copy
import json

import pytest

from coupons import fairness
from tests.fairness import vectors
from tests.fairness.verifiers import (
    ask_javascript,
    by_javascript,
    by_package,
    by_standalone,
    need_javascript,
    standalone,
)

GIVEN = json.loads(vectors.FILE.read_text())
STATED = GIVEN["answers"]
EXAMPLE = GIVEN["example"]


def test_the_committed_vectors_are_what_the_package_computes():
    assert vectors.inputs() == GIVEN["inputs"]
    assert vectors.answers(GIVEN["inputs"]) == STATED
    assert vectors.examples() == EXAMPLE


def test_the_single_file_computes_the_vectors():
    given = GIVEN["inputs"]
    where = (given["campaign"], given["round"])
    shares = {name: bytes.fromhex(share) for name, share in given["shares"].items()}
    commitments = {name: standalone.share_commitment(*where, name, share) for name, share in shares.items()}
    deck = standalone.deck_name(given, given["category"])
    plan = standalone.plan_hash(given, given["category"], given["contents"])
    commitment = standalone.deck_commitment(deck, plan, commitments, given["entropy"])
    round_seed = standalone.round_seed(*where, shares, given["entropy"])
    seed = standalone.deck_seed(round_seed, given["category"])
    people = [bytes.fromhex(item) for item in given["registrants"]]
    start = head = standalone.chain_start(deck, commitment, plan)
    log = []
    for row in STATED["log"]:
        head = standalone.link(head, deck, *row[:3], bytes.fromhex(row[3]), *row[4:6])
        log.append([*row[:6], head.hex()])
    digest = standalone.registrants_hash(deck, people)
    head_message = standalone.head_message(deck, len(log), head, given["signed_at_us"])
    list_message = standalone.registrants_message(deck, len(people), digest, given["signed_at_us"])
    round_plan = {**given, "decks": [{"category": given["category"], "contents": given["contents"]}]}
    computed = {
        "deck_id": deck,
        "share_commitments": {name: value.hex() for name, value in commitments.items()},
        "plan_hash": plan.hex(),
        "round_plan_hash": standalone.round_plan_hash(round_plan).hex(),
        "deck_commitment": commitment.hex(),
        "round_seed": round_seed.hex(),
        "deck_seed": seed.hex(),
        "cards": standalone.cards(seed, given["contents"], 1000),
        "registrants_hash": digest.hex(),
        "lottery_order": [item.hex() for item in standalone.lottery_order(seed, people)],
        "chain_start": start.hex(),
        "log": log,
        "head_message": head_message.hex(),
        "registrants_message": list_message.hex(),
    }
    assert computed == {name: STATED[name] for name in computed}
    key = bytes.fromhex(STATED["public_key"])
    assert standalone.signature_holds(key, head_message, bytes.fromhex(STATED["head_signature"]))
    assert standalone.signature_holds(key, list_message, bytes.fromhex(STATED["registrants_signature"]))


def test_the_browsers_code_computes_the_vectors():
    task = {"task": "vectors", "inputs": GIVEN["inputs"], "answers": STATED}
    [computed] = ask_javascript([task], need_javascript())
    assert computed.pop("signatures_hold") == [True, True]
    assert computed == {name: STATED[name] for name in computed}


def test_the_example_is_green_to_all_three():
    case = (EXAMPLE["document"], EXAMPLE["published"])
    found = by_package(*case)
    assert [kind[0] for kind in found] == EXAMPLE["findings"]
    assert {kind[3] for kind in found} == {"note"}
    assert by_standalone(*case) == found
    assert by_javascript([case], need_javascript()) == [found]


SPAN = 3 * 2**24
LIMIT = 2**64 - 2**64 % SPAN
WORDS = [(2**64 - 1), LIMIT, LIMIT - 1, 5]


def _as_digest(word: int) -> bytes:
    return word.to_bytes(8, "big") + bytes(24)


def test_all_three_reject_the_words_that_would_favour_low_results(monkeypatch):
    from coupons.fairness.deck import _shuffle_range

    asked = []

    def word(k, attempt):
        asked.append(attempt)
        return WORDS[attempt] if k == 0 else 0

    items = bytearray(SPAN)
    items[(LIMIT - 1) % SPAN] = 1
    _shuffle_range(items, word, 0, 1)
    assert (items[0], asked) == (1, [0, 1, 2])

    def mac(_key, message):
        return _as_digest(WORDS[message[-1]])

    monkeypatch.setattr(standalone, "mac", mac)
    assert standalone.uniform(b"", "shuffle", 0, SPAN) == (LIMIT - 1) % SPAN
    task = {"task": "uniform", "span": SPAN, "words": [_as_digest(word).hex() for word in WORDS]}
    assert ask_javascript([task], need_javascript()) == [(LIMIT - 1) % SPAN]


@pytest.mark.parametrize("key", ["share", "entropy", "category"])
def test_every_input_changes_the_seed(key):
    given = copy.deepcopy(GIVEN["inputs"])
    if key == "share":
        given["shares"]["system"] = "00" * 32
    elif key == "entropy":
        given["entropy"]["value"] = "40713"
    else:
        given["category"] = "book"
    assert vectors.answers(given)["deck_seed"] != STATED["deck_seed"]


def test_a_pseudonym_belongs_to_one_round_and_one_phone():
    key = bytes.fromhex(GIVEN["inputs"]["pseudonym_key"])
    names = {fairness.pseudonym(key, f"qianan-1/{n}", phone) for n in (1, 2) for phone in (b"19900000000", b"x")}
    assert len(names) == 4
