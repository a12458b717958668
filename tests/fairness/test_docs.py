"""docs/fairness.md says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from coupons import fairness
from coupons.fairness import verification
from tests.fairness import vectors
from tests.fairness.builder import contents
from tests.fairness.verifiers import standalone

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/fairness.md").read_text()
STATED = json.loads(vectors.FILE.read_text())["answers"]
CODE = re.compile(r'(?:report|report\.add|wrong|_wrong)\(\s*"([a-z-]+)"|\(\("([a-z]+-[a-z]+)", ')


def codes_in(path: Path) -> set[str]:
    return {one or other for one, other in CODE.findall(path.read_text())}


def test_every_hash_in_the_text_is_a_vector():
    found = re.findall(r"\b[0-9a-f]{64}\b", TEXT)
    assert len(found) == 4
    assert set(found) <= {value for value in STATED.values() if isinstance(value, str)}


def test_the_plan_in_the_text_is_the_canonical_one():
    shown = TEXT[TEXT.index('    {"blanks"') : TEXT.index("（这里为了看得清折了行")]
    assert re.sub(r"\s", "", shown) == contents().canonical().decode()


@pytest.mark.parametrize(
    "path",
    [Path(verification.__file__), Path(standalone.__file__ or ""), vectors.VERIFY / "verify.js"],
    ids=lambda path: path.name,
)
def test_every_code_is_explained_and_no_other(path):
    table = TEXT[TEXT.index("## 9.") : TEXT.index("## 10.")]
    explained = {code for row in re.findall(r"^\| (.*?) \|", table, re.M) for code in re.findall(r"`([a-z-]+)`", row)}
    assert codes_in(path) == explained


def test_every_tag_in_the_text_is_used_and_no_other():
    sources = [path.read_text() for path in Path(fairness.__file__).parent.glob("*.py")]
    tagged = re.compile(r'(?:tag|_keyed_words)\((?:seed, )?"([a-z-]+)"')
    used = {name for source in sources for name in tagged.findall(source)}
    assert set(re.findall(r'T\("([a-z-]+)"\)', TEXT)) == used
