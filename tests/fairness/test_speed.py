"""A whole campaign's 20,450 draws verify in under five seconds, signatures included."""

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
    started = time.perf_counter()
    published = fairness.read_published(campaign[1])
    findings = fairness.verify(json.loads(campaign[0]), published, check_signature=signing.verify)
    took = time.perf_counter() - started
    assert findings == []
    assert took < LIMIT_S


def test_the_package_is_in_time_with_its_own_signatures(campaign):
    started = time.perf_counter()
    assert fairness.verify(json.loads(campaign[0]), fairness.read_published(campaign[1])) == []
    assert time.perf_counter() - started < LIMIT_S


def test_the_single_file_is_in_time(campaign):
    started = time.perf_counter()
    assert standalone.verify(json.loads(campaign[0]), standalone.read_published(campaign[1])) == []
    assert time.perf_counter() - started < LIMIT_S
