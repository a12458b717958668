"""What was measured, and what it is held against."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reports.benchmark.processes import Run

# Row keys
CEILING, SQL, SQL_ONE, SQL_BIG, SQL_OLD = "pgbench", "sql", "sql_one_process", "sql_5m", "sql_5m_old"
EMPTY, INSERT, TEXTBOOK, DRAW = "http_empty", "http_insert", "http_textbook", "http_draw"
HOME, HOME_BOUND, GONE = "http_home", "http_home_bound", "http_sold_out"
NAMES = {
    CEILING: "pgbench：每个事务一条 INSERT（上限）",
    SQL: "抽奖（只测数据库一侧，2 万张的奖票盒）",
    SQL_ONE: "抽奖（只测数据库一侧，一个进程）",
    SQL_BIG: "抽奖（只测数据库一侧，500 万张的奖票盒）",
    SQL_OLD: "抽奖（只测数据库一侧，500 万张，此前已抽 500 万次）",
    EMPTY: "HTTP：空视图，标准中间件",
    INSERT: "HTTP：视图内一条 INSERT",
    TEXTBOOK: "HTTP：教科书式抽奖（ORM 锁库存行、检查、减一、插入）",
    DRAW: "HTTP：抽奖",
    HOME: "HTTP：首页 /m/（未绑定）",
    HOME_BOUND: "HTTP：首页 /m/（已绑定）",
    GONE: "HTTP：抽完以后的答复",
}


@dataclass
class Figures:
    """All runs by row and number of clients, and the other times in seconds."""

    runs: dict[tuple[str, int], list[Run]] = field(default_factory=dict)
    bookings: dict[int, float] = field(default_factory=dict)  # coupons expired: seconds

    def add(self, row: str, clients: int, run: Run) -> None:
        self.runs.setdefault((row, clients), []).append(run)

    def run(self, row: str, clients: int) -> Run | None:
        """Return the run with the middle rate of all passes, None when the row was not measured."""
        runs = sorted(self.runs.get((row, clients), []), key=lambda run: run.per_s)
        return runs[(len(runs) - 1) // 2] if runs else None

    def ratio(self, one: tuple[str, int], other: tuple[str, int]) -> float | None:
        """Return the middle of the passes' ratios: two rows of one pass had the same neighbours on the machine."""
        ones, others = self.runs.get(one, []), self.runs.get(other, [])
        if not ones or not others:
            return None
        if len(ones) == len(others):
            return statistics.median(a.per_s / b.per_s for a, b in zip(ones, others, strict=True))
        return statistics.median(a.per_s for a in ones) / statistics.median(b.per_s for b in others)


@dataclass(frozen=True)
class Check:
    """A figure beside its goal and its floor; ``at_most`` when smaller is better."""

    name: str
    value: float
    goal: float
    floor: float
    at_most: bool = False
    unit: str = "倍"

    @property
    def verdict(self) -> str:
        """Return goal, floor or below."""
        better = (lambda limit: self.value <= limit) if self.at_most else (lambda limit: self.value >= limit)
        return "goal" if better(self.goal) else "floor" if better(self.floor) else "below"


VERDICTS = {"goal": "达到目标", "floor": "达到底线", "below": "未达到"}


def checks(figures: Figures) -> list[Check]:
    """Return every ratio that the draw is held to, as far as its rows were measured."""
    found: list[Check] = []

    def ratio(name: str, one: tuple[str, int], other: tuple[str, int], goal: float, floor: float | None = None) -> None:
        if (value := figures.ratio(one, other)) is not None:
            found.append(Check(name, value, goal, goal if floor is None else floor))

    def slower(name: str, one: tuple[str, int], other: tuple[str, int], most: float) -> None:
        if (value := figures.ratio(other, one)) is not None:
            found.append(Check(name, value, most, most, at_most=True))

    ratio("HTTP 抽奖 ÷ 空视图（64 连接）", (DRAW, 64), (EMPTY, 64), 1.0, 0.6)
    ratio("HTTP 抽奖 ÷ 教科书式（64 连接）", (DRAW, 64), (TEXTBOOK, 64), 20)
    if run := figures.run(DRAW, 64):
        found.append(Check("HTTP 抽奖 p99（64 连接）", run.p99_ms, 60, 60, at_most=True, unit="毫秒"))
    ratio("抽奖语句 ÷ pgbench 一条 INSERT（64 客户端）", (SQL, 64), (CEILING, 64), 1.0, 0.5)
    ratio("抽奖语句 ÷ pgbench 一条 INSERT（8 客户端）", (SQL, 8), (CEILING, 8), 1.0, 0.5)
    if (run := figures.run(SQL_ONE, 64)) and (ceiling := figures.run(CEILING, 64)):
        # Not the figure that is asked for: it tells how much of that one is Python's.
        in_database = run.count / run.database_s / ceiling.per_s
        found.append(
            Check("其中只算等候数据库的时间 ÷ pgbench 一条 INSERT（一个进程，64 客户端）", in_database, 1.0, 0.5)
        )
    ratio("抽完以后的答复 ÷ 空视图（64 连接）", (GONE, 64), (EMPTY, 64), 0.8)
    ratio("首页（未绑定）÷ 空视图（64 连接）", (HOME, 64), (EMPTY, 64), 0.8)
    ratio("首页（已绑定）÷ 空视图（64 连接）", (HOME_BOUND, 64), (EMPTY, 64), 0.8)
    slower("一个客户端：抽奖语句用时 ÷ 一条 INSERT", (SQL, 1), (CEILING, 1), 2.0)
    slower("一个连接：HTTP 抽奖用时 ÷ 视图内一条 INSERT", (DRAW, 1), (INSERT, 1), 2.0)
    slower("500 万张的用时 ÷ 2 万张（64 客户端）", (SQL_BIG, 64), (SQL, 64), 1.2)
    slower("500 万张且此前已抽 500 万次的用时 ÷ 2 万张（64 客户端）", (SQL_OLD, 64), (SQL, 64), 1.2)
    return found


def as_json(figures: Figures, machine: dict[str, Any], checked: Sequence[Check]) -> dict[str, Any]:
    """Return everything for machines."""
    rows = []
    for row, clients in figures.runs:
        run = figures.run(row, clients)
        assert run is not None  # noqa: S101 (the key is there)
        rows.append(
            {
                "row": row,
                "clients": clients,
                "per_s": round(run.per_s, 1),
                "p50_ms": round(run.p50_ms, 3),
                "p99_ms": round(run.p99_ms, 3),
                "max_ms": round(run.max_ms, 3),
                "count": run.count,
                "database_us": round(run.database_s / run.count * 1e6, 1),
                "passes_per_s": [round(each.per_s, 1) for each in figures.runs[row, clients]],
            }
        )
    return {
        "machine": machine,
        "rows": rows,
        "bookings": [{"coupons": n, "seconds": round(s, 2)} for n, s in figures.bookings.items()],
        "checks": [
            {"name": c.name, "value": round(c.value, 3), "goal": c.goal, "floor": c.floor, "verdict": c.verdict}
            for c in checked
        ],
    }
