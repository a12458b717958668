"""A rehearsal: one seed, one story, byte for byte; its books prove themselves, and no SMS is ever sent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from coupons import seeds

ROOT = Path(__file__).resolve().parents[2]


# The second run comes in another order, spread over other processes: neither may show in the report.
RUNS = {"a": ["--workers", "1"], "b": ["--workers", "3", "--arrival", "1"]}


def started(folder: Path, seed: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    args = ["rehearse", "--consumers", "30", "--rounds", "1", "--seed", str(seed), "--json", *RUNS[folder.name]]
    return subprocess.Popen(
        [sys.executable, "manage.py", *args, "--beancount", str(folder / f"{seed}.beancount")],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.django_db
def test_the_same_seed_gives_the_same_report_whoever_comes_first(tmp_path, database_environment):
    environment = {
        **database_environment,
        "DATABASE_URL": settings.DATABASE_URL,
        "HUIGOU_SERVING": "false",
        "DATABASE_OWNER_URL": settings.DATABASE_OWNER_URL,
    }
    first, second = (tmp_path / name for name in RUNS)
    first.mkdir()
    second.mkdir()
    told, aside = [], []
    for run in [started(folder, 7, environment) for folder in (first, second)]:
        out, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors.decode()
        told.append(out)
        aside.append(errors.decode())
    assert told[0] == told[1]
    said = told[0].decode() + "".join(aside) + (first / "7.beancount").read_text()
    assert re.findall(r"(?<![0-9a-f])1[3-9]\d{9}(?![0-9a-f])", said) == []  # no number in what it tells or exports
    # The control: other people hold the tickets.
    assert len({re.search(r"谁抽到哪张票：(\w+)", errors)[1] for errors in aside}) == 2
    report = json.loads(told[0].decode().splitlines()[-1])
    assert report["green"]
    assert report["total_fen"] == report["budget_fen"] == 157_000_000
    assert report["every_snapshot_fen"] == [157_000_000]
    assert report["settled_early"] == "settlement_early"
    assert report["write_after_closing"] == "books_closed"
    # Both ways out: the pool went back to the treasury, the rest into the next campaign.
    assert report["accounts_fen"]["returned"] > 0
    assert sum(row["issued"] for row in report["batches"]) == 150
    check = subprocess.run([Path(sys.executable).parent / "bean-check", first / "7.beancount"], capture_output=True)
    assert check.returncode == 0, check.stdout


def test_it_is_refused_where_an_sms_would_reach_somebody(settings):
    settings.SMS_BACKEND = "aliyun"
    with pytest.raises(CommandError, match="aliyun"):
        call_command("rehearse", consumers=1)


@pytest.mark.django_db
def test_shares_follow_from_a_seed_in_a_rehearsals_own_database_alone():
    assert not connection.settings_dict["NAME"].startswith(seeds.REHEARSAL_DATABASE)
    with pytest.raises(PermissionError):
        seeds.rehearse_from(b"1")
