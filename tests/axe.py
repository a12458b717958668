"""Accessibility of a rendered page, judged by axe-core, which comes in a pinned Python package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")


@dataclass(frozen=True)
class Finding:
    """One rule that the page breaks, and where."""

    rule: str
    impact: str
    help: str
    where: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.impact} {self.rule}: {self.help}\n    " + "\n    ".join(self.where)


# The rules whose answer may change where nothing but colours does.
OF_COLOURS = ("color-contrast", "link-in-text-block")


def axe(page: Page, *, impacts: Sequence[str] = SERIOUS, rules: Sequence[str] = ()) -> list[Finding]:
    """Return what axe-core finds on the page as it stands, by default serious and critical findings only.

    By ``rules`` alone where they are given, else by all that are on by default.
    """
    # Nothing of ours stands in frames, and no rule that is on reads style sheets anew: neither is waited for.
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False, "iframes": False}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    # By the browser's own protocol: evaluate() goes through eval, which the pages' strict policy forbids.
    devtools = page.context.new_cdp_session(page)
    try:
        if _run(devtools, "typeof axe") == "undefined":  # half a megabyte, once for a page in all its modes
            _run(devtools, AXE_SCRIPT)
        asked = f"axe.run(document, {json.dumps(options)}).then(r => JSON.stringify(r.violations))"
        found = _run(devtools, asked)
    finally:
        devtools.detach()
    return [_finding(one) for one in json.loads(found) if one["impact"] in impacts]


def _run(devtools: Any, expression: str) -> Any:
    asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
    answer = devtools.send("Runtime.evaluate", asked)
    if "exceptionDetails" in answer:
        raise AssertionError(f"axe-core did not run: {answer['exceptionDetails']}")
    return answer["result"].get("value")


def _finding(one: dict[str, Any]) -> Finding:
    where = tuple(f"{' '.join(map(str, node['target']))}  {node['html'][:160]}" for node in one["nodes"][:5])
    return Finding(one["id"], one["impact"], one["help"], where)
