"""Several statements in one message to the server, and one wait for all their answers.

Each wait of a thread gives up Python's lock, and gets it back only when a thread that serves requests lets go: at 9:00
that costs more than the statement. psycopg's pipeline waits several times a statement; PostgreSQL's simple protocol
takes them all in one message. Each still has a snapshot of its own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

import psycopg
from psycopg import generators
from psycopg.adapt import Transformer
from psycopg.pq import Escaping, ExecStatus

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
    quoted = Escaping(conn.pgconn).escape_literal
    conn.pgconn.send_query(b"; ".join([_say(conn, quoted, statement, params) for statement, params in steps]))
    # What a cursor does for one statement at a time, without what it keeps for others to ask.
    reading = Transformer(conn)
    answers = []
    for result in conn.wait(generators.execute(conn.pgconn)):
        if result.status == ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(result)
        reading.set_pgresult(result)
        answers.append(reading.load_rows(0, result.ntuples, tuple) if result.ntuples else [])
    return answers


def _say(conn: psycopg.Connection, quoted: Callable[[bytes], bytes], statement: str, params: Sequence[object]) -> bytes:
    if not params:
        return statement.encode()
    said = [b"%d" % param if isinstance(param, int) else quoted(str(param).encode()) for param in params]
    if isinstance(conn, DrawConnection) and conn.keeps_plans:
        return b"EXECUTE %b (%b)" % (conn.name_of(statement).encode(), b", ".join(said))
    return statement.replace("%s", "%b").encode() % tuple(said)
