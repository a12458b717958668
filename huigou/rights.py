"""What the web's database role may do, granted after each migrate by the owner.

The web and worker log in as a role that owns nothing: on the ledger, log and event tables it may only insert and
select, and on the clock's row only select. Runs on the owner's connection; does nothing where web and owner are one.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from django.apps import apps
from django.conf import settings
from django.db import connections
from psycopg import sql

from huigou.tables import APPEND_ONLY

READ_ONLY = ("huigou.clockshift", "django_migrations")


def table_of(label: str) -> str:
    """Return the table of app.model, or the name itself when it is a table's."""
    return apps.get_model(label)._meta.db_table if "." in label else label


def web_role() -> str:
    """Return the web's role name as the address given to the web names it."""
    return unquote(urlsplit(settings.DATABASE_URL).username or "")


def grant(using: str) -> None:
    """Grant the web's role what it needs and no more, on the database of ``using``."""
    role = web_role()
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT current_user, EXISTS (SELECT 1 FROM pg_roles WHERE rolname = %s)", [role])
        user, exists = cursor.fetchone()
        if user == role or not exists:
            return
        name = sql.Identifier(role)

        def run(statement: str, table: str | None = None) -> None:
            parts = {"role": name} | ({"table": sql.Identifier(table)} if table else {})
            cursor.execute(sql.SQL(statement).format(**parts))

        run("GRANT USAGE ON SCHEMA public TO {role}")
        run("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        run("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")
        run("REVOKE TRUNCATE, REFERENCES, TRIGGER ON ALL TABLES IN SCHEMA public FROM {role}")
        for label in APPEND_ONLY:
            run("REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", table_of(label))
        for label in READ_ONLY:
            run("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {role}", table_of(label))


def grant_after_migrate(*, app_config: Any, using: str, **_: Any) -> None:
    """Signal handler: once per migrate, after the last app's tables exist."""
    if app_config.name == "reports":
        grant(using)
