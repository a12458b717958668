"""The kept sums of 优惠券使用 and 商家统计; ``coupons.tallies`` says how they are kept and why they are exact."""

from __future__ import annotations

from coupons.tallies import BOTH_SIDES, LedgerTally

_KEYS = """
SELECT date_trunc('hour', CASE WHEN {state} = 'used' THEN r.completed_at ELSE r.scanned_at END, 'Asia/Shanghai')
           AS hour_at, r.merchant_id, r.outlet_id, r.clerk_id, r.category_id, c.round_id, r.face_fen,
       {state} AS state, {n} AS n, CASE WHEN {state} = 'used' THEN {n} * r.amount_fen ELSE 0 END AS amount_fen
"""

# Held and lapsed are no states of a redemption: it ends as recalled or reversed, and no list counts those.
USES = LedgerTally(
    name="uses",
    table="merchants_usetally",
    keys=("hour_at", "clerk_id", "outlet_id", "merchant_id", "category_id", "round_id", "face_fen", "state"),
    sums=("n", "amount_fen"),
    rows=_KEYS.format(state="r.state", n="1")
    + "FROM merchants_redemption r JOIN coupons_coupon c ON c.draw_id = r.coupon_id"
    " WHERE r.state IN ('pending', 'used', 'forfeited')",
    deltas=_KEYS.format(state="s.state", n="s.n")
    + f"""FROM coupons_transfer t JOIN merchants_redemption r ON r.id = t.subject_id
          JOIN coupons_coupon c ON c.draw_id = t.coupon_id {BOTH_SIDES}
         WHERE t.subject_kind = 'redemption' AND s.state IN ('pending', 'used', 'forfeited') AND {{moved}}""",
)


def fold() -> int:
    """Fold what has come since into the tally of redemptions; return how many cells were touched."""
    return USES.fold()
