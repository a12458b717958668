"""The figures as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from reports.benchmark.figures import NAMES, VERDICTS, Check, Figures


def show(console: Console, told: dict[str, Any], found: Figures, checked: Sequence[Check]) -> None:
    """Print machine, rows and ratios."""
    server = told["postgresql"]
    durable = "、".join(f"{name}={server[name]}" for name in ("fsync", "synchronous_commit", "full_page_writes"))
    console.print(
        f"\n{told['at']}  {told['processor']}，{told['cores']} 核，{told['memory_gb']} GB，"
        f"开始前负载 {told['load_before']}"
    )
    console.print(f"PostgreSQL {server['server_version']}（{durable}，读自服务器）")
    rows = Table("测量", "客户端", "每秒", "p50 毫秒", "p99 毫秒", "最大 毫秒")
    for column in rows.columns[1:]:
        column.justify = "right"
    for row, clients in sorted(found.runs, key=lambda key: (list(NAMES).index(key[0]), key[1])):
        run = found.run(row, clients)
        if run is not None:
            figures = (f"{run.per_s:,.0f}", f"{run.p50_ms:.2f}", f"{run.p99_ms:.2f}", f"{run.max_ms:.1f}")
            rows.add_row(NAMES[row], str(clients), *figures)
    console.print(rows)
    for count, seconds in found.bookings.items():
        console.print(f"到期入账 {count:,} 张：{seconds:.1f} 秒（每秒 {count / seconds:,.0f} 张）")
    ratios = Table("比较", "实测", "目标", "底线", "结论")
    for check in checked:
        sign = "≤" if check.at_most else "≥"
        ratios.add_row(
            check.name,
            f"{check.value:.2f} {check.unit}",
            f"{sign} {check.goal:g}",
            f"{sign} {check.floor:g}",
            VERDICTS[check.verdict],
        )
    console.print(ratios)
