"""PostgreSQL and Redis for one machine, from their wheels, under ``var/``: real servers with durable settings.

``addresses`` names them without starting anything (settings read it), ``ensure`` starts what does not run, ``stop``
stops it. Where ``DATABASE_URL`` or ``REDIS_URL`` names a server, that one is nobody's business here.
On the command line: ``python -m huigou.embedded start|stop|status|env``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from huigou.embedded.home import Home, ServerError

__all__ = ["Addresses", "ServerError", "addresses", "default_var_dir", "ensure", "status", "stop", "wanted"]


@dataclass(frozen=True)
class Addresses:
    """Where the servers listen: the web role's database, the owner role's, and Redis. They hold passwords."""

    database_url: str
    owner_url: str
    redis_url: str

    def environment(self) -> dict[str, str]:
        """Return the addresses under the names that the settings read."""
        return {
            "DATABASE_URL": self.database_url,
            "DATABASE_OWNER_URL": self.owner_url,
            "REDIS_URL": self.redis_url,
        }


def default_var_dir() -> Path:
    """Return ``VAR_DIR`` of the environment, or ``var/`` of this checkout, as an absolute path."""
    given = os.environ.get("VAR_DIR")
    return Path(given).expanduser().absolute() if given else Path(__file__).resolve().parents[2] / "var"


def wanted(environ: Mapping[str, str]) -> tuple[bool, bool]:
    """Return whether PostgreSQL and whether Redis is ours to run: only what no address names."""
    return not environ.get("DATABASE_URL"), not environ.get("REDIS_URL")


def addresses(var_dir: Path) -> Addresses:
    """Return where the servers of ``var_dir`` listen, running or not; passwords are made on the first call."""
    return _addresses(Home.at(var_dir))


def ensure(var_dir: Path, *, postgres: bool = True, redis: bool = True) -> Addresses:
    """Start what is asked for and does not run yet, wait until it answers, and return the addresses.

    Raises ServerError, with what to do, when a server cannot be started.
    """
    # Imported late: settings import this package on every start, for the addresses alone.
    from huigou.embedded import postgres as pg
    from huigou.embedded import redis as rd

    home = Home.at(var_dir)
    with home.locked():
        if (postgres and not pg.pid(home)) or (redis and not rd.pid(home)):
            home.prepare()
        if postgres:
            pg.ensure(home)
        if redis:
            rd.ensure(home)
    return _addresses(home)


def stop(var_dir: Path) -> None:
    """Stop both servers and wait until their processes are gone. Data stay."""
    from huigou.embedded import postgres as pg
    from huigou.embedded import redis as rd

    home = Home.at(var_dir)
    with home.locked():
        rd.stop(home)
        pg.stop(home)
        home.clear()


def status(var_dir: Path) -> dict[str, int | None]:
    """Return the process id of each server that runs, None of each that does not."""
    from huigou.embedded import postgres as pg
    from huigou.embedded import redis as rd

    home = Home.at(var_dir)
    return {"postgres": pg.pid(home), "redis": rd.pid(home)}


def _addresses(home: Home) -> Addresses:
    # The folder stands in the query, not as %2F in the host: urllib, and so django-environ, lower-cases a host.
    place = urlencode({"host": str(home.socket_dir)}, safe="/")

    def database(role: str) -> str:
        return f"postgres://{role}:{quote(home.password(role))}@/{home.DATABASE}?{place}"

    return Addresses(database(home.WEB), database(home.OWNER), f"unix://{home.redis_socket}?db=1")
