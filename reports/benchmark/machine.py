"""What machine and which settings the figures were seen on; durability is read from the server, not assumed."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import django
from django.db import connections

from huigou import clock

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
TOLD = (*DURABLE, "wal_sync_method", "shared_buffers", "server_version")


def describe() -> dict[str, Any]:
    """Return processor, versions, load and the server's settings."""
    with connections["default"].cursor() as cursor:
        told = {}
        for name in TOLD:
            cursor.execute("SELECT current_setting(%s)", [name])
            told[name] = cursor.fetchone()[0]
    return {
        "at": clock.now().isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "django": django.get_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "postgresql": told,
        "durable": all(told[name] == "on" for name in DURABLE),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
