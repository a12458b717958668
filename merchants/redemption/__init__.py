"""The only door by which a coupon is spent: scan, complete, recall, reverse, forfeit.

Every verb locks in the same order (person, coupon, redemption), reads the clock in the next statement, and writes
redemption, coupon, transfer and event in one transaction. Every attempt is logged, refused ones too, outside of it.
"""

from merchants.redemption.entering import Entry, as_seen_by_clerk, check_entry, complete
from merchants.redemption.scanning import ScanOptions, coupon_from_token, refuse_scan, scan, token_from_short
from merchants.redemption.undoing import forfeit_overdue, recall, reverse

__all__ = [
    "Entry",
    "ScanOptions",
    "as_seen_by_clerk",
    "check_entry",
    "complete",
    "coupon_from_token",
    "forfeit_overdue",
    "recall",
    "refuse_scan",
    "reverse",
    "scan",
    "token_from_short",
]
