"""A real web process and a real worker on the test database."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[1]
START_S = 30
REMEMBERS_S = 1.0  # ROUTE_LIFE_S of coupons.rush, LOOK_EVERY_S of coupons.waiting
_left_at = [0.0]  # when the test before left the web, on the process's monotonic clock


@dataclass
class Site:
    """A web process that serves the test database."""

    url: str
    environment: dict[str, str]


@pytest.fixture(scope="session")
def static_files() -> None:
    """Collect the files as a deployment does: hashed and compressed, unlike those of the pages' own tests."""
    collect = [sys.executable, str(ROOT / "manage.py"), "collectstatic", "--no-input", "--verbosity", "0"]
    with (settings.VAR_DIR / "static.lock").open("w") as lock:  # the workers of a parallel run share the folder
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(collect, check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def web(port: int, *more: str, workers: int = 1) -> list[str]:
    """Return the command that starts the web as make run does."""
    where = ("--host", "127.0.0.1", "--port", str(port), "--workers", str(workers))
    say = more or ("--log-level", "error")
    return [sys.executable, "-m", "granian", "--interface", "rsgi", "--no-ws", *where, *say, "huigou.rsgi:application"]


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[Site]:
    """Start the web as make run does, on the test database and with the web's login."""
    port = free_port()
    with running(web(port), {**environment, "WEB_THREADS": "16"}):
        url = f"http://127.0.0.1:{port}"
        wait_for(url + "/readyz")
        yield Site(url, environment)


@pytest.fixture(scope="session")
def served(database_environment: dict[str, str], static_files: None) -> Iterator[Site]:
    """Start one web for all tests of a run that need no more than somebody to ask."""
    with serving(database_environment) as started:
        yield started


@pytest.fixture
def fresh_site(transactional_db: None, database_environment: dict[str, str], static_files: None) -> Iterator[Site]:
    """Start a web of the test's own: draws that come at once go on with the deck that the process knew before."""
    with serving(database_environment) as started:
        yield started


@pytest.fixture
def site(transactional_db: None, served: Site) -> Iterator[Site]:
    """Serve a test's rows from the run's web, which remembers nothing of the test before."""
    # It keeps the open round and the home page for a second; what it keeps longer has a row's number, never used again.
    time.sleep(max(0, _left_at[0] + REMEMBERS_S - time.monotonic()))
    yield served
    wait_for_silence()
    _left_at[0] = time.monotonic()


def wait_for_silence() -> None:
    """Wait until the web has answered whatever a closed browser asked last: the flush comes next."""
    end = time.monotonic() + START_S
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND state <> 'idle'"
            )
            if not cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise TimeoutError("the web did not come to rest")


@pytest.fixture
def worker(site: Site) -> Iterator[None]:
    """Start a Celery worker beside the web."""
    command = [sys.executable, "-m", "celery", "-A", "huigou", "worker", "--pool", "solo", "--loglevel", "error"]
    with running(command, site.environment):
        yield


class running:
    """A process of its own group, ended with everything it started."""

    def __init__(self, command: list[str], environment: dict[str, str], output: IO[bytes] | None = None) -> None:
        self.command, self.environment, self.output = command, environment, output

    def __enter__(self) -> subprocess.Popen[bytes]:
        self.child = subprocess.Popen(
            self.command, env=self.environment, start_new_session=True, stdout=self.output, stderr=self.output
        )
        return self.child

    def __exit__(self, *exc: object) -> None:
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, 9)
            self.child.wait()


def wait_for(url: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (our own loopback address)
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(url)
