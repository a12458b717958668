"""Read plan folders, each in a process of its own that may use 2 s of processor time: python -m tests.plan.jail A B ...

Prints one JSON object a folder: what was said, and by how many kilobytes the process grew. A process that is not done
in its time is killed by the system.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

from coupons.plan.reading import read_plan
from coupons.plan.tables import PlanError

CPU_S = 2
MEMORY_BYTES = 1_000_000_000  # of addresses; a bomb that is really unpacked fails here and not in the whole machine


def used_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def say(folder: str, said: dict[str, object]) -> None:
    os.write(1, (json.dumps({"folder": Path(folder).name, **said}) + "\n").encode())


def read(folder: str) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    before, began = used_kb(), time.process_time()
    try:
        read_plan(Path(folder))
        said: dict[str, object] = {"outcome": "read"}
    except PlanError as refused:
        said = {"outcome": "refused", "problems": [str(problem) for problem in refused.problems]}
    except BaseException as fell:
        said = {"outcome": f"fell over: {fell!r}"}
    say(folder, {**said, "grown_kb": used_kb() - before, "cpu_s": time.process_time() - began})


def main(folders: list[str]) -> None:
    for folder in folders:
        child = os.fork()
        if not child:
            read(folder)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            say(folder, {"outcome": f"killed by signal {os.WTERMSIG(status)}", "grown_kb": 0, "cpu_s": CPU_S})


if __name__ == "__main__":
    main(sys.argv[1:])
