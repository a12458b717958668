"""The measurement of the great export, with a few rows: it fills a database of its own, exports it, and cleans up."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.db import connection

from reports.benchmark.county import DATABASE
from reports.benchmark.export import SHOPS
from tests.exports.reading import rows_of

ROWS = 45  # more than there are shops, so that some have two


@pytest.mark.django_db
def test_a_few_uses_are_filled_in_exported_and_held_against_the_books(tmp_path):
    book, media = tmp_path / "book.xlsx", tmp_path / "media"
    ran = subprocess.run(
        [sys.executable, "manage.py", "bench_export", f"--rows={ROWS}", f"--keep={book}", "--recount", "--json"],
        env={**os.environ, "MEDIA_ROOT": str(media), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    said = json.loads(ran.stdout.splitlines()[-1])
    assert (said["rows"], said["sheets"], said["whole"]) == (ROWS, 1, True)
    assert said["against_the_books"].startswith("相符：账上核销净额 ")
    assert 0 < said["idle_mb"] <= said["peak_mb"] <= 256
    rows = rows_of(book)
    assert len(rows) == ROWS
    assert {row["商家"] for row in rows} == {f"测速商家{number}总店" for number in range(1, SHOPS + 1)}
    # Nothing stays: not the database, not the workbook that nobody asked for.
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [DATABASE])
        assert cursor.fetchone() == (0,)
    assert [path for path in media.rglob("*") if path.is_file()] == []
