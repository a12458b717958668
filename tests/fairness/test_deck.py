"""A ticket's card is a pure function of seed and ticket, cheap, and dealt exactly once."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coupons import fairness
from coupons.fairness.encoding import MAX_INTEGER
from tests.fairness.builder import contents

SEED = hashlib.sha256(b"an invented deck seed").digest()


def by_the_book(seed: bytes, deck: fairness.Contents) -> list[int]:
    """Shuffle as docs/fairness.md says, without a thought for speed."""
    cards = [face for face, count in deck.faces for _ in range(count)] + [0] * deck.blanks
    domain = b"huigou-fairness/1/shuffle"
    for k in range(len(cards)):
        span, attempt = len(cards) - k, 0
        while True:
            message = len(domain).to_bytes(4, "big") + domain + k.to_bytes(8, "big") + attempt.to_bytes(4, "big")
            word = int.from_bytes(hmac.new(seed, message, hashlib.sha256).digest()[:8], "big")
            if word < 2**64 - 2**64 % span:
                break
            attempt += 1
        j = k + word % span
        cards[k], cards[j] = cards[j], cards[k]
    return cards


@settings(max_examples=50, deadline=None)
@given(
    seed=st.binary(min_size=32, max_size=32),
    counts=st.dictionaries(st.integers(1, 100_000), st.integers(0, 30), max_size=6),
    blanks=st.integers(0, 30),
)
def test_cards_come_by_the_book_and_exactly_once(seed, counts, blanks):
    deck = contents(faces=fairness.sorted_faces(counts), blanks=blanks)
    cards = fairness.Deck(seed, deck).cards(0, deck.size)
    assert cards == by_the_book(seed, deck)
    assert Counter(cards) == Counter(counts) + Counter({0: blanks})


def test_the_order_of_asking_changes_nothing():
    deck = contents()
    whole = fairness.Deck(SEED, deck).cards(0, 50)
    lazy = fairness.Deck(SEED, deck)
    assert [lazy.card(ticket) for ticket in (30, 2, 49, 2, 31)] == [whole[t] for t in (30, 2, 49, 2, 31)]
    assert lazy.cards(10, 5) == whole[10:15]
    assert lazy.cards(50, 0) == []


@pytest.mark.parametrize("ticket", [-1, 50, 51])
def test_there_is_no_card_outside_the_deck(ticket):
    deck = fairness.Deck(SEED, contents())
    with pytest.raises(IndexError):
        deck.card(ticket)
    with pytest.raises(IndexError):
        deck.cards(ticket, 1)


def test_a_seed_of_another_length_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        fairness.Deck(b"short", contents())


def test_five_million_cards_are_ready_at_once_and_draw_as_fast_as_twenty_thousand():
    def seconds_for_20_000_tickets(deck):
        started = time.perf_counter()
        deck.cards(0, 20_000)
        return time.perf_counter() - started

    started = time.perf_counter()
    large = fairness.Deck(SEED, contents(faces=((2000, 4_000_000), (50000, 500_000)), blanks=500_000))
    assert time.perf_counter() - started < 0.3
    small = fairness.Deck(SEED, contents(faces=((2000, 16_000), (50000, 2_000)), blanks=2_000))
    took = seconds_for_20_000_tickets(large)
    assert took < 0.5  # 25 us a ticket; about 1 us on an idle machine
    assert took < 5 * seconds_for_20_000_tickets(small)


def test_a_joint_draw_orders_every_registrant_once_and_not_as_the_cards():
    people = [hashlib.sha256(bytes([number])).digest() for number in range(40)]
    order = fairness.lottery_order(SEED, reversed(people))
    assert order == fairness.lottery_order(SEED, people)
    assert sorted(order) == sorted(people)
    assert order != sorted(people)
    # the same seed under the cards' tag would give this order
    ranks = fairness.Deck(SEED, contents(faces=tuple((n + 1, 1) for n in range(40)), blanks=0)).cards(0, 40)
    assert order != [sorted(people)[rank - 1] for rank in ranks]


def test_a_link_covers_every_part_of_an_entry():
    base = (bytes(32), "a/1/b", 1, 2, 3, bytes(32), 1, fairness.DRAW)
    changed = [(*base[:i], value, *base[i + 1 :]) for i, value in enumerate((SEED, "a/1/c", 9, 9, 9, SEED, 9, 2))]
    assert len({fairness.link(*args) for args in [base, *changed]}) == 9
    for wrong in ((b"", *base[1:]), (*base[:5], b"short", 1, 1)):
        with pytest.raises(ValueError, match="32 bytes"):
            fairness.link(*wrong)


def test_chain_and_link_agree():
    entries = [fairness.Entry(k, 0, k, SEED) for k in range(3)]
    heads = list(fairness.chain(SEED, "a/1/b", entries))
    prev = SEED
    for entry, head in zip(entries, heads, strict=True):
        prev = fairness.link(prev, "a/1/b", *entry)
        assert prev == head
    assert list(islice(fairness.chain(SEED, "a/1/b", []), 1)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"faces": ((5000, 1), (2000, 1))},
        {"faces": ((2000, 1), (2000, 1))},
        {"faces": ((2000, 0),)},
        {"faces": ((0, 1),)},
        {"faces": tuple((n, 1) for n in range(1, 257))},
        {"faces": ((2000, 50_000_001),)},
        {"faces": ((2000.0, 1),)},
        {"blanks": -1},
        {"multiplier": 0},
        {"turns": 0},
        {"round_no": 0},
        {"multiplier": MAX_INTEGER + 1},
        {"mode": "raffle"},
        {"campaign": "a/b"},
        {"category": ""},
        {"category": "a\nb"},
        {"closes_at_us": 0},
    ],
)
def test_contents_without_a_canonical_form_are_refused(changes):
    with pytest.raises(ValueError, match=r".+"):
        contents(**changes)


def test_times_are_whole_microseconds():
    at = fairness.moment_of(1_656_118_800_000_001)
    assert at.isoformat() == "2022-06-25T01:00:00.000001+00:00"
    assert fairness.microseconds(at) == 1_656_118_800_000_001
