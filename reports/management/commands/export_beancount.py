"""Write a campaign's books in Beancount's format, for bean-check."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from coupons.models import Campaign
from reports import beancount


class Command(BaseCommand):
    help = "按 Beancount 格式导出一期活动的全部流水"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--campaign", type=int, help="活动编号，默认当前活动")
        parser.add_argument("--out", type=Path, help="写入的文件，默认标准输出")
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象（须同时给出 --out）")

    def handle(self, *args: Any, **options: Any) -> None:
        number = options["campaign"]
        campaign = Campaign.objects.filter(pk=number).first() if number else Campaign.objects.current()
        if campaign is None:
            raise CommandError("没有这期活动")
        if options["out"] is None:
            if options["json"]:
                raise CommandError("--json 须同时给出 --out")
            beancount.export(campaign, sys.stdout)
            return
        with options["out"].open("w", encoding="utf-8") as out:
            count = beancount.export(campaign, out)
        self.stdout.write(f"{campaign}：{count} 笔流水已写入 {options['out'].name}")
        if options["json"]:
            self.stdout.write(json.dumps({"campaign": str(campaign), "transfers": count}, ensure_ascii=False))
