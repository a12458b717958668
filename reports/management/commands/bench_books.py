"""Measure expiry and the check of the books beside a busy counter; ``make bench-books`` starts servers for it."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from coupons import drawing
from reports.benchmark import books, county, machine


class Command(BaseCommand):
    help = "测速：若干张券到期入账（另一期活动同时核销），以及账目核对"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--coupons", type=int, nargs="+", default=[40_000], help="到期的张数，可给多个")
        parser.add_argument("--json", action="store_true", help="最后一行输出一个 JSON 对象")

    def handle(self, *args: Any, **options: Any) -> None:
        if min(options["coupons"]) < 1:
            raise CommandError("张数至少为 1")
        console = Console(stderr=True)
        found = []
        for coupons in options["coupons"]:
            drawing.forget()  # numbers of decks come again in the next database
            with county.own_database():
                told = machine.describe()
                with console.status("建库") as status:
                    found.append(books.measure(coupons, status.update))
            row = found[-1]
            self.stdout.write(f"到期 {row['expired']} 张：{row['expiry_s']} 秒")
            for title, part in (("此前", row["before"]), ("同时", row["meanwhile"])):
                if part["redemptions"]:
                    self.stdout.write(
                        f"  {title}另一期核销 {part['redemptions']} 笔，中位 {part['median_ms']} 毫秒，"
                        f"99% 在 {part['p99_ms']} 毫秒内，最长 {part['max_ms']} 毫秒"
                    )
            self.stdout.write(
                f"  核对 {row['transfers']} 笔流水：全部 {row['check_books_s']} 秒，逐分钟 {row['check_new_s']} 秒"
            )
        if options["json"]:
            self.stdout.write(json.dumps({"machine": told, "books": found}, ensure_ascii=False))
