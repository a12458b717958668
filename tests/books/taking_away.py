"""Negative controls: a guard is cut out of the real function's own source, and what it kept out comes in.

The text to cut must stand in the function exactly once, so that a control follows the code that it is about.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections
from django.db.models import ProtectedError

from coupons import approval
from huigou.errors import Refusal
from huigou.rules import constraint_of
from tests.conftest import as_owner

ROOT = Path(__file__).resolve().parents[2]
APPS = ("coupons", "merchants", "reports")
BLOCKED_S = 30  # the longest that a race waits for its second deed; it ends as soon as that is done, or held by a lock


@dataclass(frozen=True)
class Cut:
    """A guard: the function in which it stands, its text, and what stands there instead without it."""

    function: Callable[..., Any]
    text: str
    instead: str = ""

    @property
    def source(self) -> str:
        return textwrap.dedent(inspect.getsource(self.function))

    def __str__(self) -> str:
        return f"{self.function.__module__}.{self.function.__name__}: {self.text}"


def take_away(monkeypatch: pytest.MonkeyPatch, *cuts: Cut) -> None:
    """Cut guards out of the running code, wherever it was imported, until monkeypatch puts them back."""
    monkeypatch.setattr(approval, "_executors", dict(approval._executors))
    by_function: dict[Callable[..., Any], list[Cut]] = {}
    for cut in cuts:
        by_function.setdefault(cut.function, []).append(cut)
    for function, own in by_function.items():
        _put(monkeypatch, function, _without(function, own))


def _without(function: Callable[..., Any], cuts: list[Cut]) -> FunctionType:
    source = cuts[0].source
    for cut in cuts:
        assert source.count(cut.text) == 1, f"{cut} stands there {source.count(cut.text)} times"
        source = source.replace(cut.text, cut.instead)
    made: dict[str, FunctionType] = {}
    flags = __future__.annotations.compiler_flag
    exec(compile(source, f"without {cuts[0]}", "exec", flags), function.__globals__, made)  # noqa: S102
    return made[function.__name__]


def _put(monkeypatch: pytest.MonkeyPatch, old: Callable[..., Any], new: Callable[..., Any]) -> None:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in APPS:
            for attribute, value in list(vars(module).items()):
                if value is old:
                    monkeypatch.setattr(module, attribute, new)


def outcome(deed: Callable[[], Any]) -> Any:
    """Return what a deed gives: the code of a refusal, the name of a constraint, a plain answer, else "ok"."""
    try:
        given = deed()
    except Refusal as refused:
        return refused.code
    except ProtectedError:
        return "protected"
    except DatabaseError as refused:
        return constraint_of(refused) or str(refused).splitlines()[0]
    return given if isinstance(given, str | int) else "ok"


# ---- two deeds at once


class Race:
    """Two deeds on two connections: the first is held up after it looked, and the second tries to overtake it."""

    def __init__(self, module: Any, function: str, at_call: int = 1, *, before: bool = False) -> None:
        self._module, self._function, self._at_call, self._before = module, function, at_call, before
        self._looked, self._go = threading.Event(), threading.Event()
        self._calls, self._first = 0, 0

    def run(self, monkeypatch: pytest.MonkeyPatch, first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
        """Return both outcomes, and whether the second had to wait for the first."""
        said: dict[str, Any] = {}
        with monkeypatch.context() as patch:
            patch.setattr(self._module, self._function, self._held_up(getattr(self._module, self._function)))
            threads = [threading.Thread(target=self._do, args=(said, *deed)) for deed in
                       (("first", first), ("second", second))]  # fmt: skip
            threads[0].start()
            try:
                assert self._looked.wait(BLOCKED_S), said
                threads[1].start()
                waited = self._is_held(threads[1])
            finally:
                self._go.set()
                for thread in threads:
                    if thread.ident:
                        thread.join()
        return [said["first"], said["second"], "waited" if waited else "overtook"]

    def _held_up(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def held_up(*given: Any, **named: Any) -> Any:
            if self._before:
                self._hold_up()
            result = real(*given, **named)
            if not self._before:
                self._hold_up()
            return result

        return held_up

    def _hold_up(self) -> None:
        if threading.get_ident() == self._first:
            self._calls += 1
            if self._calls == self._at_call:
                self._looked.set()
                self._go.wait(2 * BLOCKED_S)

    def _do(self, said: dict[str, Any], who: str, deed: Callable[[], Any]) -> None:
        if who == "first":
            self._first = threading.get_ident()
        try:
            said[who] = outcome(deed)
        finally:
            connections.close_all()

    @staticmethod
    def _is_held(thread: threading.Thread) -> bool:
        """Say whether a deed came to stand before a lock; False when it went through."""
        until = time.monotonic() + BLOCKED_S
        while thread.is_alive() and time.monotonic() < until:
            with as_owner(), connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                    "   AND wait_event IN ('transactionid', 'tuple') AND backend_type = 'client backend'"
                )
                if cursor.fetchone()[0]:
                    return True
            thread.join(0.005)
        return thread.is_alive()


# ---- the guards that stand in the code


def lines_of(folder: str, pattern: Any) -> Iterator[tuple[str, str]]:
    """Yield (function, line) for every line of code that a pattern finds in the Python files of a folder or file."""
    path = ROOT / folder
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        text = file.read_text()
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line) and not line.lstrip().startswith(("#", '"""')):
                inside = [node for node in functions if node.lineno <= number <= (node.end_lineno or 0)]
                if inside:
                    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                    yield f"{module}.{max(inside, key=lambda node: node.lineno).name}", line.strip()
