"""The servers of the test run: started when nothing names others and none runs, and then stopped at its end.

``make test`` starts them under a VAR_DIR of their own, beside a ``make run``. Called from conftest.py.
"""

from __future__ import annotations

import os

import pytest

from huigou import embedded

_started = pytest.StashKey[bool]()


def begin(config: pytest.Config) -> None:
    """Start the embedded servers that no address names, once for all workers of pytest-xdist."""
    postgres, redis = embedded.wanted(os.environ)
    if hasattr(config, "workerinput") or config.option.collectonly or not (postgres or redis):
        return
    var_dir = embedded.default_var_dir()
    running = embedded.status(var_dir)
    # Somebody else's servers (a make run) are used, and left running.
    config.stash[_started] = not any(running.values())
    embedded.ensure(var_dir, postgres=postgres, redis=redis)


def end(config: pytest.Config) -> None:
    """Stop what ``begin`` started."""
    if config.stash.get(_started, False):
        embedded.stop(embedded.default_var_dir())
