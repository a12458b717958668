"""Web workers that are forked in a few ms, so that a test can kill many: the platform's own WSGI application in each.

``python -m tests.draws.workers`` imports it once and forks a worker for each line "port" that it reads; it answers with
the worker's process number.
"""

from __future__ import annotations

import os
import signal
import socketserver
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class Threaded(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def serve(port: int) -> None:
    from huigou.wsgi import application

    while True:
        with suppress(OSError):  # the killed one may still be giving up the port
            make_server("127.0.0.1", port, application, Threaded, Quiet).serve_forever()
        time.sleep(0.01)


def main() -> None:
    import huigou.wsgi  # noqa: F401 (imported once, before any fork; no connection is open yet)

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            serve(int(line))
        print(child, flush=True)  # noqa: T201 (the test reads it)


class Workers:
    """So many workers, each on a port of its own, made anew when killed."""

    def __init__(self, mother: subprocess.Popen[str], ports: list[int]) -> None:
        self.mother, self.ports = mother, ports
        self.running = {port: self._fork(port) for port in ports}

    def _fork(self, port: int) -> int:
        self.mother.stdin.write(f"{port}\n")
        self.mother.stdin.flush()
        return int(self.mother.stdout.readline())

    def kill(self, port: int) -> None:
        """Kill a worker as a power cut would, and start another in its place."""
        os.kill(self.running[port], signal.SIGKILL)
        self.running[port] = self._fork(port)

    def end(self) -> None:
        for child in self.running.values():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@contextmanager
def workers(environment: dict[str, str], ports: list[int]) -> Iterator[Workers]:
    """Run workers on the test database."""
    command = [sys.executable, "-m", "tests.draws.workers"]
    mother = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    running = Workers(mother, ports)
    try:
        for port in ports:
            _wait(port)
        yield running
    finally:
        running.end()
        mother.stdin.close()
        mother.stdout.close()
        mother.wait(10)


def _wait(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
            return
        time.sleep(0.05)
    raise TimeoutError(port)


if __name__ == "__main__":
    main()
