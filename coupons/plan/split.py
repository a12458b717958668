"""How many coupons of a batch a round releases."""

from __future__ import annotations

from collections.abc import Iterable


def release(in_pool: int, rounds_left: int) -> int:
    """Return ceil(coupons in the pool / rounds left): what comes back flows on, and the last round releases all."""
    if in_pool < 0 or rounds_left < 1:
        raise ValueError("a pool is never negative and a round counts itself")
    return -(-in_pool // rounds_left)


def without_returns(counts: Iterable[int], rounds: int) -> list[int]:
    """Return how many coupons each round would release if none ever came back."""
    left, totals = list(counts), []
    for number in range(rounds):
        out = [release(count, rounds - number) for count in left]
        left = [count - gone for count, gone in zip(left, out, strict=True)]
        totals.append(sum(out))
    return totals
