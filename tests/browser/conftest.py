"""A real web process on the test database, a real worker, and a real Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import call_command
from playwright.sync_api import Browser, BrowserContext, sync_playwright

# Playwright's synchronous interface keeps an event loop in this thread; the ORM is called between its calls, never in it.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}
START_S = 30


@dataclass
class Site:
    """A web process that serves the test database."""

    url: str
    environment: dict[str, str]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: .ci/run installs it")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def static_files() -> None:
    call_command("collectstatic", interactive=False, verbosity=0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def site(transactional_db: None, database_environment: dict[str, str], static_files: None) -> Iterator[Site]:
    """Start the web as make run does, on the test database and with the web's login."""
    port = free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--blocking-threads", "16", "--no-log", "huigou.wsgi:application",
    ]  # fmt: skip
    with _process(command, database_environment):
        url = f"http://127.0.0.1:{port}"
        _wait_for(url + "/readyz")
        yield Site(url, database_environment)


@pytest.fixture
def worker(site: Site) -> Iterator[None]:
    """Start a Celery worker beside the web."""
    command = [sys.executable, "-m", "celery", "-A", "huigou", "worker", "--pool", "solo", "--loglevel", "error"]
    with _process(command, site.environment):
        yield


class _process:  # noqa: N801 (reads as a verb: `with _process(...)`)
    """A process of its own group, ended with everything it started."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.command, self.environment = command, environment

    def __enter__(self) -> subprocess.Popen[bytes]:
        self.running = subprocess.Popen(self.command, env=self.environment, start_new_session=True)
        return self.running

    def __exit__(self, *exc: object) -> None:
        self.running.terminate()
        try:
            self.running.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.running.pid, 9)
            self.running.wait()


def _wait_for(url: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (our own loopback address)
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(url)


Opener = Callable[..., BrowserContext]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opener]:
    """Open browser contexts that speak Chinese; each keeps its own cookies, as a phone of its own."""
    contexts = []

    def open_one(viewport: dict[str, int] | None = None, **more: object) -> BrowserContext:
        context = browser.new_context(
            viewport=viewport or PHONE, locale="zh-CN", timezone_id="Asia/Shanghai", **more
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        return context

    yield open_one
    for context in contexts:
        context.close()


