"""Deal the rounds whose time has come: what the sweep does each minute, by hand, with the refusal said aloud."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from coupons import lifecycle
from coupons.lifecycle.dealing import DEAL_AHEAD, released_coupons
from coupons.models import Round
from huigou import clock
from huigou.errors import Refusal


class Command(BaseCommand):
    help = "备奖：为一小时内开始或已经开始的轮次确定投放、牌面与次序；可重复运行"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        due = Round.objects.filter(
            dealt_at=None, opens_at__lte=now + DEAL_AHEAD, campaign__closed_at=None, campaign__launched_at__isnull=False
        )
        done, refusals = [], []
        for round_ in due.select_related("campaign").order_by("campaign", "number"):
            try:
                for earlier in Round.objects.due_for_booking(now).filter(campaign=round_.campaign_id):
                    lifecycle.book_round(earlier.pk)
                dealt = lifecycle.deal(round_.pk)
            except Refusal as refused:
                refusals.append({"round": round_.number, "campaign": round_.campaign_id, "code": refused.code})
                self.stderr.write(f"{round_.campaign} {round_}：{refused}")
                continue
            coupons = released_coupons(round_)
            done.append({"round": round_.number, "campaign": round_.campaign_id, "dealt": dealt, "coupons": coupons})
            self.stdout.write(f"{round_.campaign} {round_}：投放 {coupons} 张")
        if not done and not refusals:
            self.stdout.write("没有待备奖的轮次")
        if options["json"]:
            self.stdout.write(json.dumps({"rounds": done, "refused": refusals}, ensure_ascii=False))
