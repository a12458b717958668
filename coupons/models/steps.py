"""The triggers that tell the consumers' tally of every change, in the transaction that makes it."""

from __future__ import annotations

import pgtrigger

_KEYS = "id / 4096, (bound_at AT TIME ZONE 'Asia/Shanghai')::date, place, unbound_at IS NULL"
_STEP = f"SELECT {_KEYS}, {{n}} FROM {{rows}}"  # noqa: S608 (of names in this file)
_STEPS = """
    INSERT INTO coupons_consumerstep (block, day, place, is_bound, n)
    SELECT block, day, place, is_bound, sum(n) FROM ({rows}) steps(block, day, place, is_bound, n)
     GROUP BY block, day, place, is_bound HAVING sum(n) <> 0;
    RETURN NULL;
"""


def consumer_triggers() -> list[pgtrigger.Trigger]:
    """Return the triggers that write a step with every statement that adds, changes or removes consumers."""
    old, new = (_STEP.replace("{n}", n).replace("{rows}", rows) for n, rows in (("-1", "old_rows"), ("1", "new_rows")))
    made = []
    for name, operation, rows, seen in (
        ("added", pgtrigger.Insert, new, {"new": "new_rows"}),
        ("changed", pgtrigger.Update, f"{old} UNION ALL {new}", {"old": "old_rows", "new": "new_rows"}),
        ("removed", pgtrigger.Delete, old, {"old": "old_rows"}),
    ):
        made.append(
            pgtrigger.Trigger(
                name=f"consumer_{name}_is_counted",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=operation,
                referencing=pgtrigger.Referencing(**seen),
                func=_STEPS.replace("{rows}", rows),
            )
        )
    return made
