"""The rehearsal's own database on the same server: made by the owner, used by the web's role, dropped at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from coupons import drawing, seeds

ALIASES = ("default", "owner")
QUICK = "-c synchronous_commit=off"  # a rehearsal's data need not survive a power cut


def _owner() -> psycopg.Connection:
    """Connect as owner to the database that the platform itself uses, to create and drop another beside it."""
    params = connections["owner"].get_connection_params()
    for django_only in ("cursor_factory", "context", "server_side_binding", "prepare_threshold"):
        params.pop(django_only, None)
    return psycopg.connect(**params, autocommit=True)


@contextmanager
def own_database(*, keep: bool = False) -> Iterator[str]:
    """Point this process at a fresh, migrated database, and at a folder of its own for what is published.

    With ``keep`` the database stays for a look afterwards; its name is yielded.
    """
    name = f"{seeds.REHEARSAL_DATABASE}_{os.getpid()}"
    server = _owner()
    server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    before = {alias: dict(connections.settings[alias]) for alias in ALIASES}
    var_dir = settings.VAR_DIR
    try:
        with tempfile.TemporaryDirectory(prefix="huigou-rehearsal-") as folder:
            settings.VAR_DIR = Path(folder)  # the real heads' file is nothing to write a rehearsal into
            for alias in ALIASES:
                options = {**connections.settings[alias].get("OPTIONS", {}), "options": QUICK}
                connections.settings[alias].update(NAME=name, OPTIONS=options)
            connections.close_all()
            drawing.forget()
            call_command("migrate", database="owner", verbosity=0, interactive=False)
            yield name
    finally:
        seeds.rehearse_from(None)
        settings.VAR_DIR = var_dir
        connections.close_all()
        for alias in ALIASES:
            connections.settings[alias].update(before[alias])
        drawing.forget()
        if not keep:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        server.close()
