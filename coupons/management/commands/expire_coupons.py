"""Book every round that is over and unbooked: what the sweep does each minute, by hand."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from coupons import lifecycle
from coupons.models import Coupon, Round
from huigou import clock
from huigou.errors import Refusal


class Command(BaseCommand):
    help = "将已到期而未入账的轮次入账：未使用的券与未抽出的奖票收回奖池；可重复运行"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")

    def handle(self, *args: Any, **options: Any) -> None:
        due = Round.objects.due_for_booking(clock.now()).filter(
            campaign__closed_at=None, campaign__launched_at__isnull=False
        )
        done = []
        for round_ in due.select_related("campaign").order_by("campaign", "number"):
            held = Coupon.objects.filter(round=round_, state=Coupon.State.HELD).count()
            try:
                booked = lifecycle.book_round(round_.pk)
            except Refusal as refused:
                self.stderr.write(f"{round_.campaign} {round_}：{refused}")
                continue
            done.append({"round": round_.number, "campaign": round_.campaign_id, "held": held, "booked": booked})
            self.stdout.write(
                f"{round_.campaign} {round_}：到期 {held} 张，{'已入账' if booked else '已由另一进程入账'}"
            )
        if not done:
            self.stdout.write("没有待入账的轮次")
        if options["json"]:
            self.stdout.write(json.dumps({"rounds": done}, ensure_ascii=False))
