"""Exact sums of the long lists in milliseconds: kept ones for what is settled, and the few rows since.

A list of ten million coupons must say how many rows a combination of filters leaves, what they sum up to, and what
stands on page 50,000. Counting takes seconds. So sums are kept per *cell*, one for each combination of what can be
filtered by that occurs in one block of the list: a block is 4,096 numbers of coupons or consumers, or an hour of
redemptions. (A day would be the natural block and is too coarse: a seventh of all coupons is drawn on the first
morning of a round, and a page in the middle of that day would be 700,000 rows away from either end.) Filters of names
and numbers hit few rows, and those are counted as they are.

Why a sum is exact, at every instant and whatever happens to old rows
---------------------------------------------------------------------
Coupons change long after their day: one is used, another lapses, a redemption is reversed. But every change of a
coupon's or redemption's state books exactly one transfer, in the same transaction (``transfer_step_once`` and the steps
of ``coupon_way_of_life`` pair them one to one), and a transfer's two accounts *are* the two states: held, pending,
payable (used), pool (lapsed), forfeited. So the ledger is an append-only list of deltas: minus one where the value
left, plus one where it went. The other things that a cell is made of (day, batch, round, channel, expiry, clerk; entry
and amount from the entry on) never change, which ``coupon_way_of_life`` and ``redemption_way_of_life`` enforce: the
delta that takes a row out of a cell later is the mirror of the one that put it in. Hence, in any snapshot of the
database,

    sum over all visible transfers of their deltas  =  the rows as they stand in that snapshot.             (1)

A fold moves deltas into the cells. It locks the mark, reads ``pg_snapshot_xmin`` as X in the next statement, adds the
deltas of mark <= xact < X to the cells in the statement after that, and sets the mark to X, all in one transaction. A
transaction below X had ended before X was read, so its transfers are visible to the later statement or rolled back for
good; a transfer that is added from now on carries a number >= X. So each delta below the mark is in the cells once and
none above it is; and since cells and mark change in one commit, that holds in every snapshot:

    cells  =  sum of deltas with xact < mark,   tail  =  sum of visible deltas with xact >= mark.           (2)

A read adds both in *one* statement, thus in one snapshot: by (1) and (2) it is exact, with rows being written, with
folds running, and with no fold ever having run (then all is tail, exact and slow). ``max(id)`` as the mark would lose
rows: numbers are handed out before the commit. A page reads sums and rows in one snapshot (``huigou.snapshot``).

Consumers have no ledger, nor has the audit trail (``reports.trail``). A trigger writes the same kind of delta in the
transaction of the change, and a fold deletes the ones it adds to the cells: (2) holds by the deletion itself, without
a mark.

Transaction numbers belong to one server. A database restored into another one has marks, and transfers, from that
server's future: then reads take the whole ledger for the tail, and the next fold begins anew and remembers how far the
restored transfers go by their id (the restored sequence gives higher ones from then on), not by their xact.

``reports.reconcile`` compares all cells with the rows themselves, nightly and on demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

BLOCK = 4_096  # numbers in a block: a page reads one or two, and ten million coupons make 2,442

# A coupon's state, as the account says it in which its value lies.
STATE_OF = """CASE t.{side}_kind WHEN 'held' THEN 'held' WHEN 'pending' THEN 'pending' WHEN 'payable' THEN 'used'
              WHEN 'pool' THEN 'expired' WHEN 'forfeited' THEN 'forfeited' END"""
BOTH_SIDES = (
    f"CROSS JOIN LATERAL (VALUES ({STATE_OF.format(side='debit')}, -1), ({STATE_OF.format(side='credit')}, 1))"
    " AS s(state, n)"
)

# Where the cells end, as one statement sees it; 0 while the mark is another server's, which makes everything tail.
_MARK = """
SELECT CASE WHEN m.horizon <= x.top THEN m.horizon ELSE 0 END AS horizon,
       CASE WHEN m.horizon <= x.top THEN m.floor ELSE 0 END AS floor
  FROM (SELECT coalesce(max(horizon), 0) AS horizon, coalesce(max(floor), 0) AS floor
          FROM coupons_tallymark WHERE name = %(tally)s) m,
       (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS top) x
"""


@dataclass(frozen=True)
class Tally:
    """One table of cells: what a cell is made of, what it sums, and the rows that it must equal.

    ``rows`` selects keys and sums from the rows themselves, one line for each row; ``deltas`` from their changes.
    """

    name: str
    table: str
    keys: tuple[str, ...]
    sums: tuple[str, ...]
    rows: str
    deltas: str

    # ---- reading

    def read(
        self,
        by: Sequence[str],
        sums: Sequence[str] = ("sum(n)",),
        *,
        where: Sequence[str] = (),
        joins: str = "",
        **params: Any,
    ) -> list[tuple[Any, ...]]:
        """Return the sums of all cells and of what came since, grouped by some of the keys, exact in one snapshot.

        ``k`` is the cell in ``by``, ``sums``, ``where`` and ``joins``; groups that came to nothing are left out.
        """
        source, given = self.source()
        chosen = ", ".join([*by, *(f"coalesce({s}, 0)::bigint" for s in sums)])
        text = f"{source} SELECT {chosen} FROM kept k {joins}"
        if where:
            text += f" WHERE {' AND '.join(where)}"
        if by:
            text += f" GROUP BY {', '.join(by)} HAVING sum(n) <> 0"
        with connection.cursor() as cursor:
            cursor.execute(text, {**given, **params})
            return cursor.fetchall()

    def source(self) -> tuple[str, dict[str, Any]]:
        """Return the WITH clause of ``kept``, cells and tail together, and its parameters."""
        columns = ", ".join((*self.keys, *self.sums))
        tail = self.deltas.replace("{moved}", "true")
        return f"WITH kept AS (SELECT {columns} FROM {self.table} UNION ALL SELECT {columns} FROM ({tail}) tail)", {}

    def differences(self, limit: int, where: str = "true", **params: Any) -> list[tuple[Any, ...]]:
        """Return cells that are not what the rows themselves sum up to: keys, then by how much each sum is off."""
        source, given = self.source()
        keys, off = ", ".join(self.keys), [f"sum({s})" for s in self.sums]
        text = f"""
            {source} SELECT {keys}, {", ".join(f"{o}::bigint" for o in off)} FROM (
                SELECT {keys}, {", ".join(self.sums)} FROM kept WHERE {where}
                UNION ALL
                SELECT {keys}, {", ".join(f"-{s}" for s in self.sums)} FROM ({self.rows}) r WHERE {where}
            ) both_ways
            GROUP BY {keys} HAVING {" OR ".join(f"{o} <> 0" for o in off)} ORDER BY {keys} LIMIT %(limit)s"""
        with connection.cursor() as cursor:
            cursor.execute(text, {**given, **params, "limit": limit})
            return cursor.fetchall()

    # ---- folding

    def fold(self) -> int:
        """Add to the cells what has come since and can be sealed; return how many cells it touched. Idempotent."""
        with transaction.atomic(), connection.cursor() as cursor:
            return self._fold(cursor, *self._locked_mark(cursor))

    def begin_anew(self) -> int:
        """Forget all cells and count once more, at once or with the next fold; reads are exact throughout."""
        with transaction.atomic(), connection.cursor() as cursor:
            self._locked_mark(cursor)
            cursor.execute(f"DELETE FROM {self.table}")
            cursor.execute("UPDATE coupons_tallymark SET horizon = 0, floor = 0 WHERE name = %s", [self.name])
            return self._recount(cursor)

    def _locked_mark(self, cursor: Any) -> tuple[int, int]:
        """Lock the mark's row, the queue of those who fold: a second one waits here and then finds less to do."""
        cursor.execute("INSERT INTO coupons_tallymark VALUES (%s, 0, 0) ON CONFLICT DO NOTHING", [self.name])
        cursor.execute("SELECT horizon, floor FROM coupons_tallymark WHERE name = %s FOR UPDATE", [self.name])
        horizon, floor = cursor.fetchone()
        return horizon, floor

    def _recount(self, cursor: Any) -> int:
        return self._fold(cursor, 0, 0)

    def _fold(self, cursor: Any, horizon: int, floor: int) -> int:
        return self._add(cursor, self.deltas.replace("{moved}", "true"), [])

    def _add(self, cursor: Any, deltas: str, params: list[Any], before: str = "") -> int:
        keys, sums = ", ".join(self.keys), ", ".join(self.sums)
        added = [f"sum({s})::bigint AS {s}" for s in self.sums]
        grown = ", ".join(f"{s} = {self.table}.{s} + excluded.{s}" for s in self.sums)
        empty = " AND ".join(f"{s} = 0" for s in self.sums)
        something = " OR ".join(f"sum({s}) <> 0" for s in self.sums)
        cursor.execute(
            f"""
            WITH {before} moved AS ({deltas}), cells AS (
                INSERT INTO {self.table} ({keys}, {sums})
                SELECT {keys}, {", ".join(added)} FROM moved GROUP BY {keys} HAVING {something} ORDER BY {keys}
                ON CONFLICT ({keys}) DO UPDATE SET {grown} RETURNING id, {sums}
            ) SELECT id, {empty} FROM cells""",
            params,
        )
        touched = cursor.fetchall()
        if gone := [number for number, is_empty in touched if is_empty]:
            cursor.execute(f"DELETE FROM {self.table} WHERE id = ANY(%s)", [gone])
        return len(touched)


class LedgerTally(Tally):
    """A tally whose deltas are the ledger's transfers (``t`` in ``deltas``), folded up to a mark."""

    def source(self) -> tuple[str, dict[str, Any]]:
        """Return the WITH clause of ``kept``.

        The tail's bounds are asked for by the statement itself; the same figures as literals, read just before and
        never higher, are there for the planner alone, which could not guess how short the tail is.
        """
        columns = ", ".join((*self.keys, *self.sums))
        with connection.cursor() as cursor:
            cursor.execute(_MARK, {"tally": self.name})
            horizon, floor = cursor.fetchone()
        moved = (
            "t.xact >= %(horizon)s AND t.id > %(floor)s"
            " AND t.xact >= (SELECT horizon FROM mark) AND t.id > (SELECT floor FROM mark)"
        )
        text = f"""
            WITH mark AS MATERIALIZED ({_MARK}), kept AS (
                SELECT {columns} FROM {self.table} WHERE (SELECT horizon FROM mark) > 0
                UNION ALL SELECT {columns} FROM ({self.deltas.replace("{moved}", moved)}) tail
            )"""
        return text, {"tally": self.name, "horizon": horizon, "floor": floor}

    def _fold(self, cursor: Any, horizon: int, floor: int) -> int:
        cursor.execute(
            "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() s"
        )
        edge, top = cursor.fetchone()
        if horizon > top:
            # Restored: what is here already is told by its id, since its xacts are yet to come on this server.
            cursor.execute(f"DELETE FROM {self.table}")
            cursor.execute("SELECT coalesce(max(id), 0) FROM coupons_transfer WHERE xact >= %s", [top])
            floor = cursor.fetchone()[0]
            moved, params = "(t.xact < %s OR t.id <= %s)", [edge, floor]
        elif horizon < edge:
            moved, params = "t.xact >= %s AND t.xact < %s AND t.id > %s", [horizon, edge, floor]
        else:
            return 0
        touched = self._add(cursor, self.deltas.replace("{moved}", moved), params)
        cursor.execute(
            "UPDATE coupons_tallymark SET horizon = %s, floor = %s WHERE name = %s", [edge, floor, self.name]
        )
        return touched


@dataclass(frozen=True)
class StepTally(Tally):
    """A tally whose deltas are rows of a table of their own (``steps``), deleted as they are folded in."""

    steps: str

    def _recount(self, cursor: Any) -> int:
        # One statement sees the rows and the steps that told of them; what is under way brings its step later. No
        # lock on the rows: the web's role may not take one where it can only insert.
        return self._add(cursor, self.rows, [], f"told AS (DELETE FROM {self.steps}),")

    def _fold(self, cursor: Any, horizon: int, floor: int) -> int:
        columns = ", ".join((*self.keys, *self.sums))
        # One statement sees, adds and deletes the same rows; what is not committed yet stays for the next.
        taken = f"taken AS (DELETE FROM {self.steps} RETURNING *),"
        return self._add(cursor, f"SELECT {columns} FROM taken", [], taken)


COUPONS = LedgerTally(
    name="coupons",
    table="coupons_coupontally",
    keys=("block", "day", "batch_id", "round_id", "channel", "expires_at", "state"),
    sums=("n",),
    rows=f"""
        SELECT c.draw_id / {BLOCK} AS block, (c.drawn_at AT TIME ZONE 'Asia/Shanghai')::date AS day, c.batch_id,
               c.round_id, d.channel, c.expires_at, c.state, 1 AS n
          FROM coupons_coupon c JOIN coupons_draw d ON d.id = c.draw_id""",
    deltas=f"""
        SELECT c.draw_id / {BLOCK} AS block, (c.drawn_at AT TIME ZONE 'Asia/Shanghai')::date AS day, c.batch_id,
               c.round_id, d.channel, c.expires_at, s.state, s.n
          FROM coupons_transfer t JOIN coupons_coupon c ON c.draw_id = t.coupon_id
          JOIN coupons_draw d ON d.id = c.draw_id {BOTH_SIDES}
         WHERE s.state IS NOT NULL AND {{moved}}""",
)

CONSUMERS = StepTally(
    name="consumers",
    table="coupons_consumertally",
    keys=("block", "day", "place", "is_bound"),
    sums=("n",),
    rows=f"""
        SELECT id / {BLOCK} AS block, (bound_at AT TIME ZONE 'Asia/Shanghai')::date AS day, place,
               unbound_at IS NULL AS is_bound, 1 AS n
          FROM coupons_consumer""",
    deltas="SELECT block, day, place, is_bound, n FROM coupons_consumerstep",
    steps="coupons_consumerstep",
)


def fold() -> int:
    """Fold what has come since into the tallies of coupons and consumers; return how many cells were touched."""
    return COUPONS.fold() + CONSUMERS.fold()
