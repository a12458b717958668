"""What a plan's own text says beside its workbooks: the trades that may take part."""

from __future__ import annotations

import re
from pathlib import Path

from coupons.plan.draft import Named, Place
from coupons.plan.tables import parts
from huigou.excel_reading import shown

_TRADES = re.compile(r"活动企业门类\s*\n+\s*(\S[^\n]{0,500})")
MAX_PLAN_TEXT_BYTES = 1_000_000


def named_trades(folder: Path) -> list[Named]:
    """Return the trades that the text's clause on 参与活动企业门类 lists, in its order."""
    for path in sorted(p for p in folder.glob("方案*") if p.suffix in (".md", ".txt") and p.is_file()):
        with path.open("rb") as file:
            text = file.read(MAX_PLAN_TEXT_BYTES).decode("utf-8", "replace")
        if match := _TRADES.search(text):
            listed = re.sub(r"[（(][^）)]*[)）]|[。\s]", "", match[1])
            # 全县统计在库限额以上家电、…、住宿餐饮零售企业: who may take part, then which trades.
            trades = [re.sub(r"^.*以上|(零售)?企业$|类$", "", part) for part in parts(listed)]
            return [Named(shown(part), Place(path.stem[:50], "")) for part in dict.fromkeys(trades) if part]
    return []
