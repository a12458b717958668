"""A file of any form gets an answer, and the same one from all three implementations."""

from __future__ import annotations

import copy
import json
import random

import pytest

from coupons import fairness
from tests.fairness import forgeries
from tests.fairness.builder import Story, contents
from tests.fairness.verifiers import by_javascript, by_package, by_standalone, need_javascript, standalone

JUNK = [None, True, -1, 0, 1, 2, 2**53, "", "zz", "a/b", "\x00", "\ud800", "ab" * 32, [], {}, [[1]], 2**32, "工信局"]


def _places(value, place=()):
    """Yield where every part of a JSON value stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*place, key)
        yield from _places(inner, (*place, key))


def _spoil(document, rng):
    document = copy.deepcopy(document)
    *path, last = rng.choice(list(_places(document)))
    parent = document
    for key in path:
        parent = parent[key]
    if rng.random() < 0.2:
        del parent[last]
    elif isinstance(parent, list) and rng.random() < 0.2:
        parent.append(copy.deepcopy(parent[last]))
    else:
        parent[last] = rng.choice(JUNK)
    return document


def spoiled_cases(count=400):
    rng = random.Random(20_450)
    wheel, lottery = Story([contents()], drawn=8), Story([contents(mode="lottery")], drawn=0, registrants=6)
    kept = [(story.document(), story.published()) for story in (wheel, lottery)]
    cases = []
    for number in range(count):
        document, published = kept[number % 2]
        cases.append((_spoil(document, rng), published if number % 3 else None))
    return cases


def test_spoiled_files_get_the_same_answer_everywhere():
    cases = spoiled_cases()
    by_us = [by_package(*case) for case in cases]
    assert {code for found in by_us for code, *_ in found} >= {"format", "link", "card", "signature", "commitment"}
    assert [by_standalone(*case) for case in cases] == by_us
    # half a surrogate pair cannot be handed over as text
    sendable = [i for i, (document, _) in enumerate(cases) if "\\ud800" not in json.dumps(document)]
    found = by_javascript([cases[i] for i in sendable], need_javascript())
    assert found == [by_us[i] for i in sendable]


@pytest.mark.parametrize("document", [None, [], {}, "x", 3, {"format": "huigou-fairness-round", "version": 2}])
def test_what_is_no_reveal_file_is_said_to_be_none(document):
    [finding] = fairness.verify(document)
    assert (finding.code, finding.level) == ("format", "error")
    assert by_standalone(document, None) == by_package(document, None)


def test_a_malformed_line_is_named():
    document = Story([contents()], drawn=8).document()
    document["decks"][0]["log"][3][3] = "xyz"
    [finding] = fairness.verify(document)
    assert finding.message == "文件 · 牌 dining · 第 4 行：要的是小写十六进制"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"kind":"head","deck":3}',
        '{"kind":"key","public_key":"00"}',
        fairness.key_line(bytes(32)) + fairness.key_line(bytes(31) + b"\x01"),
        fairness.commitment_line("a", 1, "b", bytes(32)) + fairness.commitment_line("a", 1, "b", b"\x01" * 32),
    ],
)
def test_a_published_file_that_cannot_be_trusted_is_refused(text):
    with pytest.raises(fairness.Malformed):
        fairness.read_published(text)
    with pytest.raises(standalone.Malformed):
        standalone.read_published(text)


def test_unknown_lines_and_keys_are_left_out():
    story = forgeries.honest()
    document, published = story.document(), story.published() + '\n{"kind":"notice","text":"x"}\n'
    document["decks"][0]["title"] = "餐饮"
    assert by_package(document, published) == by_standalone(document, published) == []


def test_a_document_survives_json_and_reading():
    document = Story([contents(), contents("farm", mode="lottery")], drawn=8, registrants=6).document()
    again = json.loads(json.dumps(document))
    assert fairness.as_document(fairness.read_document(again)) == document


def test_decks_of_two_rounds_do_not_go_into_one_file():
    file = Story([contents()], drawn=1).file()
    other = Story([contents("farm", round_no=2)], drawn=1)
    deck = fairness.deck_file(other.decks[0], bytes(32), bytes(32), [])
    with pytest.raises(ValueError, match="different rounds"):
        fairness.round_file([file.decks[0], deck], file.shares, file.entropy, file.public_key)
