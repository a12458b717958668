"""``manage.py export_usage``: the full 消费数据 for the audit bureau as a workbook, without the web."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from huigou import clock
from reports import exports


class Command(BaseCommand):
    help = "导出消费数据（优惠券使用）为 Excel"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="写到哪里（.xlsx）")
        parser.add_argument(
            "--kind", default="uses", choices=sorted(exports.LISTS), help="内容，默认 uses（优惠券使用）"
        )
        parser.add_argument("--since", default="", help="开始日期 YYYY-MM-DD")
        parser.add_argument("--until", default="", help="结束日期 YYYY-MM-DD")
        parser.add_argument("--category", default="", help="品类代码")
        parser.add_argument("--campaign", default="", help="活动编号，默认当前活动")
        parser.add_argument("--json", action="store_true", help="最后一行输出 JSON")

    def handle(self, *args: Any, file: Path, kind: str, **options: Any) -> None:
        filters = {name: options[name] for name in ("since", "until", "category", "campaign") if options[name]}
        if not file.parent.is_dir():
            raise CommandError(f"没有这个文件夹：{file.parent}")
        listing = exports.LISTS[kind].open(filters, clock.now())
        if not listing.is_valid:
            raise CommandError("；".join(str(e) for errors in listing.form.errors.values() for e in errors))
        checked = exports.checked_books(listing.subject)
        part = file.with_suffix(".part")
        try:
            with exports.snapshot():
                listing = exports.LISTS[kind].open(filters, clock.now())
                done = exports.write(part, listing, exports.Cover("命令行", "", checked))
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        self.stdout.write(f"{listing.title}：{done.rows} 行，已写入 {file}（SHA-256 {done.digest}）")
        if options["json"]:
            told = {"file": str(file), "kind": kind, "rows": done.rows, "rows_sha256": done.digest, "sums": done.sums}
            self.stdout.write(json.dumps(told))
