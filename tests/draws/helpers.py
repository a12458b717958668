"""What the tests of the draw do again and again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.test import Client

from coupons import fairness
from tests.conftest import as_owner


def take_away(client: Client, number: int = 1) -> tuple[Any, str]:
    """Return a round's file and the published lines as anybody downloads them: lines first, as the page does."""
    client.get(f"/public/rounds/{number}/")  # signs what is late
    published = client.get("/public/heads").getvalue().decode()
    return json.loads(client.get(f"/public/rounds/{number}/round.json").getvalue()), published


def verified(document: Any, published: str | None) -> list[fairness.Finding]:
    """Return what the verifier says."""
    return fairness.verify(document, None if published is None else fairness.read_published(published))


def findings_of(document: Any, published: str | None) -> set[str]:
    """Return the codes of what the verifier says."""
    return {finding.code for finding in verified(document, published)}


GUARDED = (
    "draw",
    "deck",
    "coupon",
    "transfer",
    "event",
    "head",
    "round",
    "seedshare",
    "registration",
    "registrantlist",
)


@contextmanager
def forging() -> Iterator[Callable[..., list[tuple]]]:
    """Let a test write whatever it likes: as the tables' owner, with every trigger of ours switched off."""

    def run(statement: str, *values: object) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(statement, list(values))
            return cursor.fetchall() if cursor.description else []

    def triggers(switch: str) -> None:
        for table in GUARDED:
            run(f"ALTER TABLE coupons_{table} {switch} TRIGGER USER")

    with as_owner():
        triggers("DISABLE")
        try:
            yield run
        finally:
            triggers("ENABLE")
