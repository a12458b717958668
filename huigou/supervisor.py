"""``make run``: servers, schema, demo, web, worker and beat of one machine; and the end of all of them.

``python -m huigou.supervisor run|stop``, and ``with-servers [--migrate] COMMAND ...`` for tests, figures and pictures.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

from huigou import embedded
from huigou.processes import Child, Keeper, die_with_parent, say

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
READY_TIMEOUT_S = 60
STOP_PATIENCE_S = 15  # a worker finishes the task it has in hand
WATCH_EVERY_S = 3
FAILURE_LINES = 20  # of a failed command's output: its last call and the message
WEB_DEATHS_MAX = 3  # before the first ready answer; after that it is restarted for ever


class StartError(Exception):
    """The platform cannot be started; the message says why."""


class Stopped(Exception):
    """Ctrl-C or SIGTERM came."""


def _stop_on(number: int, frame: FrameType | None) -> None:
    # Once: a second Ctrl-C must not break off the orderly end and leave processes behind.
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)
    raise Stopped


class Platform:
    """The whole platform on this machine, under one VAR_DIR."""

    def __init__(self) -> None:
        self.var_dir = embedded.default_var_dir()
        self.host = os.environ.get("HOST", "127.0.0.1")
        self.port = int(os.environ.get("PORT", "8000"))
        self.postgres, self.redis = embedded.wanted(os.environ)
        self.env = {
            **os.environ,
            "VAR_DIR": str(self.var_dir),
            "DJANGO_SETTINGS_MODULE": "huigou.settings",
            "PYTHONUNBUFFERED": "1",
        }
        # Web, worker and beat never learn the owner's address.
        self.serving_env = {**self.env, "HUIGOU_SERVING": "true"}
        self.serving_env.pop("DATABASE_OWNER_URL", None)
        # Celery's advice against root is for a deployment (see deploy/), and reads like an alarm here.
        self.serving_env.setdefault("PYTHONWARNINGS", "ignore:You're running the worker with superuser")
        self.keeper = Keeper(self._children())

    @property
    def site(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host  # noqa: S104 (compared, not bound)
        return f"http://{host}:{self.port}"

    def run(self) -> int:
        """Bring everything up, keep it up, and take it down on Ctrl-C or SIGTERM."""
        try:
            with _only_one(self.var_dir):
                self._refuse_a_taken_port()
                try:
                    self._run()
                finally:
                    self._stop()
        except Stopped:
            return 0
        except (StartError, embedded.ServerError) as error:
            say(f"\n启动失败：{error}")
        return 1

    def _run(self) -> None:
        begun = time.monotonic()
        self._start_servers()
        static = self._manage_in_background("collectstatic", "--noinput", "--verbosity", "0")
        try:
            demo = self._prepare_database()
            say("· 收集静态文件 …")
            _finish("collectstatic", static)
        finally:
            if static.poll() is None:
                static.kill()
        say("· 启动网站、后台任务、定时任务 …")
        self.keeper.start()
        self._wait_until_ready()
        self._greet(demo, time.monotonic() - begun)
        self._watch()

    def _start_servers(self) -> None:
        ours = [name for name, wanted in (("PostgreSQL", self.postgres), ("Redis", self.redis)) if wanted]
        if not ours:
            say("· 使用环境变量指定的 PostgreSQL 与 Redis")
            return
        say(f"· 启动内置 {' 与 '.join(ours)}（数据在 {self.var_dir}）…")
        embedded.ensure(self.var_dir, postgres=self.postgres, redis=self.redis)

    def _prepare_database(self) -> str:
        """Migrate as the owner and load the demo; return what the demo has to say."""
        if not self.postgres and not self.env.get("DATABASE_OWNER_URL"):
            say("· 未设置 DATABASE_OWNER_URL：不升级数据库结构，不载入演示数据")
            return ""
        say("· 升级数据库结构 …")
        self._manage("migrate", "--database", "owner", "--noinput", "--verbosity", "0")
        if not self.postgres and self.env.get("DEMO", "").lower() not in ("1", "true", "yes", "on"):
            return ""  # somebody's own database gets demo data only when asked for
        say("· 载入演示数据 …")
        return self._manage("create_demo")

    def _manage(self, *args: str) -> str:
        return _finish(args[0], self._manage_in_background(*args))

    def _manage_in_background(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *args],
            env=self.env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    def _children(self) -> list[Child]:
        celery = [str(BIN / "celery"), "--quiet", "-A", "huigou"]
        web = [
            *(str(BIN / "granian"), "--interface", "rsgi", "huigou.rsgi:application", "--no-ws", "--loop", "uvloop"),
            *("--host", self.host, "--port", str(self.port), "--respawn-failed-workers"),
            *("--workers", os.environ.get("WEB_WORKERS", "2")),
            *("--backlog", "4096", "--log-level", "error"),
        ]
        worker = [*celery, "worker", "--loglevel", "WARNING", "--concurrency", "2"]
        worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        beat = [*celery, "beat", "--loglevel", "WARNING", "--pidfile", ""]
        beat += ["--schedule", str(self.var_dir / "celerybeat-schedule")]
        return [
            Child(name, argv, self.serving_env, cwd=ROOT)
            for name, argv in (("web", web), ("worker", worker), ("beat", beat))
        ]

    def _refuse_a_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise StartError(
                    f"{self.host}:{self.port} 不可用（{error.strerror}），可换一个端口：make run PORT={self.port + 1}"
                ) from None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._is_ready():
            self.keeper.pump(0.3)
            self.keeper.tend()
            if self.keeper.children[0].deaths >= WEB_DEATHS_MAX:
                raise StartError("网站进程反复退出，原因见上面的 web 日志")
            if time.monotonic() > deadline:
                raise StartError(f"{READY_TIMEOUT_S} 秒内 {self.site}/readyz 没有就绪，原因见上面的日志")

    def _is_ready(self) -> bool:
        request = urllib.request.Request(f"{self.site}/readyz")  # noqa: S310 (our own address)
        if hosts := self.env.get("ALLOWED_HOSTS", "").strip(" *"):
            request.add_header("Host", hosts.split(",")[0].lstrip("."))
        with suppress(OSError), urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310 (our own address)
            return answer.status == 200
        return False

    def _greet(self, demo: str, seconds: float) -> None:
        rows = (("消费者", "/m/"), ("商家", "/shop/"), ("管理后台", "/admin/"), ("公示", "/public/"))
        say(f"\n惠购平台已就绪（{seconds:.1f} 秒）")
        for name, path in (*rows, ("接口文档", "/api/docs/")):
            # One Chinese character takes two columns of the terminal.
            say(f"  {name}{' ' * (10 - 2 * len(name))}{self.site}{path}")
        if demo.strip():
            say(f"\n{demo.strip()}")
        say("\n按 Ctrl-C 停止；数据保留，下次 make run 继续使用。\n")

    def _watch(self) -> None:
        """Keep children and servers running until a signal comes."""
        while True:
            until = time.monotonic() + WATCH_EVERY_S
            while time.monotonic() < until:
                self.keeper.pump(0.5)
                self.keeper.tend()
            if not (self.postgres or self.redis):
                continue
            found = embedded.status(self.var_dir)
            down = [n for n, ours in (("postgres", self.postgres), ("redis", self.redis)) if ours and not found[n]]
            if down:
                say(f"内置 {'、'.join(down)} 已停，重新启动 …")
                embedded.ensure(self.var_dir, postgres=self.postgres, redis=self.redis)

    def _stop(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        say("\n正在停止 …")
        self.keeper.stop(STOP_PATIENCE_S)
        if self.postgres or self.redis:
            embedded.stop(self.var_dir)
        say("已全部停止。")


def _finish(name: str, process: subprocess.Popen[str]) -> str:
    """Wait for a management command and return what it printed; raises StartError with it when it failed."""
    try:
        output, errors = process.communicate()
    except Stopped:
        process.kill()
        raise
    if process.returncode != 0:
        last = "\n".join((output + errors).splitlines()[-FAILURE_LINES:])
        raise StartError(f"manage.py {name} 失败：\n{last}")
    return output


@contextmanager
def _only_one(var_dir: Path) -> Iterator[None]:
    """Hold the place of the one supervisor of a VAR_DIR; raises StartError when it is taken."""
    var_dir.mkdir(parents=True, exist_ok=True)
    with _pid_file(var_dir).open("a+") as handle:
        if not _lock(handle):
            handle.seek(0)
            raise StartError(f"进程 {handle.read().strip()} 正在使用 {var_dir}，请先停止它（make run 用 make stop）")
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _pid_file(var_dir: Path) -> Path:
    return var_dir / "supervisor.pid"


def _lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def stop() -> int:
    """End the ``make run`` of this VAR_DIR from another terminal, and any server left by a killed one."""
    var_dir = embedded.default_var_dir()
    with suppress(FileNotFoundError), _pid_file(var_dir).open("r+") as handle:
        deadline = time.monotonic() + STOP_PATIENCE_S + 90
        asked = False
        # The lock, not the number, says that it runs: a number may have been given out again.
        while not _lock(handle):
            if not asked:
                os.kill(int(handle.read()), signal.SIGTERM)
                asked = True
            if time.monotonic() > deadline:
                say("make run 没有按时停止")
                return 1
            time.sleep(0.2)
    if var_dir.exists():
        embedded.stop(var_dir)
    say("已停止。")
    return 0


def with_servers(command: list[str], *, migrate: bool) -> int:
    """Run a command between start and stop of the servers of this VAR_DIR; return its exit code."""
    var_dir = embedded.default_var_dir()
    postgres, redis = embedded.wanted(os.environ)
    env = {**os.environ, "VAR_DIR": str(var_dir)}
    steps = [command]
    if migrate:
        steps.insert(0, [sys.executable, "manage.py", "migrate", "--database", "owner", "-v", "0"])
    with _only_one(var_dir):
        try:
            embedded.ensure(var_dir, postgres=postgres, redis=redis)
            code = 0
            for step in steps:
                code = code or _run_through(step, env)
            return code
        finally:
            if postgres or redis:
                embedded.stop(var_dir)


def _run_through(command: list[str], env: dict[str, str]) -> int:
    """Run a command in the foreground. A Ctrl-C is the command's to answer; SIGTERM is passed on to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = subprocess.Popen(
        command, env=env, cwd=ROOT, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    )
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()


def main() -> int:
    """Do what the command line asks and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m huigou.supervisor")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run", help="启动整个平台，Ctrl-C 停止")
    verbs.add_parser("stop", help="停止另一个终端里的 make run")
    around = verbs.add_parser("with-servers", help="启动内置服务器，运行一条命令，再停止")
    around.add_argument("--migrate", action="store_true", help="先升级数据库结构")
    around.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    if args.verb == "stop":
        return stop()
    if args.verb == "with-servers":
        try:
            return with_servers(args.command, migrate=args.migrate)
        except (StartError, embedded.ServerError) as error:
            say(f"启动失败：{error}")
            return 1
    if "MAKELEVEL" in os.environ:
        die_with_parent()  # a killed make takes us along, and we take the rest
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop_on)
    return Platform().run()


if __name__ == "__main__":
    sys.exit(main())
