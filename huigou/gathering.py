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
from collections.abc import Callable
from typing import Generic, TypeVar, cast

# Those who were answered together come again within a few ms: without waiting for them the next round trip would carry
# one or two and all others would wait for it.
GAP_S = 0.0005
LINGER_S = 0.003

Asked = TypeVar("Asked")
Told = TypeVar("Told")


class Question(Generic[Asked, Told]):
    """One question and, later, its answer. Whoever waits for it is woken by one lock and by nothing else."""

    __slots__ = ("_answer", "_broken", "_is_open", "_then", "asked")

    def __init__(self, asked: Asked, then: Callable[[Question[Asked, Told]], None] | None) -> None:
        self.asked = asked
        self._then = then
        self._answer: Told | None = None
        self._broken: BaseException | None = None
        self._is_open = threading.Lock()
        self._is_open.acquire()

    def tell(self, answer: Told) -> None:
        """Give the answer."""
        self._answer = answer
        self._end()

    def fail(self, broken: BaseException) -> None:
        """Give what went wrong instead."""
        self._broken = broken
        self._end()

    def _end(self) -> None:
        # What it calls comes to hold this question: not let go, each would be a cycle left to the collector.
        then, self._then = self._then, None
        self._is_open.release()
        if then is not None:
            then(self)

    def result(self, timeout: float = -1) -> Told:
        """Wait for the answer; raises TimeoutError, or what went wrong."""
        if not self._is_open.acquire(timeout=timeout):
            raise TimeoutError
        self._is_open.release()
        if self._broken is not None:
            raise self._broken
        return cast(Told, self._answer)


class Gathering(ABC, Generic[Asked, Told]):
    """Collects questions and lets one thread answer them together."""

    def __init__(self, name: str, most: int) -> None:
        self.most = most
        self.pid = os.getpid()
        self._queue: queue.SimpleQueue[Question[Asked, Told]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(
        self, asked: Asked, then: Callable[[Question[Asked, Told]], None] | None = None
    ) -> Question[Asked, Told]:
        """Hand in a question; ``then`` is called with it once it is answered, in the answering thread."""
        question = Question(asked, then)
        self._queue.put(question)
        return question

    @abstractmethod
    def answer(self, batch: list[Question[Asked, Told]]) -> None:
        """Answer every question of a batch; must not raise."""

    def _run(self) -> None:
        recent = [1, 1, 1]
        while True:
            batch = self._gather(self._queue.get(), has_company=max(recent) > 1)
            recent = [*recent[1:], len(batch)]
            self.answer(batch)

    def _gather(self, first: Question[Asked, Told], *, has_company: bool) -> list[Question[Asked, Told]]:
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
