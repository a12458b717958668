"""``python -m huigou.embedded start|stop|status|env``: the embedded servers by hand."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from huigou import embedded


def main() -> int:
    """Do what the command line asks; exit 1 when it fails, or when ``status`` finds a server down."""
    parser = argparse.ArgumentParser(prog="python -m huigou.embedded", description="内置 PostgreSQL 与 Redis")
    parser.add_argument("verb", choices=["start", "stop", "status", "env"])
    verb = parser.parse_args().verb
    var_dir = embedded.default_var_dir()
    say = sys.stdout.write
    try:
        if verb == "start":
            postgres, redis = embedded.wanted(os.environ)
            embedded.ensure(var_dir, postgres=postgres, redis=redis)
        elif verb == "stop":
            embedded.stop(var_dir)
        elif verb == "env":
            for name, value in embedded.addresses(var_dir).environment().items():
                say(f"export {name}={shlex.quote(value)}\n")
            return 0
        found = embedded.status(var_dir)
    except embedded.ServerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for name, number in found.items():
        say(f"{name}: {f'运行中（进程 {number}）' if number else '未运行'}\n")
    return 1 if verb == "status" and None in found.values() else 0


if __name__ == "__main__":
    sys.exit(main())
