"""Whether every fen is accounted for: a list of small invariants over one snapshot, and the freeze when one fails.

The nightly job, the minutely one, the command, the admin page, exports and tests all run the same list.
"""

from reports.reconcile.checking import INVARIANTS, Report, check, check_new, guard
from reports.reconcile.freezing import freeze_if_red, open_freeze, propose_release, unfreeze
from reports.reconcile.snapshot import Finding

__all__ = [
    "INVARIANTS",
    "Finding",
    "Report",
    "check",
    "check_new",
    "freeze_if_red",
    "guard",
    "open_freeze",
    "propose_release",
    "unfreeze",
]
