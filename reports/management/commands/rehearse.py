"""Rehearse a whole campaign in compressed time, in a database of its own; the same seed gives the same report."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from reports import rehearsal

STEPS_PER_ROUND = 12  # dealing, drawing, eight half-days, booking, checking
OTHER_STEPS = 8


class Command(BaseCommand):
    help = "演练整期活动：绑定、抽奖、核销、撤回、退回、放弃、调整、到期、结算、结账；用自己的数据库，结束即删除"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--consumers", type=int, default=3_000, help="买家人数")
        parser.add_argument("--rounds", type=int, default=7, choices=range(1, 8), help="轮数，1 至 7")
        parser.add_argument("--seed", type=int, default=1, help="种子：相同的种子得到相同的报告")
        parser.add_argument("--workers", type=int, default=0, help="用几个进程演练，0 为按处理器数；不影响报告")
        parser.add_argument("--arrival", type=int, default=0, help="换一种先来后到；不影响报告")
        parser.add_argument("--keep", action="store_true", help="保留演练数据库以便查看")
        parser.add_argument("--beancount", type=Path, metavar="FILE", help="把账目写到这个文件，供 bean-check 核对")
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")

    def handle(self, *args: Any, **options: Any) -> None:
        if "owner" not in connections.settings:
            raise CommandError("演练要建自己的数据库，须设置 DATABASE_OWNER_URL（所有者角色，可建库）")
        if options["consumers"] < 1 or options["workers"] < 0:
            raise CommandError("买家人数至少为 1，进程数不为负")
        if settings.SMS_BACKEND not in rehearsal.SILENT:
            raise CommandError(f"SMS_BACKEND 为 {settings.SMS_BACKEND}（真实短信通道），不得在此演练")
        chosen = rehearsal.Options(
            options["consumers"],
            options["rounds"],
            options["seed"],
            keep=options["keep"],
            beancount=options["beancount"],
            workers=options["workers"],
            arrival=options["arrival"],
        )
        began = time.monotonic()
        told, aside = self._played(chosen)
        took_s = time.monotonic() - began
        self.stderr.write(
            f"用时 {took_s:.1f} 秒；运行中读取快照 {aside.snapshots} 次，相隔最长 {aside.longest_s:.2f} 秒"
        )
        self.stderr.write(f"谁抽到哪张票：{aside.holders}（随 --arrival 而变，报告不变）")
        if aside.beancount:
            self.stderr.write(f"账目已按 Beancount 格式写入 {aside.beancount}")
        if options["keep"]:
            self.stderr.write(f"演练数据库保留为 {aside.database}")
        self.stdout.write(rehearsal.as_text(told))
        if options["json"]:
            self.stdout.write(json.dumps(told, ensure_ascii=False))
        if not told["green"]:
            raise CommandError("演练的账目不符")

    def _played(self, chosen: rehearsal.Options) -> tuple[dict[str, Any], rehearsal.Aside]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("演练", total=chosen.rounds * STEPS_PER_ROUND + OTHER_STEPS)

            def step(name: str) -> None:
                progress.update(task, description=name, advance=1)
                if not console.is_terminal:  # a log has no bar
                    console.print(f"{time.monotonic() - began:8.1f} s  {name}", highlight=False)

            began = time.monotonic()
            played = rehearsal.rehearse(chosen, step)
            progress.update(task, description="完成", completed=chosen.rounds * STEPS_PER_ROUND + OTHER_STEPS)
        return played
