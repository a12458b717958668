"""Fold what has happened into the kept sums of the back office's long lists, or count them anew."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from coupons.tallies import CONSUMERS, COUPONS
from merchants.tallies import USES
from reports.tallies import TRAIL


class Command(BaseCommand):
    help = "更新后台各清单的统计数；--anew 清除后重新统计（任何时候清单上的数都是准确的，只是快慢不同）"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--anew", action="store_true", help="清除后重新统计")
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")

    def handle(self, *args: Any, **options: Any) -> None:
        done = {t.name: t.begin_anew() if options["anew"] else t.fold() for t in (COUPONS, CONSUMERS, USES, TRAIL)}
        said = "领取 {coupons}、买家 {consumers}、使用 {uses}、操作记录 {trail} 格".format(**done)
        self.stdout.write(f"统计数已更新：{said}")
        if options["json"]:
            self.stdout.write(json.dumps({"cells": done}))
