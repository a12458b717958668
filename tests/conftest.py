"""What every test stands on: real servers, the web's own rights in the database, and a clock that can be set.

The test database is made and flushed by the owner; the body of every test, its threads and the draw's writer run as
the web's role, which owns nothing.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.db.backends.postgresql.operations import DatabaseOperations

from huigou import clock, rights
from huigou.settings import broker
from tests import servers

pytest_plugins = ["tests.chromium", "tests.people", "tests.serving"]

# A test's commit need not survive a power cut; the servers' own durable settings stay as they are.
QUICK = "-c synchronous_commit=off"


def pytest_configure(config: pytest.Config) -> None:
    servers.begin(config)
    # Pages are tested without collectstatic: plain names, and nobody to warn that the folder is not there.
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.MIDDLEWARE.remove("whitenoise.middleware.WhiteNoiseMiddleware")
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        use_redis_of_ones_own(int(worker.removeprefix("gw")))


def use_redis_of_ones_own(number: int) -> None:
    """Let a worker of a parallel run have a Redis database to itself: queue and cache are emptied between tests."""
    settings.REDIS_URL = with_redis_database(settings.REDIS_URL, number)
    settings.CACHES["default"]["LOCATION"] = settings.REDIS_URL
    settings.CELERY_BROKER_URL = broker(settings.REDIS_URL)


def with_redis_database(url: str, number: int) -> str:
    """Return a Redis address with another database; a socket's stands in the query, a host's in the path."""
    if url.startswith("unix://"):
        return f"{url.partition('?')[0]}?db={number}"
    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))


def pytest_unconfigure(config: pytest.Config) -> None:
    servers.end(config)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that skipped something: there the browser and all the rest are installed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter and reporter.stats.get("skipped") and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# ---- the test database


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Let the owner make the test database."""
    if "owner" not in connections.settings:
        raise pytest.UsageError("DATABASE_OWNER_URL is not set: the owner makes the test database")
    owner, default = connections.settings["owner"], connections.settings["default"]
    default.update({key: owner[key] for key in ("USER", "PASSWORD", "HOST", "PORT")})
    default["OPTIONS"] = {**owner["OPTIONS"], "options": QUICK}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> Iterator[None]:
    """From here on every connection to the test database starts in the web's role."""
    options = connections.settings["default"]["OPTIONS"]
    options["options"] = f"{QUICK} -c role={rights.web_role()}"
    with django_db_blocker.unblock():
        connections.close_all()
    yield
    with django_db_blocker.unblock():
        close_draw_writer()
        with as_owner(), connection.cursor() as cursor:
            # What a killed process of a race left behind must not keep the database from being dropped.
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        connections.close_all()
    options["options"] = QUICK


def close_draw_writer() -> None:
    """Close the connection of this process's draw writer, if it ever drew."""
    from coupons.drawing import batcher

    if batcher._batcher is not None and batcher._batcher._conn is not None:
        batcher._batcher._conn.close()


_flush = DatabaseOperations.execute_sql_flush
_sql_flush = DatabaseOperations.sql_flush
# What migrate writes and every process remembers by its number; the same after each test, so that it may stand.
STANDING = {"django_content_type", "auth_permission"}


def _flush_as_owner(self: DatabaseOperations, sql_list: list[str]) -> None:
    """Flush after a transactional test as the owner; the web's role may not even truncate."""
    if sql_list:
        sql_list = ["SET LOCAL ROLE NONE", "SET LOCAL huigou.allow_truncate = 'on'", *sql_list]
    _flush(self, sql_list)


def _sql_flush_but_standing(self: DatabaseOperations, style: object, tables: list[str], **more: bool) -> list[str]:
    return _sql_flush(self, style, [table for table in tables if table not in STANDING], **more)


DatabaseOperations.execute_sql_flush = _flush_as_owner  # type: ignore[method-assign]
DatabaseOperations.sql_flush = _sql_flush_but_standing  # type: ignore[method-assign]


@contextmanager
def as_owner() -> Iterator[None]:
    """Do something with the owner's rights on this thread's connection, then be the web again."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
    try:
        yield
    finally:
        # After a refused statement the transaction takes no more; its rollback gives the role back by itself.
        if not connection.in_atomic_block or not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("RESET ROLE")


@pytest.fixture(name="as_owner")
def _as_owner(db: None) -> Callable[[], object]:
    return as_owner


@pytest.fixture(scope="session")
def database_environment(django_db_setup: None) -> dict[str, str]:
    """Return an environment for a process of its own that serves the test database with the web's login."""
    parts = urlsplit(settings.DATABASE_URL)
    url = urlunsplit(parts._replace(path="/" + connections.settings["default"]["NAME"]))
    return {
        **os.environ,
        "DATABASE_URL": url,
        "REDIS_URL": settings.REDIS_URL,
        "HUIGOU_EMBEDDED": "true",
        "HUIGOU_SERVING": "true",
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_KEY": settings.FIELD_KEY,
        "SIGNING_KEY": settings.SIGNING_KEY,
        "DJANGO_SETTINGS_MODULE": "huigou.settings",
        "PYTHONWARNINGS": "ignore",
    }


# ---- between tests


@pytest.fixture(autouse=True)
def _nothing_remembered(request: pytest.FixtureRequest) -> None:
    """Start each test that uses the database with empty caches: its rows reuse names and rounds."""
    if request.node.get_closest_marker("django_db") or {"db", "transactional_db"} & set(request.fixturenames):
        from coupons import drawing, rush, waiting, welcome

        drawing.forget()
        waiting.forget()
        welcome.forget()
        rush._routes.clear()
        cache.clear()


# ---- the clock

Moment = dt.datetime | str


def moment(when: Moment) -> dt.datetime:
    """Return an aware moment; text is read as Asia/Shanghai: "2022-06-25 09:00"."""
    if isinstance(when, str):
        when = dt.datetime.fromisoformat(when)
    return when if when.tzinfo else when.replace(tzinfo=clock.SHANGHAI)


@pytest.fixture
def at(db: None) -> Callable[[Moment], dt.datetime]:
    """Let the platform's clock stand still at a moment, as only the owner can; the test's end undoes it."""

    def stand_still(when: Moment) -> dt.datetime:
        with as_owner():
            clock.shift(frozen_at=moment(when), using="default")
        return moment(when)

    return stand_still


@pytest.fixture
def clock_runs(db: None) -> Callable[[dt.timedelta], None]:
    """Let the platform's clock run, shifted by an offset."""

    def shift(offset: dt.timedelta = dt.timedelta(0)) -> None:
        with as_owner():
            clock.shift(offset=offset, using="default")

    return shift
