"""The draws and the shops' counters, spread over the machine's processors; the verbs are the real ones.

Draws are split by category and the counters by consumer, so that no two processes ever want the same ticket or the
same person's one open scan: what comes out does not depend on who was faster.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any

from django.db import connections

from coupons import drawing
from coupons.codes import Presented
from coupons.drawing import batcher
from coupons.ledger import Actor
from coupons.models import Category
from coupons.models.books import ActorKind
from huigou.errors import Refusal
from merchants import redemption
from merchants.models import Clerk, Redemption
from reports.rehearsal import county

ASKS_TOGETHER = 200
BINDS_TOGETHER = 200


@dataclass(frozen=True)
class Deed:
    """What a clerk does with a coupon: the verbs in order, and what is entered."""

    verbs: tuple[str, ...]  # scan, complete, recall
    coupon_id: int
    holder_id: int
    clerk_id: int
    bill_percent: int = 100
    kind: int = 0


class Counters:
    """The processes that draw and spend. Made before any thread and any connection that a fork would share."""

    def __init__(self, workers: int = 0) -> None:
        connections.close_all()
        self.workers = workers or max(1, min(4, os.cpu_count() or 1))
        self._pool = multiprocessing.get_context("fork").Pool(self.workers)

    def __enter__(self) -> Counters:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close() if error is None else self._pool.terminate()
        self._pool.join()

    def bind(self, count: int) -> list[int]:
        """Bind so many consumers; return their ids."""
        groups = [range(start, min(start + BINDS_TOGETHER, count)) for start in range(0, count, BINDS_TOGETHER)]
        return [pk for ids in self._pool.imap(county.bind, groups, chunksize=1) for pk in ids]

    def draw(self, wishes: Sequence[tuple[int, Sequence[int]]]) -> Counter[str]:
        """Let consumers turn the wheels: [(deck, consumer ids in their order)]; count wins, blanks and refusals."""
        return sum(self._pool.imap_unordered(_draw, wishes, chunksize=1), Counter())

    def spend(self, deeds: Iterable[Deed]) -> Counter[str]:
        """Do deeds in their order for each consumer; count what came of the verbs."""
        lanes: list[list[Deed]] = [[] for _ in range(self.workers)]
        for deed in deeds:
            lanes[deed.holder_id % self.workers].append(deed)
        return sum(self._pool.imap_unordered(_spend, lanes, chunksize=1), Counter())


def _draw(wish: tuple[int, Sequence[int]]) -> Counter[str]:
    deck_id, consumer_ids = wish
    outcomes: Counter[str] = Counter()
    with batcher.connect() as conn:
        for start in range(0, len(consumer_ids), ASKS_TOGETHER):
            asks = [drawing.Ask(deck_id, pk, turn=1) for pk in consumer_ids[start : start + ASKS_TOGETHER]]
            for result in drawing.write_together(conn, asks):
                won = "won" if isinstance(result, drawing.Answer) and result.face_fen else "blank"
                outcomes[result.code if isinstance(result, Refusal) else won] += 1
    return outcomes


def _spend(lane: Sequence[Deed]) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for deed in lane:
        for verb in deed.verbs:
            try:
                _VERBS[verb](deed)
                outcomes[verb] += 1
            except Refusal as refused:
                outcomes[refused.code] += 1
    return outcomes


@lru_cache(maxsize=1_000)
def _clerk(clerk_id: int) -> Clerk:
    return Clerk.objects.select_related("outlet__merchant", "person").get(pk=clerk_id)


def _scan(deed: Deed) -> Any:
    # A second coupon at one shop needs another receipt: each coupon has its own.
    options = redemption.ScanOptions(another_purchase=True, receipt_no=f"R{deed.coupon_id}")
    return redemption.scan(_clerk(deed.clerk_id), Presented(deed.coupon_id, is_paper=False), options)


def _pending(deed: Deed) -> Redemption:
    return Redemption.objects.pending().select_related("category").get(coupon_id=deed.coupon_id)


def _complete(deed: Deed) -> Any:
    found = _pending(deed)
    amount_fen = found.threshold_fen * deed.bill_percent // 100
    payment = Redemption.Payment.CARD if found.category.cashless else ""
    entry = redemption.Entry(amount_fen, kind_for(found.category, deed.kind), payment=payment)
    return redemption.complete(_clerk(deed.clerk_id), found.pk, entry)


def _recall(deed: Deed) -> Any:
    actor = Actor(ActorKind.CLERK, deed.clerk_id)
    return redemption.recall(_pending(deed).pk, actor, "演练：撤回", clerk=_clerk(deed.clerk_id))


_VERBS = {"scan": _scan, "complete": _complete, "recall": _recall}


def kind_for(category: Category, number: int) -> str:
    """Return a kind of consumption that the category takes."""
    if category.kind_choices:
        return str(category.kind_choices[number % len(category.kind_choices)])
    return str(1 + number % 8) if category.kind_type == Category.KindType.NUMBER else "货品"
