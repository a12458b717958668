"""A whole campaign's 20,450 draws verify in under five seconds, signatures included.

By the processor's time: a machine that is busy with something else says nothing about the verifier.
"""

from __future__ import annotations

import json
import time

import pytest

from coupons import fairness
from coupons.fairness import signing
from tests.fairness.builder import Story, contents
from tests.fairness.verifiers import standalone

CATEGORIES = ("lodging", "dining", "fuel", "farm", "book")
DRAWS = 4_090
LIMIT_S = 5.0


@pytest.fixture(scope="module")
def campaign() -> tuple[str, str]:
    """Return the texts of both files; a head is signed every ten draws."""
    faces = ((2000, 1_500), (5000, 1_000), (10000, 1_500), (50000, 90))
    decks = [contents(category, faces=faces, blanks=0) for category in CATEGORIES]
    story = Story(decks, drawn=DRAWS, step_us=1_000_000, head_every=10)
    return json.dumps(story.document()), story.published()


def test_the_package_is_in_time(campaign):
    started = time.process_time()
    published = fairness.read_published(campaign[1])
    findings = fairness.verify(json.loads(campaign[0]), published, check_signature=signing.verify)
    took = time.process_time() - started
    assert findings == []
    assert took < LIMIT_S


def test_the_package_is_in_time_with_its_own_signatures(campaign):
    started = time.process_time()
    assert fairness.verify(json.loads(campaign[0]), fairness.read_published(campaign[1])) == []
    assert time.process_time() - started < LIMIT_S


def test_the_single_file_is_in_time(campaign):
    started = time.process_time()
    assert standalone.verify(json.loads(campaign[0]), standalone.read_published(campaign[1])) == []
    assert time.process_time() - started < LIMIT_S
