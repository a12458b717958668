"""Any list of the back office as a workbook: streamed, typed, totals last, with a cover sheet and a hash to recount.

``jobs`` is what the pages ask and a worker runs, ``workbook`` writes, ``cover`` says whose it is and how the books
stood, ``recounting`` proves a file that somebody hands back, ``forgetting`` deletes what may no longer be kept.
"""

from huigou.snapshot import snapshot
from reports.exports.catalogue import LISTS
from reports.exports.cover import Cover, checked_books
from reports.exports.forgetting import forget_shredded
from reports.exports.jobs import PERSONS, ask, progress, run, waiting
from reports.exports.workbook import SHEET_ROWS, write

__all__ = [
    "LISTS",
    "PERSONS",
    "SHEET_ROWS",
    "Cover",
    "ask",
    "checked_books",
    "forget_shredded",
    "progress",
    "run",
    "snapshot",
    "waiting",
    "write",
]
