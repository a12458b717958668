"""The embedded servers are the real thing: durable, private, and gone when stopped. No Django database needed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis

from huigou import embedded, supervisor
from huigou.processes import Child, Keeper

ROOT = Path(__file__).resolve().parent.parent
STARTER = """
import time
from huigou import embedded
embedded.ensure(embedded.default_var_dir())
print("up", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
print("up", flush=True)
time.sleep(99)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    var_dir = tmp_path_factory.mktemp("embedded")
    yield var_dir
    embedded.stop(var_dir)


def note(found: embedded.Addresses, text: str) -> None:
    with psycopg.connect(found.owner_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (text text)")
        connection.execute("INSERT INTO notes VALUES (%s)", [text])
    with Redis.from_url(found.redis_url) as client:
        client.rpush("notes", text)


def noted(found: embedded.Addresses) -> tuple[list[str], list[str]]:
    with psycopg.connect(found.owner_url) as connection:
        rows = [row[0] for row in connection.execute("SELECT text FROM notes ORDER BY text")]
        connection.execute("TRUNCATE notes")
    with Redis.from_url(found.redis_url, decode_responses=True) as client:
        items = sorted(client.lrange("notes", 0, -1))
        client.delete("notes")
    return rows, items


def processes_of(var_dir: Path) -> list[int]:
    """Return every process that works in this folder or names it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and (
                str(var_dir) in f"{process.cwd()}/" or any(str(var_dir) in part for part in process.cmdline())
            ):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def wait_until_gone(pids: list[int]) -> None:
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=20)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_what_was_written_is_there_after_a_restart_and_stop_leaves_no_process(home: Path) -> None:
    note(embedded.ensure(home), "before")
    assert None not in embedded.status(home).values()
    embedded.stop(home)
    assert embedded.status(home) == {"postgres": None, "redis": None}
    assert processes_of(home) == []
    assert noted(embedded.ensure(home)) == (["before"], ["before"])


def test_a_second_start_finds_the_first(home: Path) -> None:
    first = embedded.ensure(home)
    running = embedded.status(home)
    assert embedded.ensure(home) == first
    assert embedded.status(home) == running


def test_killed_servers_come_back_with_all_that_was_committed(home: Path) -> None:
    note(embedded.ensure(home), "committed")
    killed = [pid for pid in embedded.status(home).values() if pid]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until_gone(killed)
    assert noted(embedded.ensure(home)) == (["committed"], ["committed"])


def test_servers_outlive_the_kill_of_their_starter(home: Path) -> None:
    embedded.stop(home)
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(home)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"up\n"
        running = embedded.status(home)
        note(embedded.addresses(home), "by a starter")
        os.killpg(starter.pid, signal.SIGKILL)
    assert embedded.status(home) == running
    assert noted(embedded.ensure(home)) == (["by a starter"], ["by a starter"])
    assert embedded.status(home) == running


def test_a_commit_is_on_the_disk_before_it_is_answered(home: Path) -> None:
    found = embedded.ensure(home)
    with psycopg.connect(found.database_url) as connection:
        values = {
            name: connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0]
            for name in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses")
        }
    assert values == {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "listen_addresses": ""}
    with Redis.from_url(found.redis_url, decode_responses=True) as client:
        assert client.config_get("appendonly") | client.config_get("port") == {"appendonly": "yes", "port": "0"}


def test_the_web_role_owns_nothing_and_the_owner_is_no_superuser(home: Path) -> None:
    found = embedded.ensure(home)
    with psycopg.connect(found.owner_url) as connection:
        roles = connection.execute(
            "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname LIKE 'huigou%' ORDER BY 1"
        ).fetchall()
        owner = connection.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'huigou'"
        ).fetchone()
        connection.execute("SET ROLE huigou_web")
    assert roles == [("huigou_owner", False, False, True), ("huigou_web", False, False, False)]
    assert owner == ("huigou_owner",)
    with psycopg.connect(found.database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE mine (x int)")


def test_nobody_gets_in_without_the_password(home: Path) -> None:
    found = embedded.ensure(home)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(psycopg.conninfo.make_conninfo(found.database_url, password="guessed"))
    sockets = Path(psycopg.conninfo.conninfo_to_dict(found.database_url)["host"])
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "embedded.json").stat().st_mode) == 0o600


def test_addresses_are_known_before_the_first_start_and_stay(tmp_path: Path) -> None:
    first = embedded.addresses(tmp_path / "fresh")
    assert embedded.addresses(tmp_path / "fresh") == first
    assert embedded.status(tmp_path / "fresh") == {"postgres": None, "redis": None}
    assert not (tmp_path / "fresh" / "postgres").exists()


@pytest.mark.parametrize("name", ["很长的目录名" * 12, "with space", "x" * 150])
def test_a_path_no_socket_can_bear_gets_a_short_private_folder(tmp_path: Path, name: str) -> None:
    found = embedded.addresses(tmp_path / name)
    folder = Path(psycopg.conninfo.conninfo_to_dict(found.database_url)["host"])
    assert len(os.fsencode(folder)) < 80
    assert found.redis_url == f"unix://{folder}/redis.sock?db=1"


def test_a_folder_with_an_awkward_name_runs_and_stops(tmp_path: Path) -> None:
    var_dir = tmp_path / "乾安 惠购"
    try:
        note(embedded.ensure(var_dir), "字")
        embedded.stop(var_dir)
        assert noted(embedded.ensure(var_dir)) == (["字"], ["字"])
    finally:
        embedded.stop(var_dir)
    assert processes_of(var_dir) == []


def test_a_process_number_given_out_again_is_not_taken_for_the_server(home: Path) -> None:
    note(embedded.ensure(home), "kept")
    embedded.stop(home)
    (home / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert embedded.status(home)["postgres"] is None
    assert noted(embedded.ensure(home)) == (["kept"], ["kept"])


@pytest.mark.parametrize(
    ("environ", "ours"),
    [
        ({}, (True, True)),
        ({"DATABASE_URL": "postgres://db/huigou"}, (False, True)),
        ({"DATABASE_URL": "postgres://db/huigou", "REDIS_URL": "redis://redis/0"}, (False, False)),
    ],
)
def test_only_what_no_address_names_is_ours(environ: dict[str, str], ours: tuple[bool, bool]) -> None:
    assert embedded.wanted(environ) == ours


def test_nothing_is_started_where_addresses_name_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "untouched"))
    monkeypatch.setenv("DATABASE_URL", "postgres://db/huigou")
    monkeypatch.setenv("REDIS_URL", "redis://redis/0")
    begun = subprocess.run(
        [sys.executable, "-m", "huigou.embedded", "start"], cwd=ROOT, capture_output=True, check=True
    )
    assert "未运行" in begun.stdout.decode()
    assert processes_of(tmp_path / "untouched") == []
    assert not (tmp_path / "untouched" / "postgres").exists()
    assert "DATABASE_OWNER_URL" not in supervisor.Platform().serving_env


def test_serving_processes_never_get_the_owners_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgres://owner:secret@db/huigou")
    assert [child.env.get("DATABASE_OWNER_URL") for child in supervisor.Platform().keeper.children] == [None] * 3


def test_a_killed_child_is_restarted_and_the_end_leaves_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    child = Child("web", [sys.executable, "-c", PARENT], dict(os.environ), cwd=tmp_path)
    keeper = Keeper([child])
    keeper.start()
    keeper.pump(1)
    first = child.process
    assert first is not None
    first.kill()
    deadline = time.monotonic() + 10
    while (child.process is None or child.process is first) and time.monotonic() < deadline:
        keeper.pump(0.1)
        keeper.tend()
    keeper.pump(1)
    keeper.stop(5)
    printed = capfd.readouterr().out
    assert printed.count("web    | up") == 2
    assert "web 意外退出" in printed
    assert processes_of(tmp_path) == []
