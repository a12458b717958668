"""Measure the export of a million uses: time, resident memory, and whether its sums are the books'."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reports.benchmark import county, export, machine, processes
from reports.exports.recounting import recount

MEMORY_MB = 256  # what a worker's export may take on the county's machine


class Command(BaseCommand):
    help = "测速：导出一百万行消费数据的时间和内存，并与账目核对"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rows", type=int, default=1_000_000, help="多少行")
        parser.add_argument("--keep", type=Path, help="把工作簿另存到这里，可用 LibreOffice 打开")
        parser.add_argument("--recount", action="store_true", help="再按单元格重算行内容 SHA-256（数分钟）")
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")

    def handle(self, *args: Any, rows: int, keep: Path | None, **options: Any) -> None:
        with county.own_database():
            told = machine.describe()
            self.stdout.write(f"写入 {rows:,} 笔核销 …")
            campaign = export.uses(rows)
            self.stdout.write("导出 …")
            try:
                found, job = export.measure(campaign)
            except processes.BenchmarkError as error:
                raise CommandError(str(error)) from error
            path = Path(job.file.path)
            try:
                if keep:
                    shutil.copyfile(path, keep)
                is_whole = recount(path).is_whole if options["recount"] else None
            finally:
                path.unlink()
        for label, value in (
            ("行数", f"{found.rows:,}（{found.sheets} 张工作表）"),
            ("时间", f"{found.seconds} 秒，每秒 {found.rows_per_s:,} 行"),
            ("内存", f"常驻峰值 {found.peak_mb} MB（未导出时 {found.idle_mb} MB，上限 {MEMORY_MB} MB）"),
            ("文件", f"{found.file_mb} MB"),
            ("账目", found.books),
            ("与账目核对", found.against_the_books),
        ):
            self.stdout.write(f"{label}：{value}")
        if is_whole is not None:
            self.stdout.write("按单元格重算：" + ("一致" if is_whole else "不一致"))
        if options["json"]:
            self.stdout.write(json.dumps({**found.as_dict(), "whole": is_whole, "machine": told}, ensure_ascii=False))
        if found.rows != rows or found.peak_mb > MEMORY_MB or not found.against_the_books.startswith("相符"):
            raise CommandError("没有达到要求：行数、内存或账目")
