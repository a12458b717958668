"""The books as a child would keep them: a plain dictionary of coupons and a few sums. No database, no ledger."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

MINUTES = 30  # within which a second coupon at one outlet needs another receipt; the walk always has one


@dataclass
class Paper:
    """One coupon of the model."""

    batch: int
    face_fen: int
    holder: int
    round: int
    expires_at: dt.datetime
    entry_until: dt.datetime
    state: str = "held"
    shop: int = 0
    steps: int = 1


@dataclass
class Model:
    """Where each fen is, by kind of account; and what each coupon is."""

    pool: dict[int, int]  # batch: fen
    papers: dict[int, Paper] = field(default_factory=dict)
    undrawn: dict[int, dict[int, int]] = field(default_factory=dict)  # round not booked: {batch: fen}
    payable: dict[int, int] = field(default_factory=dict)

    def give(self, number: int, paper: Paper) -> None:
        """A coupon is drawn."""
        self.papers[number] = paper
        self.undrawn[paper.round][paper.batch] -= paper.face_fen

    def end(self, paper: Paper, state: str) -> None:
        """A coupon's value goes back to the pool, or to nobody."""
        paper.state = state
        if state == "expired":
            self.pool[paper.batch] += paper.face_fen

    def book(self, round_number: int) -> None:
        """A round is over: what is held lapses, what was not drawn goes back."""
        for paper in self.papers.values():
            if paper.round == round_number and paper.state == "held":
                self.end(paper, "expired")
                paper.steps += 1
        for batch, fen in self.undrawn.pop(round_number).items():
            self.pool[batch] += fen

    def accounts(self) -> dict[str, int]:
        """Return {kind of account: fen}."""
        by_state = {"held": 0, "pending": 0, "forfeited": 0}
        for paper in self.papers.values():
            if paper.state in by_state:
                by_state[paper.state] += paper.face_fen
        return {
            "pool": sum(self.pool.values()),
            "round": sum(fen for batches in self.undrawn.values() for fen in batches.values()),
            **by_state,
            "payable": sum(self.payable.values()),
        }
