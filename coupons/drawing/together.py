"""Draws that arrive together, in one transaction.

Each draw takes the next ticket of its deck and gets that card: oversell is impossible by construction. The deck's row
is locked in one statement; the clock, the switches and who already drew are read in *later* statements, because a
statement's snapshot is older than its wait for a lock. Everything is committed once, and no card leaves the process
before that. The unique constraints stand behind it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from coupons import fairness
from coupons.drawing.facts import DeckFacts, facts_of, pseudonym
from coupons.drawing.wire import BEGIN, COMMIT, Step, send
from coupons.drawing.writing import Row, array, steps_of, write_rows
from coupons.errors import (
    ALREADY_WON,
    BAD_TURN,
    EXCLUDED,
    KEY_REUSED,
    NOT_BOUND,
    PLACE_NEEDED,
    ROUND_NOT_OPEN,
    ROUND_OVER,
    ROUND_PAUSED,
    TURNS_USED,
    WRONG_MODE,
)
from huigou import clock
from huigou.errors import FROZEN, Refusal


@dataclass(frozen=True, slots=True)
class Ask:
    """One person's wish to turn the wheel. ``turn`` counts from 1; a retry names the same turn or request key."""

    deck_id: int
    consumer_id: int
    session_version: int | None = None
    turn: int | None = None
    request_key: uuid.UUID | None = None
    channel: str = "self"
    station_id: int | None = None
    actor_kind: str = "consumer"
    actor_id: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's answer: ticket and card. ``face_fen`` 0 is a blank; ``repeated`` when it was given before."""

    draw_id: int
    deck_id: int
    ticket: int
    face_fen: int
    turn: int
    drawn_at: dt.datetime
    entry_hash: bytes
    threshold_fen: int
    expires_at: dt.datetime
    repeated: bool = False


@dataclass(slots=True)
class _Person:
    """What the first look, without a lock, says of one asker."""

    phone_key: bytes
    session_version: int
    is_bound: bool
    place: str
    is_excluded: bool


@dataclass(slots=True)
class _Switches:
    """What can stop a deck from one moment to the next."""

    now: dt.datetime
    is_frozen: bool
    paused: str | None
    last_ticket: int | None
    ids: Sequence[int] = ()  # numbers for new draws, the same for all decks of a batch


Result = Answer | Refusal

_PEOPLE = """
SELECT c.id, c.phone_key, c.session_version, c.unbound_at IS NULL, c.place,
       EXISTS (SELECT 1 FROM coupons_exclusion x WHERE x.phone_key = c.phone_key AND x.removed_at IS NULL)
  FROM coupons_consumer c WHERE c.id = ANY(%s)
"""
# Read without a lock: tickets only grow, so that a deck that was out at any moment is out for good.
_OUT = "SELECT id FROM coupons_deck WHERE id = ANY(%s) AND next_ticket >= size"
LOCK = "SELECT id, next_ticket, head FROM coupons_deck WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_SWITCHES = """
SELECT d.id, huigou_now(),
       g.closed_at IS NOT NULL OR EXISTS (
           SELECT 1 FROM coupons_freeze f WHERE f.campaign_id = r.campaign_id AND f.released_at IS NULL),
       CASE WHEN r.paused_at IS NOT NULL THEN r.pause_notice WHEN c.paused_at IS NOT NULL THEN c.pause_notice END,
       (SELECT max(ticket) FROM coupons_draw w WHERE w.deck_id = d.id),
       ARRAY(SELECT nextval('coupons_draw_id_seq') FROM generate_series(1, %s))
  FROM coupons_deck d JOIN coupons_round r ON r.id = d.round_id JOIN coupons_category c ON c.id = d.category_id
  JOIN coupons_campaign g ON g.id = r.campaign_id
 WHERE d.id = ANY(%s)
"""
# One look into the index of each person's own draws, whatever the planner thinks of the table's size: turns are at most
# 20 (category_turns).
_DRAWN = """
SELECT w.id, w.deck_id, w.ticket, w.face_fen, w.turn, w.drawn_at, w.entry_hash, w.pseudonym, w.request_key
  FROM unnest(%s::bigint[], %s::text[]) AS k(deck, name) CROSS JOIN LATERAL (
       SELECT * FROM coupons_draw w WHERE w.deck_id = k.deck AND w.pseudonym = decode(k.name, 'hex') AND w.kind = 'draw'
        ORDER BY w.turn LIMIT 20) w
"""
_IDS = "SELECT nextval('coupons_draw_id_seq') FROM generate_series(1, %s)"


def write_together(conn: psycopg.Connection, asks: Sequence[Ask]) -> list[Result]:
    """Answer all asks, writing the new draws in one transaction; results stand in the order of the asks.

    ``conn`` is in autocommit and not inside a transaction. A refusal is one ask's own. Should a constraint fire
    (two processes, one person whose pseudonym met under another binding), the asks are retried one by one.
    """
    try:
        return _attempt(conn, asks)
    except psycopg.errors.UniqueViolation as lost:
        conn.rollback()
        if len(asks) == 1:
            return [_lost(conn, asks[0], lost)]
    return [result for ask in asks for result in write_together(conn, [ask])]


def _lost(conn: psycopg.Connection, ask: Ask, lost: psycopg.errors.UniqueViolation) -> Result:
    if lost.diag.constraint_name == "draw_request_once":
        return KEY_REUSED()
    # The other transaction has committed by now: its draw is the answer.
    return _attempt(conn, [ask])[0]


def _attempt(conn: psycopg.Connection, asks: Sequence[Ask]) -> list[Result]:
    results: list[Result | None] = [None] * len(asks)
    facts = {deck_id: facts_of(deck_id) for deck_id in {ask.deck_id for ask in asks}}
    people = _first_look(conn, asks, facts)
    names = [
        pseudonym(facts[ask.deck_id], people[ask.consumer_id].phone_key) if ask.consumer_id in people else b""
        for ask in asks
    ]
    wanting = []
    for index, ask in enumerate(asks):
        person = people.get(ask.consumer_id)
        if person is None or not person.is_bound or ask.session_version not in (None, person.session_version):
            results[index] = NOT_BOUND()
        else:
            wanting.append(index)
    # A deck that is out is out for good: whoever comes now is answered without a lock.
    still = [i for i in wanting if not facts[asks[i].deck_id].sold_out]
    gone = [i for i in wanting if facts[asks[i].deck_id].sold_out]
    if gone:
        _decide(conn, gone, asks, names, facts, people, results, lock=False)
    if still:
        _decide(conn, still, asks, names, facts, people, results, lock=True)
    return [result for result in results if result is not None]


def _first_look(conn: psycopg.Connection, asks: Sequence[Ask], facts: dict[int, DeckFacts]) -> dict[int, _Person]:
    """Return what stands about the askers, and mark the decks that are out; no lock, one message."""
    people = array({ask.consumer_id for ask in asks})
    unsure = [deck_id for deck_id, fact in facts.items() if not fact.sold_out]
    steps = [(_PEOPLE, [people]), *([(_OUT, [array(unsure)])] if unsure else [])]
    found, *out = send(conn, *steps)
    for (deck_id,) in out[0] if out else ():
        facts[deck_id].sold_out = True
    return {row[0]: _Person(*row[1:]) for row in found}


def people_of(conn: psycopg.Connection, consumer_ids: list[int]) -> dict[int, _Person]:
    """Return what a draw looks at in its askers."""
    return {row[0]: _Person(*row[1:]) for row in conn.execute(_PEOPLE, [consumer_ids]).fetchall()}


def switches_of(conn: psycopg.Connection, deck_ids: list[int]) -> dict[int, _Switches]:
    """Return the clock and what can stop each deck; read after the lock."""
    return {row[0]: _Switches(*row[1:]) for row in conn.execute(_SWITCHES, [0, deck_ids]).fetchall()}


def new_ids(conn: psycopg.Connection, count: int) -> list[int]:
    """Return numbers for new draws."""
    return [row[0] for row in conn.execute(_IDS, [count]).fetchall()]


def _decide(
    conn: psycopg.Connection,
    indexes: Sequence[int],
    asks: Sequence[Ask],
    names: Sequence[bytes],
    facts: dict[int, DeckFacts],
    people: dict[int, _Person],
    results: list[Result | None],
    *,
    lock: bool,
) -> None:
    decks = sorted({asks[i].deck_id for i in indexes})
    wanted = [(asks[i].deck_id, names[i]) for i in indexes]
    tickets, heads, switches, drawn = _look(conn, decks, wanted, lock=lock)
    ids = iter(next(iter(switches.values())).ids)
    rows = void_rows(conn, facts, tickets, heads, switches) if lock else []
    for i in indexes:
        ask, fact = asks[i], facts[asks[i].deck_id]
        mine = drawn.setdefault((ask.deck_id, names[i]), [])
        outcome = _verdict(ask, fact, people[ask.consumer_id], switches[ask.deck_id], mine)
        if outcome is None and (not lock or tickets[ask.deck_id] >= fact.size):
            outcome = fact.sold_out_refusal()
        if outcome is None:
            row = take(ask, fact, names[i], len(mine) + 1, next(ids), tickets, heads, switches[ask.deck_id].now)
            rows.append(row)
            outcome = _answer(fact, *row.drawn())
            mine.append((row.draw_id, row.ticket, row.face_fen, row.turn, row.at, row.entry_hash, ask.request_key))
        results[i] = outcome
    if lock:
        try:
            commit(conn, *(steps_of(rows, tickets, heads) if rows else ()))
        except BaseException:
            conn.rollback()
            raise
        # Only what is committed is out: a batch that fails gives its tickets back.
        for deck_id, next_ticket in tickets.items():
            facts[deck_id].sold_out = next_ticket >= facts[deck_id].size


def commit(conn: psycopg.Connection, *steps: Step) -> None:
    """Write and end a batch's transaction, in one message: the deck waits for no answer in between."""
    send(conn, *steps, COMMIT)


def _look(
    conn: psycopg.Connection, decks: list[int], wanted: Sequence[tuple[int, bytes]], *, lock: bool
) -> tuple[dict[int, int], dict[int, bytes], dict[int, _Switches], dict[tuple[int, bytes], list[tuple]]]:
    """Lock the decks (in the order of ids), then in later statements read clock, switches and earlier draws."""
    once = list(dict.fromkeys(wanted))
    people = [array([deck for deck, _ in once]), array([name.hex() for _, name in once])]
    looks: list[Step] = [(_SWITCHES, [len(wanted) if lock else 0, array(decks)]), (_DRAWN, people)]
    if lock:
        looks = [BEGIN, (LOCK, [array(decks)]), *looks]
    *locked, switched, drawn_rows = send(conn, *looks)
    tickets, heads = {}, {}
    for deck, ticket, head in locked[-1] if lock else ():
        tickets[deck], heads[deck] = ticket, head
    switches = {row[0]: _Switches(*row[1:]) for row in switched}
    drawn: dict[tuple[int, bytes], list[tuple]] = {}
    for draw_id, deck, ticket, face, turn, at, entry, name, key in drawn_rows:
        drawn.setdefault((deck, name), []).append((draw_id, ticket, face, turn, at, entry, key))
    return tickets, heads, switches, drawn


def void_lost(conn: psycopg.Connection, deck_id: int) -> int:
    """List tickets that are out without a draw as void, under the caller's lock on the deck; return how many."""
    switches = switches_of(conn, [deck_id])
    [row] = conn.execute("SELECT next_ticket, head FROM coupons_deck WHERE id = %s", [deck_id]).fetchall()
    tickets, heads = {deck_id: row[0]}, {deck_id: bytes(row[1])}
    rows = void_rows(conn, {deck_id: facts_of(deck_id)}, tickets, heads, switches)
    if rows:
        write_rows(conn, rows, tickets, heads)
    return len(rows)


def _verdict(ask: Ask, fact: DeckFacts, person: _Person, switch: _Switches, mine: list[tuple]) -> Result | None:
    """Return an earlier answer or the first refusal that applies, None when a ticket is due. The order is the rule."""
    # Where a round gives one turn, every request of a person is a repetition of that one.
    wanted = ask.turn or (1 if fact.turns == 1 else None)
    for draw_id, ticket, face, turn, at, entry, key in mine:
        if turn == wanted or (ask.request_key is not None and key == ask.request_key):
            return _answer(fact, draw_id, ticket, face, turn, at, entry, repeated=True)
    if fact.mode != fairness.WHEEL:
        return WRONG_MODE(mode="报名摇号")
    if (refusal := standing(fact, person, switch)) is not None:
        return refusal
    if any(face for _, _, face, *_ in mine):
        return ALREADY_WON()
    if len(mine) >= fact.turns:
        return TURNS_USED()
    if ask.turn is not None and ask.turn != len(mine) + 1:
        return BAD_TURN()
    return None


def stopped(fact: DeckFacts, switch: _Switches) -> Refusal | None:
    """Return what stops a deck for everybody now: its window, red books, a pause."""
    if switch.now < fact.opens_at:
        return ROUND_NOT_OPEN(number=fact.round_number, opens=clock.spoken(fact.opens_at))
    if switch.now >= fact.closes_at:
        return ROUND_OVER(number=fact.round_number, closes=clock.spoken(fact.closes_at, end=True))
    if switch.is_frozen:
        return FROZEN(what="抽奖")
    if switch.paused is not None:
        return ROUND_PAUSED(notice=switch.paused)
    return None


def standing(fact: DeckFacts, person: _Person, switch: _Switches) -> Refusal | None:
    """Return why this person may not take part now, whatever was drawn before; the order is the rule."""
    if (refusal := stopped(fact, switch)) is not None:
        return refusal
    if person.is_excluded and fact.exclusion_policy == "refuse":
        return EXCLUDED()
    if not _placed(fact.place_policy, person.place):
        return PLACE_NEEDED(county=fact.county)
    return None


def _placed(policy: str, place: str) -> bool:
    allowed = {"off": None, "required": ("inside", "vouched"), "declared": ("inside", "vouched", "declared")}[policy]
    return allowed is None or place in allowed


def void_rows(
    conn: psycopg.Connection,
    facts: dict[int, DeckFacts],
    tickets: dict[int, int],
    heads: dict[int, bytes],
    switches: dict[int, _Switches],
) -> list[Row]:
    """Return a void draw for every ticket that is out without a draw, chained before the next one.

    No code path loses a ticket; somebody with rights over the database could. It is then listed, and its coupon's
    value goes back to the pool.
    """
    rows = []
    for deck_id, next_ticket in tickets.items():
        fact, switch = facts[deck_id], switches[deck_id]
        first = 0 if switch.last_ticket is None else switch.last_ticket + 1
        at_us = fairness.microseconds(switch.now)
        for ticket in range(first, next_ticket):
            face = fact.cards.card(ticket)
            head = fairness.link(heads[deck_id], fact.label, ticket, face, at_us, fairness.NOBODY, 0, fairness.VOID)
            heads[deck_id] = head
            [draw_id] = new_ids(conn, 1)
            rows.append(Row(draw_id, None, fact, ticket, face, 0, switch.now, fairness.NOBODY, head, "void"))
    return rows


def take(ask, fact, name, turn, draw_id, tickets, heads, now) -> Row:  # type: ignore[no-untyped-def]
    """Take the deck's next ticket and its card, and link them to the chain; ``tickets`` and ``heads`` move on."""
    ticket = tickets[ask.deck_id]
    face = fact.cards.card(ticket)
    at_us = fairness.microseconds(now)
    entry = fairness.link(heads[ask.deck_id], fact.label, ticket, face, at_us, name, turn)
    tickets[ask.deck_id], heads[ask.deck_id] = ticket + 1, entry
    return Row(draw_id, ask, fact, ticket, face, turn, now, name, entry)


def _answer(fact, draw_id, ticket, face, turn, at, entry, *, repeated=False) -> Answer:  # type: ignore[no-untyped-def]
    return Answer(
        draw_id=draw_id,
        deck_id=fact.deck_id,
        ticket=ticket,
        face_fen=face,
        turn=turn,
        drawn_at=at,
        entry_hash=bytes(entry),
        threshold_fen=face * fact.multiplier,
        expires_at=fact.closes_at,
        repeated=repeated,
    )
