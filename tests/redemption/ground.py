"""What the tests of redemption share: coupons without a draw's own connection, and deeds at the same instant."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from django.db import connection, connections

from coupons import drawing
from coupons.codes import Presented
from coupons.drawing.wire import send
from coupons.models import Consumer, Coupon
from huigou.errors import Refusal
from tests import factories


def held(county: factories.County, consumer: Consumer, category: str = "", number: int = 1) -> Coupon:
    """Return a coupon drawn within the test's own transaction, by the writer that the batcher calls.

    The writer commits on a connection of its own; here it works on the test's, whose end takes everything back.
    """
    ask = drawing.Ask(factories.deck_of(county, category, number).pk, consumer.pk, turn=1)
    return Coupon.objects.get(pk=drawn_here(ask).draw_id)


def drawn_here(ask: drawing.Ask) -> drawing.Answer:
    """Draw on the test's own connection, uncommitted; raises the refusal."""
    connection.ensure_connection()
    with mock.patch("coupons.drawing.together.commit", lambda conn, *steps: steps and send(conn, *steps)):
        [answer] = drawing.write_together(connection.connection, [ask])
    if isinstance(answer, Refusal):
        raise answer
    return answer


def shown(coupon: Coupon) -> Presented:
    """Return what a clerk's phone read off a consumer's phone."""
    return Presented(coupon.pk, is_paper=False)


def outcome(deed: Callable[[], Any]) -> str:
    """Return "ok" or the code of the refusal."""
    try:
        deed()
    except Refusal as refused:
        return refused.code
    return "ok"


def sessions_waiting() -> int:
    """Return how many sessions wait for a lock in this database; other workers have theirs on the same server."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity a USING (pid)"
            " WHERE NOT granted AND a.datname = current_database()"
        )
        return int(cursor.fetchone()[0])


def at_once(deeds: Sequence[Callable[[], Any]]) -> list[str]:
    """Do all deeds at the same instant, each on a thread and a connection of its own; return their outcomes."""
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> str:
        try:
            connection.ensure_connection()
            gate.wait(timeout=30)
            return outcome(deed)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))
