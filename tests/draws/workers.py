"""Web workers that are forked in a few ms, so that a test can kill many: the platform's own site in each.

``python -m tests.draws.workers`` imports it once and forks a worker for each line "port" that it reads; it answers with
the worker's process number.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from huigou.serving import Site
from tests.rsgi import Headers, Protocol, Scope


def serve(port: int) -> None:
    from huigou.rsgi import application

    with suppress(OSError):  # the killed one may still be giving up the port
        asyncio.run(_serve(application, port))


async def _serve(site: Site, port: int) -> None:
    site.__rsgi_init__(asyncio.get_running_loop())

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            answer = await _answer(site, reader)
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", port, backlog=128, reuse_address=True) as server:
        await server.serve_forever()


async def _answer(site: Site, reader: asyncio.StreamReader) -> bytes:
    """Read one request, let the site answer it and return the answer; the connection is for this one alone."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    method, address, _ = first.split(" ")
    headers = Headers(dict(line.split(": ", 1) for line in lines))
    path, _, query = address.partition("?")
    protocol = Protocol(await reader.readexactly(int(headers.get("content-length", "0"))))
    await site.__rsgi__(Scope(method, path, headers, query), protocol)
    body = b"".join(protocol.pieces)
    more = [f"{name}: {value}" for name, value in protocol.headers if name.lower() != "content-length"]
    head = [f"HTTP/1.1 {protocol.status} x", *more, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(head).encode() + body


def main() -> None:
    import huigou.rsgi  # noqa: F401 (imported once, before any fork; no connection is open yet)

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            while True:
                serve(int(line))
                time.sleep(0.01)
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
