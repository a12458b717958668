"""Child processes that are watched: prefixed logs, restart with a growing pause, and an end that leaves nobody."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PAUSE_MAX_S = 30.0
STEADY_S = 60.0  # a child that ran this long starts again without a pause
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def say(text: str = "") -> None:
    """Print a line for the person at the terminal; a closed terminal is no reason to stop."""
    with suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def die_with_parent() -> None:
    """Ask Linux to send this process SIGTERM when its parent is gone, even by kill -9. Elsewhere: nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """One long-running process in a process group of its own."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], *, cwd: Path) -> None:
        self.name = name
        self.argv = list(argv)
        self.cwd = cwd
        self.env = dict(env)
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths = 0
        self.started = 0.0
        self.start_due = 0.0
        self.rest = b""

    def start(self, selector: selectors.BaseSelector) -> None:
        """Start the process and have its output read by ``selector``."""
        output, writing = os.pipe()
        os.set_blocking(output, False)
        self.process = subprocess.Popen(
            self.argv,
            env=self.env,
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,  # the terminal's Ctrl-C reaches the supervisor alone, which ends them in order
            preexec_fn=die_with_parent,
        )
        os.close(writing)
        self.started = time.monotonic()
        selector.register(output, selectors.EVENT_READ, self)

    def read(self, selector: selectors.BaseSelector, output: int) -> None:
        """Print the lines that have arrived."""
        chunk = os.read(output, 65536)
        if not chunk:
            selector.unregister(output)
            os.close(output)
        *lines, self.rest = (self.rest + chunk).split(b"\n") if chunk else (self.rest, b"")
        for line in lines:
            if line:
                say(f"{self.name:<6} | {line.decode(errors='replace')}")

    def died(self) -> bool:
        """Return whether the process has ended, and note when it may start again."""
        if self.process is None or self.process.poll() is None:
            return False
        self.finish()
        self.deaths = 1 if time.monotonic() - self.started > STEADY_S else self.deaths + 1
        pause = min(PAUSE_MAX_S, 2.0 ** (self.deaths - 1))
        self.start_due = time.monotonic() + pause
        say(f"{self.name} 意外退出（代码 {self.process.returncode}），{pause:.0f} 秒后重新启动")
        self.process = None
        return True

    def terminate(self) -> None:
        """Ask the process, not its group, to end: it knows how to end its own workers."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def ended(self) -> bool:
        """Return whether nothing of it runs any more."""
        return self.process is None or self.process.poll() is not None

    def finish(self) -> None:
        """Kill what is left of the process group."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Keeper:
    """Runs children until told to stop."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.children = list(children)
        self.selector = selectors.DefaultSelector()

    def start(self) -> None:
        """Start all children."""
        for child in self.children:
            child.start(self.selector)

    def pump(self, seconds: float) -> None:
        """Pass on what the children print, for about ``seconds``."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not self.selector.get_map():
                time.sleep(min(left, 0.1))
                continue
            for key, _ in self.selector.select(left):
                key.data.read(self.selector, key.fd)

    def tend(self) -> None:
        """Restart whoever has died and has waited long enough."""
        for child in self.children:
            child.died()
            if child.process is None and time.monotonic() >= child.start_due:
                child.start(self.selector)

    def stop(self, patience_s: float) -> None:
        """End all children: asked first, killed after ``patience_s``."""
        for child in self.children:
            child.terminate()
        until = time.monotonic() + patience_s
        while time.monotonic() < until and not all(child.ended() for child in self.children):
            self.pump(0.1)
        for child in self.children:
            if not child.ended():
                say(f"{child.name} 未能按时退出，强制结束")
            child.finish()
        self.pump(0.1)
