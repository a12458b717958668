"""Several statements in one message to the server, and one wait for all their answers.

Each wait of a thread gives up Python's lock, and gets it back only when a thread that serves requests lets go: at 9:00
that costs more than the statement. psycopg's pipeline waits several times a statement; PostgreSQL's simple protocol
takes them all in one message. Each still has a snapshot of its own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import psycopg
from psycopg.rows import tuple_row

Step = tuple[str, Sequence[object]]  # a statement and what stands in its places

BEGIN: Step = ("BEGIN", ())
COMMIT: Step = ("COMMIT", ())


class DrawConnection(psycopg.Connection):
    """A connection of a writer of draws; it keeps the plans of its statements, which depend on no value.

    A transaction-mode pooler may come in between: ``keeps_plans`` is then off and each statement is sent as it stands.
    """

    keeps_plans = False

    def name_of(self, statement: str) -> str:
        """Return the name under which the server keeps a statement's plan, preparing it at its first use."""
        names: dict[str, str] = self.__dict__.setdefault("_names", {})
        if statement not in names:
            number = itertools.count(1)
            name = f"draw_{len(names)}"
            numbered = re.sub("%s", lambda _: f"${next(number)}", statement)
            self.execute(f"PREPARE {name} AS {numbered}")
            names[statement] = name
        return names[statement]


def send(conn: psycopg.Connection, *steps: Step) -> list[list[tuple]]:
    """Send the steps as one message; return the rows of each. What comes after a step that fails is not done.

    Parameters are numbers, words and arrays as PostgreSQL writes them (``writing.array``).
    """
    said = [_say(conn, statement, params) for statement, params in steps]
    given = [param for _, params in steps for param in params]
    with psycopg.ClientCursor(conn, row_factory=tuple_row) as cursor:
        cursor.execute("; ".join(said), given or None)
        answers = []
        more: bool | None = True
        while more:
            answers.append(cursor.fetchall() if cursor.description else [])
            more = cursor.nextset()
    return answers


def _say(conn: psycopg.Connection, statement: str, params: Sequence[object]) -> str:
    if not params or not getattr(conn, "keeps_plans", False):
        return statement
    return f"EXECUTE {conn.name_of(statement)} ({', '.join(['%s'] * len(params))})"  # type: ignore[attr-defined]
