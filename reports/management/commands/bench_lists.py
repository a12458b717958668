"""Measure the back office's pages with millions of draws behind them; ``make bench`` starts servers for it."""

from __future__ import annotations

import json
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from rich.console import Console
from rich.table import Table

from coupons.models import Campaign
from coupons.tallies import CONSUMERS, COUPONS
from merchants.models import Redemption
from merchants.tallies import USES
from reports.benchmark import county, machine
from reports.benchmark.lists import asking, filling
from reports.models import AuditEntry
from reports.tallies import TRAIL

SCALES = {  # draws, and entries of the audit trail
    "quick": filling.Size(50_000, 50_000),
    "default": filling.Size(400_000, 400_000),
    "full": filling.Size(10_000_000, 400_000),
}
TALLIES = (COUPONS, CONSUMERS, USES, TRAIL)


class Command(BaseCommand):
    help = "测速：后台各清单的每一页、每种筛选在数据库用多少毫秒、问几次；full 为一千万次抽奖、四十万条操作记录"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")
        parser.add_argument("--scale", choices=list(SCALES), default="default")
        parser.add_argument("--keep", action="store_true", help="测完保留数据，可用 --reuse 再测")
        parser.add_argument("--reuse", action="store_true", help="用上次 --keep 保留的数据")
        parser.add_argument("--prove", action="store_true", help="另将全部统计数与逐行计数比对（full 需数分钟）")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(stderr=True)
        size = SCALES[options["scale"]]
        call_command("collectstatic", interactive=False, verbosity=0)  # pages are rendered with their files' names
        with county.own_database(keep=options["keep"], reuse=options["reuse"]):
            told = machine.describe()
            filled, folds = None, {}
            if not options["reuse"]:
                filled = round(asking.timed(lambda: filling.fill(size, console.print)), 1)
                campaign = Campaign.objects.get()
                for tally in TALLIES:
                    folds[tally.name] = round(asking.timed(lambda tally=tally: self._fold(tally)), 1)
                filling.add_unswept(campaign, size)
            campaign = Campaign.objects.get()
            answers = asking.ask_all(campaign)
            off = sum(len(tally.differences(1)) for tally in TALLIES) if options["prove"] else None
            result = {
                "machine": told,
                "draws": size.draws + size.unswept,
                "redemptions": Redemption.objects.count(),
                "entries": AuditEntry.objects.count(),
                "unswept": size.unswept,
                "fill_s": filled,
                "fold_s": folds,
                "differences": off,
                "limit_ms": asking.LIMIT_MS,
                "slowest_ms": max(answer.db_ms for answer in answers),
                "pages": [answer.as_dict() for answer in answers],
            }
        self._show(Console(), result)
        if options["json"]:
            self.stdout.write(json.dumps(result, ensure_ascii=False))
        if result["slowest_ms"] >= asking.LIMIT_MS or off:
            raise CommandError(f"有清单超过 {asking.LIMIT_MS} 毫秒，或统计数不符")

    def _fold(self, tally: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET work_mem = '256MB'")
        tally.fold()
        with connection.cursor() as cursor:
            cursor.execute("RESET work_mem")
            cursor.execute(f"ANALYZE {tally.table}")

    def _show(self, console: Console, result: dict[str, Any]) -> None:
        console.print(
            f"\n抽奖 {result['draws']:,}，核销 {result['redemptions']:,}，操作记录 {result['entries']:,}，"
            f"抽奖未汇总 {result['unswept']:,}；写入 {result['fill_s']} 秒，汇总 {result['fold_s']} 秒，"
            f"最慢 {result['slowest_ms']} 毫秒"
        )
        rows = Table("页面", "页", "共 N 条", "数据库 毫秒", "最慢 毫秒", "查询")
        for column in rows.columns[1:]:
            column.justify = "right"
        for p in result["pages"]:
            rows.add_row(
                p["title"],
                f"{p['page']:,}",
                f"{p['rows']:,}",
                f"{p['db_ms']:.1f}",
                f"{p['worst_ms']:.1f}",
                str(p["queries"]),
            )
        console.print(rows)
