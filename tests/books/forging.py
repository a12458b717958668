"""Forgeries: rows altered past every guard, as somebody with a superuser's hands could alter them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.db import connection, transaction

from coupons.models import Campaign
from reports import reconcile
from reports.models import Seal
from tests.conftest import as_owner


def forge(
    *statements: str, tables: Sequence[str] = ("coupons_transfer",), without: Sequence[str] = (), **given: object
):  # type: ignore[no-untyped-def]
    """Run statements with the tables' triggers off; ``without`` are "table.constraint" to be dropped before.

    A dropped constraint comes back with the transaction's rollback alone.
    """
    with as_owner(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in without:
            table, constraint = name.split(".")
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}")
            cursor.execute(f"DROP INDEX IF EXISTS {constraint}")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement, given)
            assert cursor.rowcount > 0, f"nothing was forged: {statement}"
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@contextmanager
def trigger_off(name: str, table: str = "merchants_redemption") -> Iterator[None]:
    """Switch one trigger of a table off, for a negative control."""
    _switch("DISABLE", name, table)
    try:
        yield
    finally:
        _switch("ENABLE", name, table)


def _switch(how: str, name: str, table: str) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no ALTER TABLE beside checks that still wait
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname ~ %s", [table, f"^pgtrigger_{name}_"]
        )
        [(full,)] = cursor.fetchall()
        cursor.execute(f'ALTER TABLE {table} {how} TRIGGER "{full}"')


@contextmanager
def undone() -> Iterator[None]:
    """Take everything back at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def sealed(campaign: Campaign, check: Callable[[Campaign], reconcile.Report] = reconcile.check) -> Seal:
    """Check until the seal covers every transfer: another test's transaction on this server may hold it back."""
    until = time.monotonic() + 180  # a browser test of another worker may take a minute
    while True:
        report = check(campaign)
        assert report.is_green, report.findings
        seal = Seal.objects.get(campaign=campaign)
        if seal.transfers == report.transfers:
            return seal
        assert time.monotonic() < until, "the seal never covered the transfers"
        time.sleep(0.05)
