"""A lean load generator: keep-alive connections on one epoll, requests built ahead, every answer timed.

A process of its own with the standard library alone, so that it takes as little of the machine as it can:
``python -m reports.benchmark.load`` reads one JSON line of orders and writes one JSON line of results.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

RECEIVE = 1 << 18
LENGTH = struct.Struct(">I")
HEADER_NAME = b"content-length:"


def write_requests(path: Path, requests: Iterator[bytes]) -> None:
    """Write built requests into a file, each behind its length."""
    with path.open("wb") as out:
        for request in requests:
            out.write(LENGTH.pack(len(request)) + request)


def read_requests(path: Path) -> list[bytes]:
    """Return the built requests of a file."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        [size] = LENGTH.unpack_from(data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


class Connection:
    """One client: it sends a request, waits for the whole answer, sends the next."""

    __slots__ = ("begun", "buffer", "missing", "sock")

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(0)
        self.buffer = b""
        self.missing = -1  # bytes of the answer still to come; -1 before its head is whole
        self.begun = 0.0

    def send(self, request: bytes) -> None:
        self.buffer, self.missing = b"", -1
        self.begun = time.perf_counter()
        self.sock.send(request)  # a few hundred bytes on an idle socket: taken whole

    def receive(self) -> int:
        """Take what has come; return the answer's status once it is whole, 0 before, -1 when it was cut off."""
        try:
            data = self.sock.recv(RECEIVE)
        except BlockingIOError:
            return 0
        except OSError:
            return -1
        if not data:
            return -1
        if self.missing < 0:
            self.buffer = self.buffer + data if self.buffer else data
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return 0
            head = self.buffer[:end].lower()
            start = head.find(HEADER_NAME) + len(HEADER_NAME)
            stop = head.find(b"\r", start)
            length = int(head[start : stop if stop >= 0 else end])
            self.missing = length - (len(self.buffer) - end - 4)
        else:
            self.missing -= len(data)
        return int(self.buffer[9:12]) if self.missing <= 0 else 0


def run(address: tuple[str, int], requests: Iterator[bytes], connections: int, seconds: float) -> dict[str, object]:
    """Keep every connection busy until the time is over or the requests are; return statuses and times in ms."""
    clients = {}
    poll = select.epoll()
    for _ in range(connections):
        client = Connection(address)
        clients[client.sock.fileno()] = client
        poll.register(client.sock, select.EPOLLIN)
    statuses: Counter[int] = Counter()
    taken: list[float] = []
    clock = time.perf_counter
    begun = clock()
    deadline = begun + seconds
    waiting = 0
    for client in clients.values():
        if (request := next(requests, None)) is not None:
            client.send(request)
            waiting += 1
    last = begun
    while waiting:
        events = poll.poll(5)
        if not events:
            statuses[0] += waiting  # no answer for five seconds
            break
        for number, _ in events:
            client = clients[number]
            status = client.receive()
            if not status:
                continue
            last = clock()
            taken.append(last - client.begun)
            statuses[status] += 1
            waiting -= 1
            if status < 0:
                poll.unregister(number)
                continue
            request = next(requests, None) if last < deadline else None
            if request is not None:
                client.send(request)
                waiting += 1
    for client in clients.values():
        client.sock.close()
    return {"seconds": last - begun, "cpu_seconds": time.process_time(), "statuses": dict(statuses), **_spread(taken)}


def _spread(taken: list[float]) -> dict[str, float]:
    taken.sort()
    if not taken:
        return {"count": 0, "p50_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0}
    count = len(taken)
    return {
        "count": count,
        "p50_ms": taken[count // 2] * 1000,
        "p99_ms": taken[min(count - 1, count * 99 // 100)] * 1000,
        "max_ms": taken[-1] * 1000,
    }


def main() -> None:
    """Read one line of orders, carry it out, write one line of results."""
    orders = json.loads(sys.stdin.readline())
    built = read_requests(Path(orders["requests"]))
    source = cycle(built) if orders["cycle"] else iter(built)
    result = run((orders["host"], orders["port"]), source, orders["connections"], orders["seconds"])
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
