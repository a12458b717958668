"""The invariant on the lists' kept sums: they are what the rows themselves come to."""

from __future__ import annotations

from collections.abc import Iterator

from coupons.tallies import CONSUMERS, COUPONS
from merchants.tallies import USES
from reports.reconcile.snapshot import AT_MOST, Finding, Snapshot, finding
from reports.tallies import TRAIL

_BATCHES = (
    "batch_id IN (SELECT b.id FROM coupons_batch b JOIN coupons_category c ON c.id = b.category_id"
    " WHERE c.campaign_id = %(campaign)s)"
)
_MERCHANTS = "merchant_id IN (SELECT id FROM merchants_merchant WHERE campaign_id = %(campaign)s)"
_ALL = (
    ("领取", COUPONS, _BATCHES),
    ("使用", USES, _MERCHANTS),
    ("买家", CONSUMERS, "true"),
    ("操作记录", TRAIL, "true"),
)


def kept_sums_agree(s: Snapshot) -> Iterator[Finding]:
    """各清单的统计数等于逐行计数。"""
    for title, tally, where in _ALL:
        for row in tally.differences(AT_MOST, where, campaign=s.campaign.pk):
            cut = len(tally.keys)
            what = "，".join(f"{name} {value}" for name, value in zip(tally.keys, row[:cut], strict=True))
            text = f"{title}统计与逐行计数相差 {' / '.join(str(off) for off in row[cut:])}（{what}）"
            yield finding("kept_sum", text, tally.name, *row)
