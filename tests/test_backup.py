"""The backup of deploy/: made while everything stands there, restored into an empty database, and the books agree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from psycopg import sql

from coupons import publishing
from coupons.models import Coupon, Transfer
from huigou import rights
from huigou.embedded import postgres
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
DEPLOY = Path(__file__).resolve().parents[1] / "deploy"


def address(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@pytest.fixture
def empty(db: None) -> Iterator[str]:
    """A database as deploy/roles.sql leaves it: the owner's, and nothing in it."""
    name = f"{connections.settings['default']['NAME']}_restored"
    with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as server:
        given = sql.Identifier(name)
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(given))
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(given))
        yield name
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(given))


def run(script: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [DEPLOY / script, folder], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def test_a_backup_is_restored_whole_and_its_books_are_checked(
    county, wang, li, tmp_path, settings, database_environment, empty
):
    settings.VAR_DIR = tmp_path / "here"
    factories.used(factories.drawn(county, wang), li)
    publishing.publish_heads()
    letter = settings.VAR_DIR / "media" / "letters" / "2022" / "承诺书.pdf"
    letter.parent.mkdir(parents=True)
    letter.write_bytes(b"%PDF invented")
    here = {
        **database_environment,
        "PATH": f"{postgres.program('pg_dump').parent}:{os.environ['PATH']}",
        "DATABASE_OWNER_URL": address(settings.DATABASE_OWNER_URL, connections.settings["default"]["NAME"]),
        "VAR_DIR": str(settings.VAR_DIR),
        "HUIGOU_SERVING": "false",
    }
    there = {
        **here,
        "DATABASE_URL": address(settings.DATABASE_URL, empty),
        "DATABASE_OWNER_URL": address(settings.DATABASE_OWNER_URL, empty),
        "VAR_DIR": str(tmp_path / "there"),
    }
    code, said = run("backup.sh", tmp_path / "store", here)
    assert (code, [each.name[:7] for each in (tmp_path / "store").iterdir()]) == (0, ["huigou-"]), said
    [backup] = (tmp_path / "store").iterdir()
    assert backup.stat().st_mode & 0o077 == 0  # nobody else's to read

    code, said = run("restore.sh", backup, there)
    assert (code, said.splitlines()[-1][:9]) == (0, "已恢复，账目相符。"), said
    assert (tmp_path / "there" / "media" / "letters" / "2022" / "承诺书.pdf").read_bytes() == b"%PDF invented"
    kept = (tmp_path / "there" / "heads" / "heads.jsonl").read_text()
    assert kept == publishing.heads_file().read_text()
    with psycopg.connect(there["DATABASE_OWNER_URL"]) as restored:
        rows = restored.execute("SELECT (SELECT count(*) FROM coupons_transfer), (SELECT state FROM coupons_coupon)")
        assert rows.fetchone() == (Transfer.objects.count(), Coupon.State.USED)
        restored.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(rights.web_role())))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):  # the guards came along
            restored.execute("UPDATE coupons_transfer SET amount_fen = 1")

    code, said = run("restore.sh", backup, there)
    assert (code, "数据库不是空的" in said) == (1, True), said
    with (backup / "database.dump").open("ab") as dump:
        dump.write(b"x")
    code, said = run("restore.sh", backup, there)
    assert (code, "备份已损坏" in said) == (1, True), said
