"""Run the invariants over one snapshot and say what they found; seal the sums when all is green."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from coupons.models import Campaign
from huigou.errors import FROZEN
from reports.models import Seal
from reports.reconcile import freezing, kept, lives, sums
from reports.reconcile.snapshot import Finding, Snapshot, taken

Invariant = Callable[[Snapshot], Iterator[Finding]]
INVARIANTS: Sequence[Invariant] = (*sums.EVERY_TIME, *lives.ALL_ROWS, kept.kept_sums_agree)
NEW_INVARIANTS: Sequence[Invariant] = (*sums.EVERY_TIME, *lives.NEW_ROWS)


@dataclass(frozen=True)
class Line:
    """One invariant's outcome."""

    name: str
    title: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Report:
    """What a check found, at which instant, over how many transfers; amounts in fen."""

    campaign: Campaign
    checked_at: dt.datetime
    transfers: int
    lines: tuple[Line, ...]
    sums: dict[str, int]  # by kind of account
    seconds: float

    @property
    def findings(self) -> list[Finding]:
        return [found for line in self.lines for found in line.findings]

    @property
    def is_green(self) -> bool:
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        return {
            "campaign": str(self.campaign),
            "checked_at": self.checked_at.isoformat(),
            "transfers": self.transfers,
            "green": self.is_green,
            "sums_fen": self.sums,
            "findings": [found.as_dict() for found in self.findings],
            "seconds": round(self.seconds, 3),
        }


def check(campaign: Campaign) -> Report:
    """Check the whole of a campaign's books. Call it outside of any transaction; it opens its own."""
    return _checked(campaign, INVARIANTS, only_new=False)


def check_new(campaign: Campaign) -> Report:
    """Check all sums against the sealed ones, and the rows written since the last green check.

    Reads the sealed transfers again as long as they are few enough for a minute (snapshot.REREAD_UP_TO).
    """
    return _checked(campaign, NEW_INVARIANTS, only_new=True)


def _checked(campaign: Campaign, invariants: Sequence[Invariant], *, only_new: bool) -> Report:
    began = time.perf_counter()
    with taken(campaign.pk, only_new=only_new) as snapshot:
        lines = tuple(Line(i.__name__, (i.__doc__ or "").strip(), tuple(i(snapshot))) for i in invariants)
    by_kind: dict[str, int] = {}
    for party, fen in sorted(snapshot.balances.items()):
        by_kind[party.kind] = by_kind.get(party.kind, 0) + fen
    report = Report(snapshot.campaign, snapshot.now, snapshot.transfers, lines, by_kind, time.perf_counter() - began)
    if report.is_green:
        _seal(snapshot)
    return report


def _seal(snapshot: Snapshot) -> None:
    """Keep the sums as this snapshot saw them, up to where no transaction was still under way."""
    if snapshot.seal is not None and snapshot.seal.horizon == snapshot.horizon and snapshot.seal.flows:
        return
    sums_fen = {key: fen for key, fen in snapshot.sealable.fen.items() if fen}
    Seal.objects.update_or_create(
        campaign=snapshot.campaign,
        defaults={
            "horizon": snapshot.horizon,
            "transfers": snapshot.sealable.count,
            "sums": sums_fen,
            "flows": snapshot.sealable.as_rows(),
            "digest": snapshot.sealable_digest,
            "sealed_at": snapshot.now,
        },
    )


def guard(campaign: Campaign, what: str) -> Report:
    """Check in full before an export or a settlement; red books freeze, and FROZEN is raised naming what must wait."""
    report = check(campaign)
    if freezing.freeze_if_red(report.campaign, report.findings) is not None or freezing.open_freeze(campaign.pk):
        raise FROZEN(what=what)
    return report
