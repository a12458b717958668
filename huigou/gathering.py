"""What arrives while a round trip to the database is under way shares the next one.

One thread per process takes whatever waits and answers it together; it starts with the first question, so after the
web server's fork.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import Future
from typing import Generic, TypeVar

# Those who were answered together come again within a few ms: without waiting for them the next round trip would carry
# one or two and all others would wait for it.
GAP_S = 0.0005
LINGER_S = 0.003

Asked = TypeVar("Asked")
Told = TypeVar("Told")


class Gathering(ABC, Generic[Asked, Told]):
    """Collects questions and lets one thread answer them together."""

    def __init__(self, name: str, most: int) -> None:
        self.most = most
        self.pid = os.getpid()
        self._queue: queue.SimpleQueue[tuple[Asked, Future[Told]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, asked: Asked) -> Future[Told]:
        """Hand in a question; the future holds what ``answer`` set."""
        future: Future[Told] = Future()
        self._queue.put((asked, future))
        return future

    @abstractmethod
    def answer(self, batch: list[tuple[Asked, Future[Told]]]) -> None:
        """Set every future of a batch; must not raise."""

    def _run(self) -> None:
        recent = [1, 1, 1]
        while True:
            batch = self._gather(self._queue.get(), has_company=max(recent) > 1)
            recent = [*recent[1:], len(batch)]
            self.answer(batch)

    def _gather(self, first: tuple[Asked, Future[Told]], *, has_company: bool) -> list[tuple[Asked, Future[Told]]]:
        """Take what waits; where several came of late, also what follows closely. Who comes alone never waits."""
        batch, deadline = [first], time.monotonic() + LINGER_S
        while len(batch) < self.most:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                if not has_company or time.monotonic() >= deadline:
                    break
                try:
                    batch.append(self._queue.get(timeout=GAP_S))
                except queue.Empty:
                    break
        return batch
