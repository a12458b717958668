"""A watcher beside the rehearsal: more than once a second, in one snapshot, does all the money still add up?"""

from __future__ import annotations

import threading
import time
from types import TracebackType

from coupons.drawing import batcher

EVERY_S = 0.4  # between two looks; a look takes up to some tenths of a second itself

# Two ways in one statement, so in one snapshot: over the transfers, and over what the rows themselves say, where no
# transfer is asked but those that took money out of the pool for good.
_SUMS = """
SELECT (SELECT coalesce(sum(amount_fen) FILTER (WHERE debit_kind = 'treasury'), 0) FROM coupons_transfer
         WHERE campaign_id = %(campaign)s),
       (SELECT coalesce(sum(amount_fen), 0) FROM coupons_balance
         WHERE campaign_id = %(campaign)s AND account_kind = 'pool')
     + (SELECT coalesce(sum(a.count * b.face_fen), 0) FROM coupons_allotment a
          JOIN coupons_round r ON r.id = a.round_id JOIN coupons_batch b ON b.id = a.batch_id
         WHERE r.campaign_id = %(campaign)s AND r.dealt_at IS NOT NULL AND r.booked_at IS NULL)
     - (SELECT coalesce(sum(c.face_fen), 0) FROM coupons_coupon c JOIN coupons_round r ON r.id = c.round_id
         WHERE r.campaign_id = %(campaign)s AND r.booked_at IS NULL)
     + (SELECT coalesce(sum(c.face_fen), 0) FROM coupons_coupon c JOIN coupons_round r ON r.id = c.round_id
         WHERE r.campaign_id = %(campaign)s AND c.state <> 'expired')
     + (SELECT coalesce(sum(amount_fen), 0) FROM coupons_transfer
         WHERE campaign_id = %(campaign)s AND code IN ('return', 'carry') AND debit_kind = 'pool')
"""


class Watcher:
    """Reads the sums from a connection of its own until it is left; ``sums`` are all figures it ever saw, in fen."""

    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        self.sums: set[tuple[int, int]] = set()
        self.snapshots = 0
        self.longest_s = 0.0
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rehearsal-watcher", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if error is None and self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            with batcher.connect() as conn:
                before = time.monotonic()
                while True:
                    last = self._stop.is_set()  # one more look after the last deed
                    row = conn.execute(_SUMS, {"campaign": self.campaign_id}).fetchone()
                    if row is not None:
                        self.sums.add((int(row[0]), int(row[1])))
                        self.snapshots += 1
                    now = time.monotonic()
                    self.longest_s, before = max(self.longest_s, now - before), now
                    if last:
                        return
                    self._stop.wait(EVERY_S)
        except BaseException as broken:
            self.error = broken
