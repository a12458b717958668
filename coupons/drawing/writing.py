"""The rows of a batch of draws: draw, coupon, transfer, event and the deck's new head, in multi-row inserts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from coupons.drawing.wire import Step, send

if TYPE_CHECKING:
    from coupons.drawing.facts import DeckFacts
    from coupons.drawing.together import Ask


@dataclass(slots=True)
class Row:
    """One new draw."""

    draw_id: int
    ask: Ask | None  # a void ticket was asked for by nobody
    fact: DeckFacts
    ticket: int
    face_fen: int
    turn: int
    at: dt.datetime
    pseudonym: bytes
    entry_hash: bytes
    kind: str = "draw"

    def drawn(self) -> tuple[int, int, int, int, dt.datetime, bytes]:
        return self.draw_id, self.ticket, self.face_fen, self.turn, self.at, self.entry_hash


# One statement for all rows of a batch: one round trip, one set of arrays, which are sent as PostgreSQL's own text
# ('{1,2,3}'): joining strings is what Python does fastest, and it happens under the deck's lock.
_WRITE = """
WITH k AS MATERIALIZED (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[],
                         %s::bigint[], %s::timestamptz[]) AS k(deck, next, head, at, campaign, round, multiplier, ends)
), t AS MATERIALIZED (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::text[],
                         %s::smallint[], %s::text[], %s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],
                         %s::text[], %s::bigint[])
        AS t(id, deck, ticket, face, kind, consumer, pseudonym, turn, entry, key, channel, station, batch, allotment,
             actor_kind, actor)
      JOIN k USING (deck)
), won AS (
    SELECT * FROM t WHERE face > 0 AND kind = 'draw'
), draws AS (
    INSERT INTO coupons_draw (id, deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn, entry_hash,
                              request_key, channel, station_id)
    SELECT id, deck, ticket, face, at, kind, consumer, decode(pseudonym, 'hex'), turn, decode(entry, 'hex'), key,
           channel, station FROM t
), coupons AS (
    INSERT INTO coupons_coupon (draw_id, round_id, batch_id, holder_id, face_fen, threshold_fen, state, drawn_at,
                                expires_at, steps)
    SELECT id, round, batch, consumer, face, face * multiplier, 'held', at, ends, 1 FROM won
), transfers AS (
    INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,
                                  coupon_id, step, subject_kind, subject_id, actor_kind, actor_id, at)
    SELECT campaign, 'draw', 'round', allotment, 'held', batch, face, id, 0, 'round', round, actor_kind, actor, at
      FROM won
), events AS (
    INSERT INTO coupons_event (verb, coupon_id, actor_kind, actor_id, at, note)
    SELECT 'draw', id, actor_kind, actor, at, '' FROM won
)
UPDATE coupons_deck d SET next_ticket = k.next, head = decode(k.head, 'hex'), last_draw_at = k.at
  FROM k WHERE d.id = k.deck
"""


_VOIDS = """
INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,
                              subject_kind, subject_id, actor_kind, at)
SELECT campaign, 'void', 'round', allotment, 'pool', batch, face, 'draw', id, 'system', at
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
    AS t(campaign, allotment, batch, face, id, at)
"""
_POOL = """
UPDATE coupons_balance SET amount_fen = amount_fen + %s
 WHERE campaign_id = %s AND account_kind = 'pool' AND account_key = %s
"""


def write_rows(
    conn: psycopg.Connection, rows: Sequence[Row], tickets: Mapping[int, int], heads: Mapping[int, bytes]
) -> None:
    """Insert everything that these draws write and move their decks on; the caller commits."""
    send(conn, *steps_of(rows, tickets, heads))


def steps_of(rows: Sequence[Row], tickets: Mapping[int, int], heads: Mapping[int, bytes]) -> list[Step]:
    """Return the statements that write these draws."""
    voids = [row for row in rows if row.face_fen and not row.ask]
    return [(_WRITE, _deck_columns(rows, tickets, heads) + _row_columns(rows)), *_void_steps(voids)]


def array(values: Iterable[object]) -> str:
    """Return PostgreSQL's text of an array of numbers, plain words, hexadecimal text or nothing."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _deck_columns(rows: Sequence[Row], tickets: Mapping[int, int], heads: Mapping[int, bytes]) -> list[str]:
    last = {row.fact.deck_id: row for row in rows}
    facts = [row.fact for row in last.values()]
    return [
        array(last),
        array(tickets[deck] for deck in last),
        array(heads[deck].hex() for deck in last),
        array(f'"{row.at.isoformat()}"' for row in last.values()),
        array(fact.campaign_id for fact in facts),
        array(fact.round_id for fact in facts),
        array(fact.multiplier for fact in facts),
        array(f'"{fact.closes_at.isoformat()}"' for fact in facts),
    ]


def _row_columns(rows: Sequence[Row]) -> list[str]:
    asks = [row.ask for row in rows]
    stock = [row.fact.batches[row.face_fen] if row.face_fen else (None, None) for row in rows]
    return [
        array([row.draw_id for row in rows]),
        array([row.fact.deck_id for row in rows]),
        array([row.ticket for row in rows]),
        array([row.face_fen for row in rows]),
        array([row.kind for row in rows]),
        array([ask and ask.consumer_id for ask in asks]),
        array([row.pseudonym.hex() for row in rows]),
        array([row.turn for row in rows]),
        array([row.entry_hash.hex() for row in rows]),
        array([ask and ask.request_key for ask in asks]),
        array([ask.channel if ask else "self" for ask in asks]),
        array([ask and ask.station_id for ask in asks]),
        array([batch for batch, _ in stock]),
        array([allotment for _, allotment in stock]),
        array([ask.actor_kind if ask else "system" for ask in asks]),
        array([ask and (ask.actor_id or ask.consumer_id) for ask in asks]),
    ]


def _void_steps(voids: Sequence[Row]) -> list[Step]:
    if not voids:
        return []
    stock = [row.fact.batches[row.face_fen] for row in voids]
    columns = [
        array(row.fact.campaign_id for row in voids),
        array(allotment for _, allotment in stock),
        array(batch for batch, _ in stock),
        array(row.face_fen for row in voids),
        array(row.draw_id for row in voids),
        array(f'"{row.at.isoformat()}"' for row in voids),
    ]
    back: list[Step] = [
        (_POOL, [row.face_fen, row.fact.campaign_id, batch]) for row, (batch, _) in zip(voids, stock, strict=True)
    ]
    return [(_VOIDS, columns), *back]
