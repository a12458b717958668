"""One process that draws without HTTP: many clients wait at this process's own batcher, each for its answer.

A client is a callback on its answer: when that is committed it records the time and asks for the next person at once.
So no thread of a client takes the machine's time, and what is measured is the batcher and the transaction; how much of
it the writer waited for the database is told apart.
``python -m reports.benchmark.driver`` reads one JSON line of orders, says it is ready, begins at the next line.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

WARM_UP = 12  # draws beforehand: connection, prepared statements, the deck's facts


class Clients:
    """So and so many clients, each with one ask under way, until the people or the time run out."""

    def __init__(self, deck_id: int, people: list[int], seconds: float) -> None:
        self.deck_id = deck_id
        self.people = iter(people)
        self.seconds = seconds
        self.taken: list[float] = []
        self.refused = self.under_way = 0
        self.over = threading.Event()
        self.deadline = self.last = 0.0

    def run(self, clients: int) -> dict[str, Any]:
        """Return seconds, count, refusals and the times in ms."""
        begun = time.perf_counter()
        self.deadline = begun + self.seconds
        self.under_way = clients
        for _ in range(clients):
            self._ask()
        self.over.wait()
        return {
            "seconds": self.last - begun,
            "refused": self.refused,
            "taken_ms": [round(taken * 1000, 3) for taken in self.taken],
        }

    def _ask(self) -> None:
        from coupons import drawing

        person = next(self.people, None) if time.perf_counter() < self.deadline else None
        if person is None:
            self.under_way -= 1
            if not self.under_way:
                self.over.set()
            return
        begun = time.perf_counter()

        def answered(told: Any) -> None:
            self.last = time.perf_counter()
            self.taken.append(self.last - begun)
            self.refused += not isinstance(told.result(), drawing.Answer)
            self._ask()

        drawing.draw_async(drawing.Ask(self.deck_id, person, 1, 1, actor_id=person), answered)


class Wait:
    """How long the writer has waited for the database's answers, in seconds."""

    def __init__(self) -> None:
        from coupons.drawing import together

        self.seconds, self._send = 0.0, together.send
        together.send = self.send  # type: ignore[assignment]

    def send(self, *told: Any) -> Any:
        begun = time.perf_counter()
        try:
            return self._send(*told)
        finally:
            self.seconds += time.perf_counter() - begun


def main() -> None:
    """Draw as ordered and write one line of results."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huigou.settings")
    django.setup()
    orders = json.loads(sys.stdin.readline())
    people = orders["people"]
    for person in people[:WARM_UP]:
        Clients(orders["deck"], [person], 60).run(1)
    clients, wait = Clients(orders["deck"], people[WARM_UP:], orders["seconds"]), Wait()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    before = time.process_time()
    result = clients.run(orders["clients"])
    spent = {"cpu_seconds": time.process_time() - before, "database_seconds": wait.seconds}
    sys.stdout.write(json.dumps({**result, **spent}) + "\n")


if __name__ == "__main__":
    main()
