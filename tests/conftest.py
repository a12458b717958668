"""What every test stands on: real servers, and a skip that CI does not let pass."""

from __future__ import annotations

import os

import pytest

from tests import servers


def pytest_configure(config: pytest.Config) -> None:
    servers.begin(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    servers.end(config)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that skipped something: there the browser and all the rest are installed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter and reporter.stats.get("skipped") and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
