"""One instant's rows for everything that a page or a workbook reads."""

from __future__ import annotations

from django.db import connection, transaction


class snapshot(transaction.Atomic):
    """A transaction in which every statement sees the same instant's rows, and none can write."""

    def __init__(self) -> None:
        super().__init__(using=None, savepoint=True, durable=False)

    def __enter__(self) -> None:
        nested = connection.in_atomic_block
        super().__enter__()
        if not nested:  # a test's own transaction is one snapshot's worth anyhow
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
