"""What happens to a coupon: a function of the seed and the ticket, and of nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

# Of a hundred coupons drawn, how many are spent. An earlier county saw 51.7 % over all; categories differ, so that the
# re-allocation after round 5 has something to move.
SPENT_PERCENT = {"lodging": 44, "dining": 71, "fuel": 63, "farm": 49, "book": 31}
USUAL_PERCENT = 52
HALF_DAYS = 8  # moments at which the counters of a round's four full days are busy


class Fate(Enum):
    """How a spent coupon is spent. The shares below are in tenths of a percent of those."""

    PLAIN = "plain"
    RECALLED_THEN_USED = "recalled_then_used"
    RECALLED = "recalled"
    LATE_ENTRY = "late_entry"  # scanned just before the end, entered in the window after it
    LATE_RECALL = "late_recall"  # scanned just before the end, recalled after it: the value goes to the pool
    FORFEITED = "forfeited"  # scanned just before the end, never entered
    REVERSED_EARLY = "reversed_early"  # refunded before the coupon's expiry: it lives again
    REVERSED_LATE = "reversed_late"  # refunded after it: the value goes to the pool
    PARTLY_REFUNDED = "partly_refunded"  # gives nothing back


SHARES = (
    (Fate.RECALLED_THEN_USED, 20),
    (Fate.RECALLED, 10),
    (Fate.LATE_ENTRY, 12),
    (Fate.LATE_RECALL, 6),
    (Fate.FORFEITED, 12),
    (Fate.REVERSED_EARLY, 3),
    (Fate.REVERSED_LATE, 3),
    (Fate.PARTLY_REFUNDED, 2),
)
# A consumer may have one open scan at a time. These fates keep one open at the round's end, so in each round they
# happen in one category, where nobody holds two coupons: then it does not matter who drew which ticket.
AT_THE_END = (Fate.LATE_ENTRY, Fate.LATE_RECALL, Fate.FORFEITED)


@dataclass(frozen=True)
class Way:
    """One coupon's way: whether and how it is spent, in which half-day, where, and for how much."""

    fate: Fate | None  # None: not spent, it lapses
    half_day: int
    shop: int  # to be taken modulo the number of shops
    bill_percent: int  # of the threshold, 100 to 299
    kind: int


def way_of(seed: int, round_number: int, category: str, category_place: int, ticket: int) -> Way:
    """Return what happens to a ticket's coupon."""
    digest = hashlib.sha256(f"{seed}/{round_number}/{category}/{ticket}".encode()).digest()
    parts = [int.from_bytes(digest[i : i + 4], "big") for i in range(0, 24, 4)]
    fate: Fate | None = None
    if parts[0] % 100 < SPENT_PERCENT.get(category, USUAL_PERCENT):
        fate = _fate(parts[1] % 1000)
        if fate in AT_THE_END and round_number % 5 != category_place % 5:
            fate = Fate.PLAIN
    return Way(fate, parts[2] % HALF_DAYS, parts[3], 100 + parts[4] % 200, parts[5])


def _fate(tenths: int) -> Fate:
    for fate, share in SHARES:
        if tenths < share:
            return fate
        tenths -= share
    return Fate.PLAIN
