"""The rows of a batch of draws: draw, coupon, transfer, event and the deck's new head, in multi-row inserts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from coupons.drawing.facts import DeckFacts
    from coupons.drawing.together import Ask


@dataclass(slots=True)
class Row:
    """One new draw."""

    draw_id: int
    ask: Ask
    fact: DeckFacts
    ticket: int
    face_fen: int
    turn: int
    at: dt.datetime
    pseudonym: bytes
    entry_hash: bytes

    def drawn(self) -> tuple[int, int, int, int, dt.datetime, bytes]:
        return self.draw_id, self.ticket, self.face_fen, self.turn, self.at, self.entry_hash


_DRAWS = """
INSERT INTO coupons_draw (id, deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn, entry_hash,
                          request_key, channel, station_id)
SELECT id, deck, ticket, face, at, 'draw', consumer, pseudonym, turn, entry, key, channel, station
  FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::timestamptz[], %b::bigint[], %b::bytea[],
              %b::smallint[], %b::bytea[], %b::uuid[], %t::text[], %b::bigint[])
    AS t(id, deck, ticket, face, at, consumer, pseudonym, turn, entry, key, channel, station)
"""
_COUPONS = """
INSERT INTO coupons_coupon (draw_id, round_id, batch_id, holder_id, face_fen, threshold_fen, state, drawn_at,
                            expires_at, steps)
SELECT id, round, batch, holder, face, face * multiplier, 'held', at, expires, 1
  FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::timestamptz[],
              %b::timestamptz[]) AS t(id, round, batch, holder, face, multiplier, at, expires)
"""
_TRANSFERS = """
INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,
                              coupon_id, step, subject_kind, subject_id, actor_kind, actor_id, at)
SELECT campaign, 'draw', 'round', allotment, 'held', batch, face, id, 0, 'round', round, actor_kind, actor, at
  FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %t::text[],
              %b::bigint[], %b::timestamptz[])
    AS t(campaign, allotment, batch, face, id, round, actor_kind, actor, at)
"""
_EVENTS = """
INSERT INTO coupons_event (verb, coupon_id, actor_kind, actor_id, at, note)
SELECT 'draw', id, actor_kind, actor, at, ''
  FROM unnest(%b::bigint[], %t::text[], %b::bigint[], %b::timestamptz[]) AS t(id, actor_kind, actor, at)
"""
_DECK = """
UPDATE coupons_deck d SET next_ticket = t.next, head = t.head, last_draw_at = t.at
  FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[], %b::timestamptz[]) AS t(id, next, head, at)
 WHERE d.id = t.id
"""


def write_rows(
    cursor: psycopg.Cursor, rows: Sequence[Row], tickets: Mapping[int, int], heads: Mapping[int, bytes]
) -> None:
    """Insert everything that these draws write, in one round trip; the caller commits."""
    conn = cursor.connection
    won = [row for row in rows if row.face_fen]
    last = {row.ask.deck_id: row.at for row in rows}
    with conn.pipeline():
        conn.execute(_DRAWS, _draw_columns(rows))
        if won:
            actors = [row.ask.actor_kind for row in won]
            actor_ids = [row.ask.actor_id or row.ask.consumer_id for row in won]
            ids, times = [row.draw_id for row in won], [row.at for row in won]
            stock = [row.fact.batches[row.face_fen] for row in won]
            batches, allotments = [batch for batch, _ in stock], [allotment for _, allotment in stock]
            faces, rounds = [row.face_fen for row in won], [row.fact.round_id for row in won]
            holders = [row.ask.consumer_id for row in won]
            multipliers = [row.fact.multiplier for row in won]
            ends = [row.fact.closes_at for row in won]
            campaigns = [row.fact.campaign_id for row in won]
            conn.execute(_COUPONS, [ids, rounds, batches, holders, faces, multipliers, times, ends])
            conn.execute(_TRANSFERS, [campaigns, allotments, batches, faces, ids, rounds, actors, actor_ids, times])
            conn.execute(_EVENTS, [ids, actors, actor_ids, times])
        decks = sorted(last)
        conn.execute(
            _DECK, [decks, [tickets[d] for d in decks], [heads[d] for d in decks], [last[d] for d in decks]]
        )


def _draw_columns(rows: Sequence[Row]) -> list[list[object]]:
    return [
        [row.draw_id for row in rows],
        [row.ask.deck_id for row in rows],
        [row.ticket for row in rows],
        [row.face_fen for row in rows],
        [row.at for row in rows],
        [row.ask.consumer_id for row in rows],
        [row.pseudonym for row in rows],
        [row.turn for row in rows],
        [row.entry_hash for row in rows],
        [row.ask.request_key for row in rows],
        [row.ask.channel for row in rows],
        [row.ask.station_id for row in rows],
    ]
