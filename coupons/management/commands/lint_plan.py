"""Read a plan folder and name every finding; change nothing."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from coupons.plan.linting import lint
from coupons.plan.reading import read_plan
from coupons.plan.tables import PlanError
from huigou.money import yuan


class Command(BaseCommand):
    help = "核对方案文件夹（活动设置、活动时间、附件1、附件2），列出所有问题"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        try:
            draft = read_plan(folder)
        except PlanError as unreadable:
            if options["json"]:
                problems = [{"sheet": p.sheet, "cell": p.cell, "message": p.message} for p in unreadable.problems]
                self.stdout.write(json.dumps({**unreadable.as_dict(), "problems": problems}, ensure_ascii=False))
            raise CommandError("\n".join(str(problem) for problem in unreadable.problems)) from unreadable
        findings = lint(draft)
        if options["json"]:
            body = {"findings": [f.as_dict() for f in findings], "coupons": draft.coupons, "fen": draft.fen}
            self.stdout.write(json.dumps(body, ensure_ascii=False))
            return
        table = Table("代码", "工作表", "单元格", "问题", title=f"方案核对：{len(findings)} 个问题")
        for finding in findings:
            table.add_row(finding.code, finding.sheet, finding.cell, finding.message)
        console = Console(file=self.stdout)
        console.print(table)
        console.print(f"合计 {draft.coupons} 张，{yuan(draft.fen)} 元（由各格相加）")
