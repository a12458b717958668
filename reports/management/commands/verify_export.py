"""``manage.py verify_export``: recount a workbook that somebody hands back, from its cells alone."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from huigou.errors import Refusal
from reports.exports.recounting import recount


class Command(BaseCommand):
    help = "核对导出的工作簿：按单元格重算行内容 SHA-256，与封面和导出记录比较"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="导出的 .xlsx")
        parser.add_argument("--json", action="store_true", help="最后一行输出 JSON")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            found = recount(file)
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        record = f"记录 {found.recorded}" if found.recorded else "本平台没有这个编号的记录"
        self.stdout.write(f"行数：封面 {found.said_rows}，实有 {found.rows}")
        self.stdout.write(f"SHA-256：封面 {found.said_digest}，重算 {found.digest}，{record}")
        self.stdout.write("一致，行内容未被改动" if found.is_whole else "不一致：行内容与导出时不同")
        if options["json"]:
            told = {"rows": found.rows, "rows_sha256": found.digest, "whole": found.is_whole, "number": found.number}
            self.stdout.write(json.dumps(told, ensure_ascii=False))
        if not found.is_whole:
            raise CommandError("工作簿与导出时不一致")
