"""Jump to any page of a list of millions without counting or sorting it.

A list is cut into stretches in its own order, and of each it is known how many rows the filters leave. A page is found
by adding those numbers up; only the few stretches that it lies in are read, each by its index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet


@dataclass(frozen=True)
class Stretch:
    """A part of a list: the condition that its rows meet, and how many of them the filters leave."""

    within: Q
    count: int


def parts(stretches: Sequence[Stretch], start: int, size: int) -> Iterator[tuple[Stretch, int, int]]:
    """Yield (stretch, first, last) for the stretches in which rows ``start`` to ``start + size`` of the list lie."""
    passed = 0
    for stretch in stretches:
        first, last = max(start - passed, 0), min(start + size - passed, stretch.count)
        if first < last:
            yield stretch, first, last
        passed += stretch.count
        if passed >= start + size:
            return


def keys(rows: QuerySet[Any], stretches: Sequence[Stretch], start: int, size: int) -> list[Any]:
    """Return the primary keys of a page in one query; ``rows`` is filtered and in the stretches' order.

    Each part is bounded by its own range and limit. One range over all of them would let the planner walk the whole
    table for a filter that leaves one row here and one there.
    """
    pieces = [
        rows.filter(stretch.within).values_list("pk", flat=True)[first:last]
        for stretch, first, last in parts(stretches, start, size)
    ]
    if not pieces:
        return []
    return list(pieces[0].union(*pieces[1:], all=True) if len(pieces) > 1 else pieces[0])
