"""The shuffle favours no place in the deck; a shuffle that does is caught by the same tests."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from coupons import fairness
from tests.fairness.builder import contents

DECKS = 1_000
DECK = contents(faces=((2000, 120), (5000, 90), (10000, 45), (50000, 15)), blanks=30)
HIGH_FEN = 10000
LEAST_P = 1e-4

Shuffle = Callable[[bytes], list[int]]


def upper_gamma(a: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function Q(a, x), by series or continued fraction."""
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        n = a
        while term > total * 1e-16:
            n += 1
            term *= x / n
            total += term
        return 1 - total * scale
    b, c = x + 1 - a, 1e300
    d = 1 / b
    h = d
    for i in range(1, 10_000):
        an = -i * (i - a)
        b += 2
        d = 1 / (an * d + b)
        c = b + an / c
        h *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return scale * h


def chi_square_p(statistic: float, degrees: int) -> float:
    """Return the chance of a chi-square of that size or larger."""
    return upper_gamma(degrees / 2, statistic / 2)


def normal_p(z: float) -> float:
    """Return the chance of a standard normal value of that size or larger."""
    return math.erfc(z / math.sqrt(2)) / 2


def face_against_third(decks: list[list[int]]) -> float:
    """Return p for faces being spread alike over the thirds of a deck.

    The margins of each deck are fixed, which shrinks the statistic's scale by n / (n - 1).
    """
    size = DECK.size
    table = Counter((card, 3 * place // size) for deck in decks for place, card in enumerate(deck))
    cards = Counter(decks[0])
    statistic = 0.0
    for card, count in cards.items():
        for third in range(3):
            expected = len(decks) * count / 3
            statistic += (table[card, third] - expected) ** 2 / expected
    return chi_square_p(statistic * (size - 1) / size, (len(cards) - 1) * 2)


def runs_on_high_faces(decks: list[list[int]]) -> float:
    """Return p of the number of runs of high and other cards (Wald and Wolfowitz), all decks together."""
    size, high = DECK.size, sum(card >= HIGH_FEN for card in decks[0])
    low = size - high
    mean = 1 + 2 * high * low / size
    variance = 2 * high * low * (2 * high * low - size) / (size**2 * (size - 1))
    runs = sum(1 + sum((a >= HIGH_FEN) != (b >= HIGH_FEN) for a, b in pairwise(deck)) for deck in decks)
    return normal_p((runs - mean * len(decks)) / math.sqrt(variance * len(decks)))


def decks_of(shuffle: Shuffle) -> list[list[int]]:
    return [shuffle(hashlib.sha256(f"deck {number}".encode()).digest()) for number in range(DECKS)]


def ours(seed: bytes) -> list[int]:
    return fairness.Deck(seed, DECK).cards(0, DECK.size)


def _unshuffled() -> list[int]:
    return [face for face, count in DECK.faces for _ in range(count)] + [0] * DECK.blanks


def _words(seed: bytes, size: int) -> list[int]:
    return [
        int.from_bytes(hashlib.sha256(seed + place.to_bytes(4, "big")).digest()[:8], "big") for place in range(size)
    ]


def swap_with_any(seed: bytes) -> list[int]:
    """The textbook mistake: every place is swapped with any place, not only with a later one."""
    cards = _unshuffled()
    for k, word in enumerate(_words(seed, len(cards))):
        j = word % len(cards)
        cards[k], cards[j] = cards[j], cards[k]
    return cards


def modulo_of_a_byte(seed: bytes) -> list[int]:
    """The other textbook mistake: 256 is no multiple of the range."""
    cards = _unshuffled()
    for k, word in enumerate(_words(seed, len(cards))):
        j = k + word % 256 % (len(cards) - k)
        cards[k], cards[j] = cards[j], cards[k]
    return cards


def high_cards_kept_apart(seed: bytes) -> list[int]:
    """Somebody helps chance along: a high card right after a high one goes elsewhere, one time in ten."""
    cards = ours(seed)
    for k, word in enumerate(_words(seed, len(cards) - 1)):
        if word % 10 == 0 and cards[k] >= HIGH_FEN and cards[k + 1] >= HIGH_FEN:
            j = word // 10 % len(cards)
            cards[k + 1], cards[j] = cards[j], cards[k + 1]
    return cards


TESTS = [face_against_third, runs_on_high_faces]


@pytest.mark.parametrize("test", TESTS)
def test_a_thousand_decks_show_no_favour(test):
    assert LEAST_P < test(decks_of(ours)) < 1 - LEAST_P


@pytest.mark.parametrize(
    ("biased", "test"),
    [
        (swap_with_any, face_against_third),
        (modulo_of_a_byte, face_against_third),
        (modulo_of_a_byte, runs_on_high_faces),
        (high_cards_kept_apart, runs_on_high_faces),
    ],
)
def test_a_biased_shuffle_is_caught(biased, test):
    assert not LEAST_P < test(decks_of(biased)) < 1 - LEAST_P


def test_a_joint_draw_favours_no_place_in_the_list():
    people = [bytes(28) + number.to_bytes(4, "big") for number in range(90)]
    seeds = [hashlib.sha256(f"draw {number}".encode()).digest() for number in range(DECKS)]
    table = Counter()
    for seed in seeds:
        for place, who in enumerate(fairness.lottery_order(seed, people)):
            table[int.from_bytes(who[28:], "big") // 30, place // 30] += 1
    expected = DECKS * 10
    statistic = sum((table[a, b] - expected) ** 2 / expected for a in range(3) for b in range(3))
    assert LEAST_P < chi_square_p(statistic * 89 / 90, 4) < 1 - LEAST_P


@pytest.mark.parametrize(
    ("statistic", "degrees", "p"),
    [
        (3.841458820694124, 1, 0.05),
        (18.307038053275146, 10, 0.05),
        (2.0, 2, math.exp(-1)),
        (60.0, 8, 4981 * math.exp(-30)),
    ],
)
def test_the_p_values_are_those_of_the_tables(statistic, degrees, p):
    assert chi_square_p(statistic, degrees) == pytest.approx(p, rel=1e-3)
