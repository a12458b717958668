"""Verify a round's reveal file, against itself and against what was published while it ran."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from coupons import fairness
from coupons.fairness import signing

NOT_GREEN = 1
UNREADABLE = 2


class Command(BaseCommand):
    help = "核验一轮抽奖的揭示文件：全部相符时退出码为 0，有错误为 1，文件读不了为 2"
    # The proof must not depend on the database that it is about.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="揭示文件（JSON）")
        parser.add_argument("--heads", type=Path, metavar="PUBLISHED", help="外部保存的公布文件（JSON lines）")
        parser.add_argument("--key", metavar="HEX", help="事先公布的签名公钥（64 位十六进制）")
        parser.add_argument("--json", action="store_true", help="最后一行输出 JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.perf_counter()
        document, published, key = self._read(options)
        findings = fairness.verify(document, published, public_key=key, check_signature=signing.verify)
        seconds = time.perf_counter() - started
        green = fairness.is_green(findings)
        for finding in findings:
            mark = "错误" if finding.level == fairness.ERROR else "说明"
            self.stdout.write(f"{mark} [{finding.code}] {finding.deck or ''} {finding.message}")
        decks = [] if any(finding.code == "format" for finding in findings) else document["decks"]
        draws = sum(len(deck["log"]) for deck in decks)
        errors = sum(finding.level == fairness.ERROR for finding in findings)
        # What cannot be checked yet is not called whole.
        sealed = any(finding.code == "not-revealed" for finding in findings)
        matched = "已核对的相符，牌序要等份额揭示后再核对" if sealed else "全部相符"
        verdict = matched if green else f"核验未通过：{errors} 类错误"
        self.stdout.write(f"{verdict}（{len(decks)} 副牌，{draws} 次抽奖，{seconds:.2f} 秒）")
        if options["json"]:
            answer = {"ok": green, "decks": len(decks), "draws": draws, "seconds": round(seconds, 3)}
            answer["findings"] = [finding.as_dict() for finding in findings]
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
        if not green:
            sys.exit(NOT_GREEN)

    def _read(self, options: dict[str, Any]) -> tuple[Any, fairness.Published | None, bytes | None]:
        try:
            document = json.loads(options["file"].read_text())
            published = fairness.read_published(options["heads"].read_text()) if options["heads"] else None
            key = bytes.fromhex(options["key"]) if options["key"] else None
        except (OSError, ValueError, RecursionError) as wrong:
            raise CommandError(f"读不了：{wrong}", returncode=UNREADABLE) from wrong
        if key is not None and len(key) != fairness.KEY_BYTES:
            raise CommandError("--key 要是 64 位十六进制", returncode=UNREADABLE)
        return document, published, key
