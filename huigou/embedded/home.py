"""The folder the embedded servers live in: paths, passwords, sockets, the lock, and the account they run as."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import re
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

# sockaddr_un holds 104 bytes on macOS and 108 on Linux; "/.s.PGSQL.5432.lock" and a closing zero go off that.
SOCKET_DIR_BYTES_MAX = 80
SHORT_PARENT = Path("/tmp")  # noqa: S108 (a fresh folder of mode 0700 in it, its owner checked)
SERVICE_ACCOUNT = "pgserver"  # PostgreSQL refuses to run as root, so root lends it an account
SAFE_PATH = re.compile(r"[A-Za-z0-9/._-]+")  # needs no quoting in a URL, a .conf file or a shell


class ServerError(RuntimeError):
    """An embedded server cannot be started or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class Home:
    """Everything of the embedded servers that lies under one VAR_DIR."""

    var_dir: Path

    SUPERUSER = "postgres"
    OWNER = "huigou_owner"
    WEB = "huigou_web"
    DATABASE = "huigou"

    @classmethod
    def at(cls, var_dir: Path) -> Home:
        """Return the home under ``var_dir``, which need not exist yet."""
        return cls(Path(var_dir).expanduser().resolve())

    @property
    def postgres_data(self) -> Path:
        return self.var_dir / "postgres"

    @property
    def redis_data(self) -> Path:
        return self.var_dir / "redis"

    @property
    def log_dir(self) -> Path:
        return self.var_dir / "log"

    @property
    def socket_dir(self) -> Path:
        return Path(self._record()["socket_dir"])

    @property
    def redis_socket(self) -> Path:
        return self.socket_dir / "redis.sock"

    def password(self, role: str) -> str:
        """Return the password of a database role."""
        return self._record()["passwords"][role]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time start, stop or set up; a killed one leaves no lock behind."""
        self.var_dir.mkdir(parents=True, exist_ok=True)
        with (self.var_dir / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    @cached_property
    def service(self) -> dict[str, Any]:
        """Return the arguments of subprocess that make a child run as the servers' account; none unless root."""
        if os.geteuid() != 0:
            return {}
        try:
            account = pwd.getpwnam(SERVICE_ACCOUNT)
        except KeyError:
            account = _make_account()
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def run(self, *command: str | Path, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run a program of the servers as their account, with an environment that holds no secret."""
        return subprocess.run(
            [str(part) for part in command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            timeout=timeout,
            **self.service,
        )

    def give(self, path: Path, mode: int) -> Path:
        """Hand a file or folder to the servers' account under ``mode``."""
        if self.service:
            os.chown(path, self.service["user"], self.service["group"])
        path.chmod(mode)
        return path

    def make_folder(self, path: Path) -> Path:
        """Make a folder that only the servers' account (and root) can enter."""
        path.mkdir(parents=True, exist_ok=True)
        return self.give(path, 0o700)

    def prepare(self) -> None:
        """Make the folders before a start; under the lock."""
        if owner := _foreign_owner(self.postgres_data, self.service.get("user", os.geteuid())):
            raise ServerError(
                f"{self.postgres_data} 属于用户 {owner}，当前用户不能启动其中的数据库。"
                "请换回该用户，或用 VAR_DIR 指定另一个目录"
            )
        self._record()
        self.make_folder(self.log_dir)
        self._prepare_socket_dir()
        if self.service:
            open_parents(self.postgres_data)

    def clear(self) -> None:
        """Take an empty socket folder outside VAR_DIR away again; the next start makes it under the same name."""
        if not self.socket_dir.is_relative_to(self.var_dir):
            with suppress(OSError):
                self.socket_dir.rmdir()

    def _prepare_socket_dir(self) -> None:
        """Make the recorded socket folder; if somebody else sits in its place, record another."""
        folder = self.socket_dir
        ours = (os.geteuid(), self.service.get("user", os.geteuid()))
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
            self._write({**self._record(), "socket_dir": tempfile.mkdtemp(prefix="huigou-", dir=SHORT_PARENT)})
            folder = self.socket_dir
        self.give(folder, 0o700)

    @property
    def _file(self) -> Path:
        return self.var_dir / "embedded.json"

    def _record(self) -> dict[str, Any]:
        """Return what was decided once for this home, deciding it on the first call."""
        with suppress(FileNotFoundError):
            return json.loads(self._file.read_text())
        if (self.postgres_data / "PG_VERSION").exists():
            raise ServerError(f"{self._file} 不见了，其中有数据库口令。请从备份恢复，或移走 {self.postgres_data}")
        fresh = {
            "socket_dir": str(self._choose_socket_dir()),
            "passwords": {role: secrets.token_hex(24) for role in (self.SUPERUSER, self.OWNER, self.WEB)},
        }
        self._write(fresh, only_if_missing=True)
        return json.loads(self._file.read_text())

    def _choose_socket_dir(self) -> Path:
        """Return var/run, or a short private folder where that path is too long for a socket or needs quoting."""
        near = self.var_dir / "run"
        if len(os.fsencode(near)) <= SOCKET_DIR_BYTES_MAX and SAFE_PATH.fullmatch(str(near)):
            return near
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        usable = SAFE_PATH.fullmatch(runtime) and len(runtime) < 40 and os.access(runtime, os.W_OK)
        # Root's runtime folder is closed to the account that the servers run as.
        parent = Path(runtime) if usable and os.geteuid() != 0 else SHORT_PARENT
        return parent / f"huigou-{secrets.token_hex(6)}"

    def _write(self, record: dict[str, Any], *, only_if_missing: bool = False) -> None:
        self.var_dir.mkdir(parents=True, exist_ok=True)
        fd, fresh = tempfile.mkstemp(prefix=".embedded-", dir=self.var_dir)  # mkstemp opens it 0600
        with os.fdopen(fd, "w") as out:
            json.dump(record, out)
            out.flush()
            os.fsync(out.fileno())
        if only_if_missing:
            # A link loses against another process that decided first, and then its record holds.
            with suppress(FileExistsError):
                self._file.hardlink_to(fresh)
            Path(fresh).unlink()
        else:
            Path(fresh).replace(self._file)


def open_parents(path: Path) -> None:
    """Let the servers' account pass through the folders above ``path``: o+x where it is missing, nothing more."""
    for folder in path.absolute().parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
            sys.stderr.write(f"已允许服务账户 {SERVICE_ACCOUNT} 穿过目录 {folder}（o+x）\n")


def open_program(program: Path) -> Path:
    """Let the servers' account run an installed program: its tree may be closed to it by pip's umask."""
    if os.geteuid() != 0:
        return program
    open_parents(program)
    if not program.stat().st_mode & stat.S_IXOTH:
        for found in program.parent.parent.rglob("*"):
            mode = stat.S_IMODE(found.stat().st_mode)
            found.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if found.is_dir() or mode & stat.S_IXUSR else 0))
        program.parent.parent.chmod(0o755)
    return program


def tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a log, or an empty string where there is none."""
    with suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return ""


def _foreign_owner(path: Path, uid: int) -> str | None:
    """Return the name of the account that owns ``path`` if that is not ``uid``."""
    try:
        owner = path.stat().st_uid
    except FileNotFoundError:
        return None
    if owner == uid:
        return None
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)


def _make_account() -> pwd.struct_passwd:
    """Create the account that the servers run as under root."""
    program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise ServerError(
            f"PostgreSQL 不能以 root 运行，且本机没有 useradd。请建立系统用户 {SERVICE_ACCOUNT}，或改用普通用户"
        )
    made = subprocess.run(
        [program, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVICE_ACCOUNT],
        check=False,
        capture_output=True,
        text=True,
    )
    # Two homes may be set up at once: whoever loses finds the account already there.
    try:
        return pwd.getpwnam(SERVICE_ACCOUNT)
    except KeyError:
        raise ServerError(f"不能建立系统用户 {SERVICE_ACCOUNT}：{made.stderr.strip()}") from None
