"""Judge every page of /m/, /shop/ and /public/ with Lighthouse, and write docs/pages.md (``make lighthouse``).

Mobile, with Lighthouse's simulated slow 4G and processor. Lighthouse comes by npm into this VAR_DIR; Chromium must be
installed. A page that falls under what is asked is judged once more, when the machine is calm, and the table says so.
Exits with 1 if a page falls under it twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests import demo_site  # sets Django up, first
from tests.chromium import CHROMIUM, QUIET
from tests.every_page import Shown, acts
from tests.serving import Site, free_port

from django.conf import settings  # isort: skip
from playwright.sync_api import sync_playwright

VERSION = "12.8.2"
ASKED = {"performance": 95, "accessibility": 100, "best-practices": 100}
METRICS = {
    "first-contentful-paint": "首次内容",
    "largest-contentful-paint": "最大内容",
    "total-blocking-time": "阻塞",
    "cumulative-layout-shift": "位移",
}
PAGE = Path(__file__).resolve().parent.parent / "docs" / "pages.md"
MARK = "<!-- lighthouse -->"
TIMEOUT_S = 300  # a page takes some ten seconds where the machine has nothing else to do
CALM_WITHIN_S = 120


@dataclass(frozen=True)
class Judged:
    """A page's scores of 100, its metrics as Lighthouse words them, bytes over the wire, and what it found."""

    name: str
    path: str
    scores: dict[str, int]
    metrics: dict[str, str]
    kilobytes: float
    findings: list[str]
    first: int | None = None  # performance at the first try, where there were two; 0 when it did not end well

    @property
    def is_good(self) -> bool:
        return all(self.scores[category] >= asked for category, asked in ASKED.items())


def tool() -> Path:
    """Return Lighthouse's command line, installed by npm where it is not yet."""
    folder = Path(settings.VAR_DIR) / "npm"
    command = folder / "node_modules" / "lighthouse" / "cli" / "index.js"
    if not command.exists():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"lighthouse@{VERSION}"]
        subprocess.run(wanted, check=True)
    return command


def judged_twice(command: Path, site: Site, shown: Shown) -> Judged:
    """Judge a page, and once more if it falls under what is asked or takes too long."""
    try:
        first = judge(command, site, shown)
        if first.is_good:
            return first
        before = first.scores["performance"]
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        before = 0
    wait_for_calm()
    return replace(judge(command, site, shown), first=before)


def wait_for_calm() -> None:
    """Wait, two minutes at most, until others leave this machine a processor: their work counts as the page's."""
    end = time.monotonic() + CALM_WITHIN_S
    while os.getloadavg()[0] > (os.cpu_count() or 1) and time.monotonic() < end:
        time.sleep(5)


def judge(command: Path, site: Site, shown: Shown) -> Judged:
    """Let Lighthouse open one page as whoever it is for."""
    path = shown.address()
    with browser_of(site, shown) as port:
        asked = [
            "node", str(command), site.url + path, "--output=json", "--quiet", f"--port={port}",
            "--disable-storage-reset", f"--only-categories={','.join(ASKED)}",
        ]  # fmt: skip
        answer = subprocess.run(asked, check=True, capture_output=True, timeout=TIMEOUT_S)
    return _read(shown, path, json.loads(answer.stdout))


@contextmanager
def browser_of(site: Site, shown: Shown) -> Iterator[int]:
    """Start a new Chromium that holds somebody's cookie; yield the port by which Lighthouse drives it.

    As a header of Lighthouse's own the cookie is lost with the first one that a page sets.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        arguments = [*QUIET, f"--remote-debugging-port={port}"]
        browser = playwright.chromium.launch_persistent_context(profile, executable_path=CHROMIUM, args=arguments)
        if cookie := shown.cookie():
            browser.add_cookies([{"name": cookie[0], "value": cookie[1], "url": site.url}])
        try:
            yield port
        finally:
            browser.close()


def _read(shown: Shown, path: str, report: dict) -> Judged:  # type: ignore[type-arg]
    audits = report["audits"]
    categories = report["categories"]
    findings = [
        f"{category}: {audits[ref['id']]['title']}"
        for category in ASKED
        for ref in categories[category]["auditRefs"]
        if ref["weight"] and (audits[ref["id"]]["score"] or 0) < 0.9 and audits[ref["id"]]["score"] is not None
    ]
    return Judged(
        name=shown.name,
        path=path,
        scores={category: round(100 * (categories[category]["score"] or 0)) for category in ASKED},
        metrics={name: audits[name]["displayValue"].replace("\xa0", " ") for name in METRICS},
        kilobytes=audits["total-byte-weight"]["numericValue"] / 1024,
        findings=findings,
    )


def table(judged: list[Judged], version: str) -> str:
    """Return the figures as a table in Markdown."""
    head = ["页面", "性能", "无障碍", "最佳实践", *METRICS.values(), "传输 KB"]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" + "--:|" * (len(head) - 1)]
    for each in judged:
        where = each.path if len(each.path) < 40 else each.path[:30] + "…"
        twice = "" if each.first is None else f"（第二次；第一次 {each.first or '未完成'}）"
        cells = [f"`{where}` {each.name}{twice}", *map(str, each.scores.values()), *each.metrics.values()]
        rows.append("| " + " | ".join([*cells, f"{each.kilobytes:.0f}"]) + " |")
    return f"{version}\n\n" + "\n".join(rows)


def write(judged: list[Judged], when: str) -> None:
    """Put the table between its marks in docs/pages.md."""
    before, _, rest = PAGE.read_text().partition(MARK)
    _, _, after = rest.partition(MARK)
    said = f"{when}，Lighthouse {VERSION}，手机、模拟慢速 4G；命令：`make lighthouse`。共 {len(judged)} 页。"
    PAGE.write_text(f"{before}{MARK}\n{table(judged, said)}\n{MARK}{after}")


def main() -> int:
    """Judge every page, or those whose names are given."""
    names, judged = set(sys.argv[1:]), []
    command = tool()
    on = demo_site.staged()
    move = demo_site.mover()
    with demo_site.served() as site:
        for pages in acts(on, move):
            for shown in pages:
                if shown.status != 200 or (names and shown.name not in names):
                    continue
                each = judged_twice(command, site, shown)
                judged.append(each)
                told = " ".join(f"{score:3d}" for score in each.scores.values())
                told += f"  {each.kilobytes:5.0f} KB  {each.name}" + (
                    f" (before: {each.first})" if each.first is not None else ""
                )
                print(told, *each.findings, sep="\n     ", flush=True)  # noqa: T201
                if not names:  # as far as it is: a run that is broken off has said something
                    write(judged, f"{demo_site.today():%Y-%m-%d}")
    return 0 if all(each.is_good for each in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
