"""One real Chromium for all tests of a run, started by the first one that needs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

# Playwright's synchronous interface keeps an event loop in this thread; the ORM is called between its calls.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}
ACTION_MS = 20_000  # on a machine that does much besides; what may take no longer says so itself
expect.set_options(timeout=ACTION_MS)

_running: list[tuple[Playwright, Browser]] = []


def shared_browser() -> Browser:
    """Return the run's browser; skip the test where there is none, which fails a run in CI."""
    # A second sync_playwright in one thread is refused, so that there is one for everybody.
    if not _running:
        if not CHROMIUM:
            pytest.skip("no Chromium: .ci/run installs it")
        playwright = sync_playwright().start()
        _running.append((playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)))
    return _running[0][1]


def close_shared() -> None:
    while _running:
        playwright, browser = _running.pop()
        browser.close()
        playwright.stop()


@pytest.fixture(scope="session", autouse=True)
def _chromium_ends_with_the_run() -> Iterator[None]:
    yield
    close_shared()


@pytest.fixture(scope="session")
def browser() -> Browser:
    """Return the run's browser, started before a test's transaction: its event loop brings a connection of its own."""
    return shared_browser()


Opener = Callable[..., BrowserContext]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opener]:
    """Open browser contexts that speak Chinese; each keeps its own cookies, as a phone of its own.

    They ask for calm unless told otherwise: the wheel turns for five seconds, which few tests are about.
    """
    contexts = []

    def open_one(viewport: dict[str, int] | None = None, **more: object) -> BrowserContext:
        more = {"reduced_motion": "reduce", **more}
        context = browser.new_context(viewport=viewport or PHONE, locale="zh-CN", timezone_id="Asia/Shanghai", **more)
        context.set_default_timeout(ACTION_MS)
        contexts.append(context)
        return context

    yield open_one
    for context in contexts:
        context.close()
