"""Load a plan folder, each finding accepted by its code with a reason; all or nothing."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from coupons.plan.draft import redate
from coupons.plan.reading import read_plan
from huigou.errors import Refusal
from huigou.money import yuan
from merchants.listing import load_plan


class Command(BaseCommand):
    help = "导入方案文件夹；每个核对问题须用 --accept 代码=理由 认可"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--accept", action="append", default=[], metavar="CODE=原因")
        parser.add_argument("--by", default="命令行", help="认可人")
        parser.add_argument("--first-day", type=dt.date.fromisoformat, help="把第一轮改到这一天（YYYY-MM-DD）")

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        accepted = {}
        for pair in options["accept"]:
            code, sign, reason = pair.partition("=")
            if not sign or not reason.strip():
                raise CommandError(f"--accept {pair}：请写作 代码=原因")
            accepted[code.strip()] = reason.strip()
        try:
            draft = read_plan(folder)
            if options["first_day"]:
                draft = redate(draft, options["first_day"])
            loaded = load_plan(draft, accepted, accepted_by=options["by"])
        except Refusal as refusal:
            raise CommandError(f"{refusal}（未导入任何内容）") from refusal
        self.stdout.write(f"已导入 {loaded.campaign}：{loaded.coupons} 张，{yuan(loaded.fen)} 元")
        self.stdout.write("下一步：在后台提出“拨入资金”和“活动上线”，由另一部门审批")
