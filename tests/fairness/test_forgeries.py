"""Whoever changes a round afterwards is found, and the first wrong ticket is named."""

from __future__ import annotations

import copy
import json

import pytest
from playwright.sync_api import Error

from coupons import fairness
from tests.fairness import forgeries
from tests.fairness.builder import CAMPAIGN, ENTROPY, PRIVATE_KEY, ROUND_NO, Story, contents, person
from tests.fairness.verifiers import (
    by_javascript,
    by_package,
    by_standalone,
    need_chromium,
    need_javascript,
    standalone,
)

WHEEL_ROUND = (forgeries.honest().document(), forgeries.honest().published())
LOTTERY_ROUND = (forgeries.lottery().document(), forgeries.lottery().published())
ALL = [(*WHEEL_ROUND, forgery) for forgery in forgeries.FORGERIES]
ALL += [(*LOTTERY_ROUND, forgery) for forgery in forgeries.LOTTERY_FORGERIES]


def forged(document, forgery):
    document = copy.deepcopy(document)
    forgery.change(document)
    return document


def errors(findings):
    return {(code, ticket) for code, _, ticket, level, _ in findings if level == fairness.ERROR}


@pytest.mark.parametrize("honest", [WHEEL_ROUND, LOTTERY_ROUND], ids=["wheel", "lottery"])
def test_an_honest_round_is_green(honest):
    assert by_package(*honest) == []


@pytest.mark.parametrize(("document", "published", "forgery"), ALL, ids=[forgery.name for *_, forgery in ALL])
def test_a_forgery_is_named(document, published, forgery):
    document = forged(document, forgery)
    found = by_package(document, published)
    named = errors(found)
    codes = {(code, forgeries.ANY) for code, _ in named}
    assert set(forgery.expected) <= named | codes
    assert by_standalone(document, published) == found


@pytest.mark.parametrize("need", [need_javascript, need_chromium])
def test_the_browsers_code_finds_the_same(need):
    cases = [(forged(document, forgery), published) for document, published, forgery in ALL]
    assert by_javascript(cases, need()) == [by_package(*case) for case in cases]


def test_a_careful_rewrite_is_seen_only_through_the_published_file():
    """The negative control: without what was kept outside, a flawless rewrite looks flawless."""
    document = forged(WHEEL_ROUND[0], next(f for f in forgeries.FORGERIES if f.name == "整体改写，换公钥"))
    assert errors(by_package(document, None)) == set()
    assert errors(by_package(document, WHEEL_ROUND[1])) != set()


def test_a_published_file_of_before_seals_and_sources_still_verifies():
    kept = [line for line in WHEEL_ROUND[1].splitlines() if '"kind":"se' not in line and '"kind":"so' not in line]
    old = "\n".join(kept)
    assert len(kept) == len(WHEEL_ROUND[1].splitlines()) - 3  # two decks' seals, one source
    assert by_package(WHEEL_ROUND[0], old) == by_standalone(WHEEL_ROUND[0], old) == []
    assert by_javascript([(WHEEL_ROUND[0], old)], need_javascript()) == [[]]
    forgery = next(f for f in forgeries.FORGERIES if f.name == "改内容，承诺重算")
    assert "seal-mismatch" in {code for code, _ in errors(by_package(forged(WHEEL_ROUND[0], forgery), old))}


@pytest.mark.parametrize(
    ("kind", "key", "other"),
    [("seal", "plan_hash", "00" * 32), ("seal", "commitment", "00" * 32), ("source", "source", "另一期")],
)
def test_two_different_seals_or_sources_void_the_published_file(kind, key, other):
    line = next(json.loads(text) for text in WHEEL_ROUND[1].splitlines() if f'"kind":"{kind}"' in text)
    twice, contrary = (WHEEL_ROUND[1] + json.dumps(more) + "\n" for more in (line, {**line, key: other}))
    assert by_package(WHEEL_ROUND[0], twice) == by_standalone(WHEEL_ROUND[0], twice) == []
    assert by_javascript([(WHEEL_ROUND[0], twice)], need_javascript()) == [[]]
    for read in (fairness.read_published, standalone.read_published):
        with pytest.raises(Exception, match="公布文件第"):
            read(contrary)
    with pytest.raises((AssertionError, Error), match="公布文件第"):
        by_javascript([(WHEEL_ROUND[0], contrary)], need_javascript())


def test_a_key_known_from_elsewhere_outranks_both_files():
    other = fairness.verify(WHEEL_ROUND[0], public_key=bytes(31) + b"\x01")
    assert {"key", "signature"} <= {finding.code for finding in other}


def test_a_void_ticket_is_a_note():
    story = Story([contents()], drawn=20, void_tickets=(3, 7))
    document, published = story.document(), story.published()
    assert by_package(document, published) == [("void", "qianan-1/1/dining", 3, "note", 2)]


def test_a_lost_ticket_may_be_listed_as_void_later():
    document = Story([contents()], drawn=20).document()
    log = document["decks"][0]["log"]
    lost = log.pop(5)
    lost[2], lost[3], lost[4], lost[5] = log[-1][2] + 1, fairness.NOBODY.hex(), 0, fairness.VOID
    log.append(lost)
    forgeries.rechained(document)
    assert errors(by_package(document, None)) == set()
    assert "void" in {code for code, *_ in by_package(document, None)}


def test_before_the_reveal_everything_but_the_cards_is_checked():
    document = Story([contents()], drawn=20).document()
    for share in document["shares"]:
        share["share"] = None
    assert {(code, level) for code, _, _, level, _ in by_package(document, None)} == {
        ("not-revealed", "note"),
        ("heads-not-given", "note"),
    }
    document["decks"][0]["log"][3][1] += 1
    assert errors(by_package(document, None)) == {("link", 3)}


def test_a_seal_signed_after_the_opening_is_noted():
    document = WHEEL_ROUND[0]
    late = copy.deepcopy(document)
    deck = late["decks"][0]
    from coupons.fairness import signing

    _, head, *_ = deck["heads"][0]
    at_us = late["opens_at_us"]
    signed = signing.sign_head(PRIVATE_KEY, "qianan-1/1/dining", 0, bytes.fromhex(head), at_us)
    deck["heads"][0] = [0, head, at_us, signed.signature.hex()]
    assert "seal-late" in {code for code, *_ in by_package(late, None)}
    del deck["heads"][0]
    assert "seal-missing" in {code for code, *_ in by_package(late, None)}
    deck["heads"] = []
    assert "tail-unsigned" in {code for code, *_ in by_package(late, None)}


def test_two_people_may_not_share_a_commitment_by_copying_it():
    share = bytes(range(32))
    assert fairness.share_commitment(CAMPAIGN, ROUND_NO, "工信局", share) != fairness.share_commitment(
        CAMPAIGN, ROUND_NO, "审计局", share
    )


def test_a_round_without_custodians_or_entropy_verifies():
    story = Story([contents()], drawn=5, shares={fairness.SYSTEM: bytes(range(64))}, entropy=None)
    assert by_package(story.document(), story.published()) == []


@pytest.mark.parametrize("share", [bytes(31), bytes(1025)], ids=["too short to hide", "too long"])
def test_a_share_outside_its_length_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        fairness.share_commitment(CAMPAIGN, ROUND_NO, "工信局", share)


def test_a_fifth_share_is_refused():
    with pytest.raises(ValueError, match="shares"):
        fairness.round_seed(CAMPAIGN, ROUND_NO, {str(n): bytes(32) for n in range(5)}, ENTROPY)


def test_a_registrant_cannot_stand_in_the_list_twice():
    with pytest.raises(ValueError, match="once"):
        fairness.registrants_hash("qianan-1/1/dining", [person(1), person(1)])
