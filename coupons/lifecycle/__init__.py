"""Rounds open and close, coupons live and lapse. The only writer of a coupon's state."""

from coupons.lifecycle.dealing import deal, ensure_dealt, propose
from coupons.lifecycle.expiry import book_round, sweep
from coupons.lifecycle.life import complete, forfeit, recall, reverse, scan

__all__ = [
    "book_round",
    "complete",
    "deal",
    "ensure_dealt",
    "forfeit",
    "propose",
    "recall",
    "reverse",
    "scan",
    "sweep",
]
