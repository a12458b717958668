"""Measure the draw beside PostgreSQL's own ceiling and an empty view; ``make bench`` starts servers for it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from reports.benchmark import county, course, figures, machine, plot, processes, table


class Command(BaseCommand):
    help = "测速：同一次运行中，把抽奖与 pgbench 一条 INSERT 的上限、空视图、教科书式抽奖并排测量"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")
        parser.add_argument("--scale", choices=["quick", "default", "full"], default="default", help="full 含 500 万张")
        parser.add_argument("--plot", metavar="FILE", help="把图画到这个 SVG 文件")

    def handle(self, *args: Any, **options: Any) -> None:
        scales = {"quick": course.Scale(1, 1.5, 1.0), "default": course.Scale(), "full": course.Scale(is_full=True)}
        scale = scales[options["scale"]]
        logging.getLogger("coupons").setLevel(logging.ERROR)
        console = Console(stderr=True)
        try:
            with county.own_database():
                told = machine.describe()
                if not told["durable"]:
                    console.print("注意：数据库没有打开 fsync、synchronous_commit、full_page_writes，数字不能作数")
                with Progress(
                    TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
                ) as bar:
                    task = bar.add_task("", total=course.steps(scale))
                    found = course.measure(scale, lambda text: bar.update(task, description=text, advance=1))
        except processes.BenchmarkError as error:
            raise CommandError(str(error)) from error
        checked = figures.checks(found)
        table.show(Console(), told, found, checked)
        result = figures.as_json(found, told, checked)
        if options["plot"]:
            Path(options["plot"]).write_text(plot.draw(result))
        if options["json"]:
            self.stdout.write(json.dumps(result, ensure_ascii=False))
