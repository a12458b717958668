"""What the benchmark draws from: a database of its own, funded and dealt campaigns, invented people, earlier draws."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connections
from psycopg import sql

from coupons import approval, drawing, fairness, funding, lifecycle, seeds
from coupons.drawing.facts import DeckFacts, facts_of
from coupons.models import Batch, Campaign, Category, Deck, Round, Transfer
from huigou import clock, rights
from huigou.fields import seal
from huigou.models import Department, Staff
from reports.benchmark import baseline

DATABASE = "huigou_bench"
# The shares of the faces in fen of the county's own plan, roughly; no blanks, so that every draw writes every row.
FACES = {2_000: 0.17, 5_000: 0.53, 10_000: 0.27, 20_000: 0.025, 50_000: 0.005}
STOCK_OF_THE_TEXTBOOK = 10_000_000
CHUNK = 20_000  # earlier draws written by one COPY per table

Progress = Callable[[int], object]


@contextmanager
def own_database(*, keep: bool = False, reuse: bool = False) -> Iterator[None]:
    """Make the benchmark's database on the same server, point this process at it, and drop it at the end.

    ``keep`` leaves it there; ``reuse`` takes one that was left, with what is in it.
    """
    name = sql.Identifier(DATABASE)
    was = connections.settings["owner"]["NAME"]
    if reuse:
        _point_at(DATABASE)
        yield
        _point_at(was)
        return
    _as_owner(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
    _as_owner(sql.SQL("CREATE DATABASE {}").format(name))
    _point_at(DATABASE)
    try:
        call_command("migrate", database="owner", verbosity=0, interactive=False)
        with connections["owner"].cursor() as cursor:
            cursor.execute(baseline.TABLES)
            cursor.execute("INSERT INTO bench_stock VALUES (1, %s)", [STOCK_OF_THE_TEXTBOOK])
        rights.grant("owner")
        yield
    finally:
        _point_at(was)
        if not keep:
            _as_owner(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def _as_owner(statement: sql.Composed) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement)


def _point_at(name: str) -> None:
    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name


def a_campaign(edition: str, stock: Mapping[str, int], opens_at: dt.datetime) -> Campaign:
    """Return a campaign of one round of five days that is funded, launched and dealt; ``stock`` is {category: cards}.

    Every step goes through the platform's own verbs and approvals.
    """
    counts = {code: _faces(cards) for code, cards in stock.items()}
    budget_fen = sum(face * count for faces in counts.values() for face, count in faces.items())
    campaign = Campaign.objects.create(
        name="测速", county="测速县", edition=edition, budget_fen=budget_fen, place_policy=Campaign.PlacePolicy.OFF
    )
    now = clock.now()
    for position, (code, faces) in enumerate(counts.items()):
        category = Category.objects.create(campaign=campaign, code=code, name=f"品类{code}", position=position)
        for face, count in faces.items():
            Batch.objects.create(
                category=category, face_fen=face, name=f"{face // 100}面额", planned=count, created_at=now
            )
    closes_at = opens_at + dt.timedelta(days=5)
    round_ = Round.objects.create(
        campaign=campaign,
        number=1,
        opens_at=opens_at,
        closes_at=closes_at,
        entry_until=closes_at + dt.timedelta(hours=campaign.entry_hours),
    )
    seeds.make_system_share(round_, now)
    bureau, leaders = _staff(Department.INDUSTRY), _staff(Department.LEADERS)
    for propose in (funding.propose_fund, funding.propose_launch):
        approval.approve(propose(campaign, maker=bureau, reason="测速").pk, leaders)
    lifecycle.deal(round_.pk)
    return campaign


def _faces(cards: int) -> dict[int, int]:
    counts = {face: int(cards * share) for face, share in FACES.items()}
    counts[5_000] += cards - sum(counts.values())
    return {face: count for face, count in counts.items() if count}


def _staff(department: str) -> Staff:
    name = f"bench-{department}"
    made, _ = Staff.objects.get_or_create(username=name, defaults={"department": department, "person_key": name})
    return made


def deck_id(campaign: Campaign, category: str) -> int:
    """Return the deck of a category in the campaign's only round."""
    return Deck.objects.get(round__campaign=campaign, category__code=category).pk


def some_consumers(count: int) -> list[int]:
    """Return the numbers of bound consumers, ascending; all have one invented name and nobody's phone."""
    name, phone = seal("王小明".encode(), "person"), seal(b"19900000000", "person")
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO coupons_person (name, phone, phone_key, phone_last4, created_at)"
            " SELECT %s, %s, sha256(convert_to('bench-' || i, 'UTF8')), '0000', now() FROM generate_series(1, %s) i",
            [name, phone, count],
        )
        cursor.execute(
            "INSERT INTO coupons_consumer (person_id, phone_key, openid, wechat_name, place, consented_at,"
            "  consent_version, session_version, bound_at)"
            " SELECT id, phone_key, '', '', 'unasked', now(), '1', 1, now() FROM coupons_person ORDER BY id"
        )
        cursor.execute("SELECT id FROM coupons_consumer ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def draw_out(deck: int, consumers: list[int]) -> int:
    """Let people draw through the real verb; return how many tickets are out afterwards."""
    asks = [drawing.Ask(deck, number, turn=1, actor_id=number) for number in consumers]
    for answer in [drawing.draw_async(ask) for ask in asks]:
        answer.result(60)
    return Deck.objects.get(pk=deck).next_ticket


# ---- earlier draws, written in bulk


_COPY = {
    "draw": "COPY coupons_draw (id, deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn,"
    " entry_hash, channel) FROM STDIN",
    "coupon": "COPY coupons_coupon (draw_id, round_id, batch_id, holder_id, face_fen, threshold_fen, state, drawn_at,"
    " expires_at, steps) FROM STDIN",
    "transfer": "COPY coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,"
    " coupon_id, step, subject_kind, subject_id, actor_kind, actor_id, at) FROM STDIN",
    "event": "COPY coupons_event (verb, coupon_id, actor_kind, actor_id, at, note) FROM STDIN",
}
_TABLES = ("coupons_draw", "coupons_coupon", "coupons_transfer", "coupons_event")


def draw_history(deck: int, count: int, consumers: list[int], progress: Progress | None = None) -> None:
    """Write a deck's first ``count`` draws in bulk, with real cards and a real chain; only the persons are nobody.

    Foreign keys are left out for the time of it; the rows are otherwise what the draw itself writes.
    """
    fact = facts_of(deck)
    head = bytes(Deck.objects.get(pk=deck).head)
    at = clock.now()
    with _without_foreign_keys():
        for first in range(0, count, CHUNK):
            number = min(CHUNK, count - first)
            head = _write_chunk(fact, first, number, head, at, consumers)
            if progress:
                progress(number)
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "UPDATE coupons_deck SET next_ticket = %s, head = %s, last_draw_at = %s WHERE id = %s",
                [count, head, at, deck],
            )
            cursor.execute("ANALYZE")


def settle() -> None:
    """Do now what the server would do about so many new rows while others are measured."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT pg_has_role('pg_checkpoint', 'usage')")
        if cursor.fetchone()[0]:
            cursor.execute("CHECKPOINT")


def _write_chunk(fact: DeckFacts, first: int, count: int, head: bytes, at: dt.datetime, consumers: list[int]) -> bytes:
    rows: dict[str, list[str]] = {name: [] for name in _COPY}
    stamp, ends, at_us = at.isoformat(), fact.closes_at.isoformat(), fairness.microseconds(at)
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT setval('coupons_draw_id_seq', nextval('coupons_draw_id_seq') + %s)", [count])
        base = cursor.fetchone()[0] - count
        for offset, face in enumerate(fact.cards.cards(first, count)):
            ticket, number = first + offset, base + offset
            holder = consumers[ticket % len(consumers)]
            name = fairness.pseudonym(b"bench", fact.round_label, ticket.to_bytes(32, "big"))
            head = fairness.link(head, fact.label, ticket, face, at_us, name)
            batch, allotment = fact.batches[face]
            rows["draw"].append(
                f"{number}\t{fact.deck_id}\t{ticket}\t{face}\t{stamp}\tdraw\t{holder}\t\\\\x{name.hex()}\t1"
                f"\t\\\\x{head.hex()}\tself\n"
            )
            rows["coupon"].append(
                f"{number}\t{fact.round_id}\t{batch}\t{holder}\t{face}\t{face * fact.multiplier}\theld\t{stamp}"
                f"\t{ends}\t1\n"
            )
            rows["transfer"].append(
                f"{fact.campaign_id}\t{Transfer.Code.DRAW}\tround\t{allotment}\theld\t{batch}\t{face}\t{number}\t0"
                f"\tround\t{fact.round_id}\tconsumer\t{holder}\t{stamp}\n"
            )
            rows["event"].append(f"draw\t{number}\tconsumer\t{holder}\t{stamp}\t\n")
        for table, statement in _COPY.items():
            with cursor.copy(statement) as copy:
                copy.write("".join(rows[table]))
    return head


@contextmanager
def _without_foreign_keys() -> Iterator[None]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s)",
            [list(_TABLES)],
        )
        kept = cursor.fetchall()
        for table, name, _ in kept:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    yield
    with connections["owner"].cursor() as cursor:
        for table, name, definition in kept:
            # The rows written meanwhile are not looked at again; new ones are checked as ever.
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition} NOT VALID')
