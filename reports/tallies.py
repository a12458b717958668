"""The kept sums of the audit trail; ``coupons.tallies`` says how they are kept and why they are exact."""

from __future__ import annotations

from coupons.tallies import StepTally

# Entries are never changed, so that each is told of once.
TRAIL = StepTally(
    name="trail",
    table="reports_trailtally",
    keys=("day", "staff_id", "department", "deed", "about", "address"),
    sums=("n",),
    rows='SELECT day, staff_id, department, deed, "table" AS about, address, 1 AS n FROM reports_auditentry',
    deltas="SELECT day, staff_id, department, deed, about, address, n FROM reports_trailstep",
    steps="reports_trailstep",
)


def fold() -> int:
    """Fold what has come since into the tally of the trail; return how many cells were touched."""
    return TRAIL.fold()
