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


_DRAWS = """
INSERT INTO coupons_draw (id, deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn, entry_hash,
                          request_key, channel, station_id)
SELECT id, deck, ticket, face, at, kind, consumer, pseudonym, turn, entry, key, channel, station
  FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::timestamptz[], %b::bigint[], %b::bytea[],
              %b::smallint[], %b::bytea[], %b::uuid[], %t::text[], %b::bigint[], %t::text[])
    AS t(id, deck, ticket, face, at, consumer, pseudonym, turn, entry, key, channel, station, kind)
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


_VOIDS = """
INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,
                              subject_kind, subject_id, actor_kind, at)
SELECT campaign, 'void', 'round', allotment, 'pool', batch, face, 'draw', id, 'system', at
  FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::timestamptz[])
    AS t(campaign, allotment, batch, face, id, at)
"""
_POOL = """
UPDATE coupons_balance SET amount_fen = amount_fen + %s
 WHERE campaign_id = %s AND account_kind = 'pool' AND account_key = %s
"""


def write_rows(
    conn: psycopg.Connection, rows: Sequence[Row], tickets: Mapping[int, int], heads: Mapping[int, bytes]
) -> None:
    """Insert everything that these draws write, in one round trip; the caller commits."""
    won = [row for row in rows if row.face_fen and row.ask]
    voids = [row for row in rows if row.face_fen and not row.ask]
    last = {row.fact.deck_id: row.at for row in rows}
    decks = sorted(last)
    with conn.pipeline():
        conn.execute(_DRAWS, _draw_columns(rows))
        if won:
            _write_won(conn, won)
        if voids:
            _write_voids(conn, voids)
        conn.execute(_DECK, [decks, [tickets[d] for d in decks], [heads[d] for d in decks], [last[d] for d in decks]])


def _write_won(conn: psycopg.Connection, won: Sequence[Row]) -> None:
    asks = [row.ask for row in won if row.ask]
    actors, actor_ids = [ask.actor_kind for ask in asks], [ask.actor_id or ask.consumer_id for ask in asks]
    holders = [ask.consumer_id for ask in asks]
    ids, times = [row.draw_id for row in won], [row.at for row in won]
    batches, allotments = zip(*(row.fact.batches[row.face_fen] for row in won), strict=True)
    faces, rounds = [row.face_fen for row in won], [row.fact.round_id for row in won]
    multipliers, ends = [row.fact.multiplier for row in won], [row.fact.closes_at for row in won]
    campaigns = [row.fact.campaign_id for row in won]
    conn.execute(_COUPONS, [ids, rounds, list(batches), holders, faces, multipliers, times, ends])
    conn.execute(_TRANSFERS, [campaigns, list(allotments), list(batches), faces, ids, rounds, actors, actor_ids, times])
    conn.execute(_EVENTS, [ids, actors, actor_ids, times])


def _write_voids(conn: psycopg.Connection, voids: Sequence[Row]) -> None:
    batches, allotments = zip(*(row.fact.batches[row.face_fen] for row in voids), strict=True)
    faces, campaigns = [row.face_fen for row in voids], [row.fact.campaign_id for row in voids]
    ids, times = [row.draw_id for row in voids], [row.at for row in voids]
    conn.execute(_VOIDS, [campaigns, list(allotments), list(batches), faces, ids, times])
    for campaign, batch, face in zip(campaigns, batches, faces, strict=True):
        conn.execute(_POOL, [face, campaign, batch])


def _draw_columns(rows: Sequence[Row]) -> list[list[object]]:
    return [
        [row.draw_id for row in rows],
        [row.fact.deck_id for row in rows],
        [row.ticket for row in rows],
        [row.face_fen for row in rows],
        [row.at for row in rows],
        [row.ask and row.ask.consumer_id for row in rows],
        [row.pseudonym for row in rows],
        [row.turn for row in rows],
        [row.entry_hash for row in rows],
        [row.ask and row.ask.request_key for row in rows],
        [row.ask.channel if row.ask else "self" for row in rows],
        [row.ask and row.ask.station_id for row in rows],
        [row.kind for row in rows],
    ]
