"""Call the other two implementations of the specification as the tests call the package."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

from coupons import fairness
from tests.chromium import CHROMIUM, shared_browser
from tests.fairness.vectors import VERIFY

SCRIPTS = [VERIFY / f"{name}.js" for name in ("crypto", "encoding", "reading", "verify")]
ANSWERS = Path(__file__).with_name("answers.js")
NODE = shutil.which("node")

# (code, deck, ticket, level, count): what every implementation must agree on; the wording may differ
Kind = tuple[str, str | None, int | None, str, int]
Case = tuple[Any, str | None]


def load_standalone() -> ModuleType:
    """Return the single-file verifier as a module."""
    spec = importlib.util.spec_from_file_location("verify_round_standalone", VERIFY / "verify_round_standalone.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


standalone = load_standalone()


def by_package(document: Any, published: str | None) -> list[Kind]:
    """Return the package's findings."""
    outside = None if published is None else fairness.read_published(published)
    findings = fairness.verify(document, outside)
    return sorted(((f.code, f.deck, f.ticket, f.level, f.count) for f in findings), key=str)


def _kinds(findings: Sequence[dict[str, Any]]) -> list[Kind]:
    keys = ("code", "deck", "ticket", "level", "count")
    return sorted((tuple(item[key] for key in keys) for item in findings), key=str)  # type: ignore[arg-type]


def by_standalone(document: Any, published: str | None) -> list[Kind]:
    """Return the single file's findings."""
    outside = None if published is None else standalone.read_published(published)
    return _kinds(standalone.verify(document, outside))


def _ask_node(tasks: list[dict[str, Any]]) -> list[Any]:
    assert NODE
    program = "".join(f"require({json.dumps(str(path))});\n" for path in [*SCRIPTS, ANSWERS])
    program += "answerAll(JSON.parse(require('fs').readFileSync(0))).then((all) => console.log(JSON.stringify(all)));"
    done = subprocess.run([NODE, "-e", program], input=json.dumps(tasks), text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _ask_chromium(tasks: list[dict[str, Any]]) -> list[Any]:
    page = shared_browser().new_page()
    for path in [*SCRIPTS, ANSWERS]:
        page.add_script_tag(path=path)
    found = page.evaluate("(tasks) => answerAll(tasks)", tasks)
    page.close()
    return found


def ask_javascript(tasks: list[dict[str, Any]], runtime: str) -> list[Any]:
    """Return the answers of the browser's code, run by "node" or by "chromium"."""
    ask: Callable[[list[dict[str, Any]]], list[Any]] = {"node": _ask_node, "chromium": _ask_chromium}[runtime]
    return ask(tasks)


def _missing(what: str) -> NoReturn:
    """Skip the test, or fail it where everything has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def need_chromium() -> str:
    """Return "chromium", or leave the test."""
    if not CHROMIUM:
        _missing("Chromium is not installed")
    return "chromium"


def runtimes() -> list[str]:
    """Return where JavaScript can run here."""
    return [name for name, path in (("node", NODE), ("chromium", CHROMIUM)) if path]


def need_javascript() -> str:
    """Return the quickest runtime, or leave the test."""
    if not runtimes():
        _missing("neither node nor Chromium is installed")
    return runtimes()[0]


def by_javascript(cases: Sequence[Case], runtime: str) -> list[list[Kind]]:
    """Return the findings of many cases at once, since a runtime takes a while to start."""
    tasks = [{"task": "verify", "document": document, "published": published} for document, published in cases]
    return [_kinds(findings) for findings in ask_javascript(tasks, runtime)]
