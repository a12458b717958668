"""What a refusal must say on a page, at the desk and to a script, and that it leaves every row as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

from django.apps import apps
from django.db import connection

from huigou.errors import Reason, Refusal

APPS = ("huigou", "coupons", "merchants", "reports")
# Who tried what and was refused is kept on purpose; a login notes its own time.
TRAIL = {"merchants_attempt", "huigou_staff"}
WHAT_NEXT = re.compile(r"请|无需|联系|留意|再来|撤回")


def every_row() -> dict[str, tuple[int, Any]]:
    """Return each of our tables' number of rows and the sum of their hashes."""
    tables = sorted(m._meta.db_table for m in apps.get_models(include_auto_created=True) if m._meta.app_label in APPS)
    kept = [table for table in tables if table not in TRAIL]
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{table}', count(*), sum(hashtextextended(t::text, 0)) FROM \"{table}\" t"  # noqa: S608
                for table in kept
            )
        )
        return {table: (count, digest) for table, count, digest in cursor.fetchall()}


@contextmanager
def nothing_changed(but: str = "") -> Iterator[None]:
    """Expect every row of the platform to be as it was before, ``but`` a table that is meant to note the try."""
    before = every_row()
    assert sum(count for count, _ in before.values()) > 0
    yield
    after = every_row()
    assert {table: after[table] for table in after if table != but and after[table] != before[table]} == {}


def tells_what_to_do(refusal: Refusal, reason: Reason) -> None:
    """Expect a refusal for this reason, whose sentence and next step are whole."""
    assert refusal.reason is reason
    said = refusal.as_dict()
    assert said["code"] == reason.code
    assert "{" not in said["message"] + said["next"]
    assert WHAT_NEXT.search(said["next"]), said


@contextmanager
def refused(reason: Reason) -> Iterator[None]:
    """Expect a verb to refuse for this reason and to change nothing."""
    with nothing_changed():
        try:
            yield
        except Refusal as refusal:
            tells_what_to_do(refusal, reason)
        else:
            raise AssertionError(f"{reason.code} was not said")


def to_a_script(post: Callable[[], Any], reason: Reason, **params: object) -> None:
    """Expect the interface to answer a script with this refusal, word for word, and nothing to change."""
    with nothing_changed():
        answer = post()
    expected = reason(**params)
    tells_what_to_do(expected, reason)
    assert (answer.status_code, answer.json()) == (reason.status, expected.as_dict())


def on_the_page(
    post: Callable[[], Any], reason: Reason, status: int | None = None, *, but: str = "", **params: object
) -> None:
    """Expect a page to show this refusal with what to do next, and nothing to change."""
    with nothing_changed(but):
        answer = post()
    expected = reason(**params)
    tells_what_to_do(expected, reason)
    text = unescape(answer.content.decode())
    assert answer.status_code == (status or reason.status), text[:2000]
    assert expected.message in text, re.findall(r'role="alert".{0,400}', text, re.S)
    assert expected.next_step in text


def at_the_desk(post: Callable[[], Any], reason: Reason, **params: object) -> None:
    """Expect a dialog of the back office to show this refusal, and nothing to change."""
    on_the_page(post, reason, 422, **params)
