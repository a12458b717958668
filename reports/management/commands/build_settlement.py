"""Build a campaign's settlement and its workbooks. Until it is frozen, each run collects anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from coupons.models import Campaign
from huigou.errors import Refusal
from huigou.money import yuan
from reports import reconcile, settlement, settlement_books
from reports.models import Settlement, SettlementUse


class Command(BaseCommand):
    help = "汇总商家结算，并写出活动总表与每家商家的工作簿"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--campaign", type=int, help="活动编号，默认当前活动")
        parser.add_argument("--out", type=Path, help="写入工作簿的文件夹")
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")

    def handle(self, *args: Any, **options: Any) -> None:
        number = options["campaign"]
        campaign = Campaign.objects.filter(pk=number).first() if number else Campaign.objects.current()
        if campaign is None:
            raise CommandError("没有这期活动")
        try:
            found = self._built(campaign)
        except Refusal as refused:
            raise CommandError(str(refused)) from refused
        figures = settlement.summary(found)
        names = dict(SettlementUse.Verdict.choices)
        self.stdout.write(f"{campaign}：{found.get_state_display()}，{figures['shops']} 家商家")
        for verdict, sums in figures["verdicts"].items():
            self.stdout.write(f"  {names[verdict]}　{sums['uses']} 笔　{yuan(sums['fen'])} 元")
        if options["out"]:
            figures["files"] = settlement_books.write(found, options["out"])
            self.stdout.write(f"已写出 {len(figures['files'])} 个工作簿")
        if options["json"]:
            self.stdout.write(json.dumps(figures, ensure_ascii=False))

    def _built(self, campaign: Campaign) -> Settlement:
        reconcile.guard(campaign, "结算汇总")
        found = Settlement.objects.filter(campaign=campaign).first()
        if found is not None and found.state != Settlement.State.COLLECTED:
            return found
        return settlement.collect(campaign)
