"""Check the whole of the books, in one snapshot per campaign; red books freeze. Exit 1 when something is red."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from coupons import lifecycle
from coupons.models import Campaign
from huigou import clock
from huigou.money import yuan
from reports import reconcile
from reports.reconcile.sums import KINDS


class Command(BaseCommand):
    help = "核对账目：逐项列出各不变式，发现问题即冻结（已认可的问题不再冻结）"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--campaign", type=int, help="活动编号，默认全部未结账的活动")
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")

    def handle(self, *args: Any, **options: Any) -> None:
        lifecycle.sweep()  # the last round has no later one that would book it
        chosen = Campaign.objects.filter(launched_at__isnull=False).order_by("pk")
        campaign_id = options["campaign"]
        chosen = chosen.filter(pk=campaign_id) if campaign_id else chosen.filter(closed_at=None)
        reports = [reconcile.check(campaign) for campaign in chosen]
        for report in reports:
            self._table(report)
            reconcile.freeze_if_red(report.campaign, report.findings)
        is_green = all(report.is_green for report in reports)
        if options["json"]:
            content = {"green": is_green, "campaigns": [report.as_dict() for report in reports]}
            self.stdout.write(json.dumps(content, ensure_ascii=False))
        if not is_green:
            raise CommandError("账目有问题，已冻结未认可的活动")

    def _table(self, report: reconcile.Report) -> None:
        self.stdout.write(f"{report.campaign}　{clock.spoken(report.checked_at)}　流水 {report.transfers} 笔")
        for line in report.lines:
            self.stdout.write(f"  {'✗' if line.findings else '✓'} {line.title}")
            for found in line.findings:
                self.stdout.write(f"      {found.message}［{found.fingerprint}］")
        for kind, fen in report.sums.items():
            self.stdout.write(f"  {KINDS[kind]}　{yuan(fen)} 元")
        self.stdout.write(f"  用时 {report.seconds:.2f} 秒")
