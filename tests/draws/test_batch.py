"""One batch, many people: each gets an own answer, whatever happens to the others or to the connection."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from unittest import mock

import psycopg
import pytest
from django.db import connection, connections

from coupons import drawing, lifecycle
from coupons.drawing import batcher, together, writing
from coupons.drawing.facts import facts_of, pseudonym
from coupons.errors import BAD_TURN, KEY_REUSED, NOT_BOUND, SOLD_OUT
from coupons.models import Consumer, Coupon, Deck, Draw
from huigou.errors import Refusal
from tests import factories
from tests.conftest import as_owner
from tests.draws.helpers import cards_of, forging, refused, whole
from tests.redemption.ground import at_once, sessions_waiting

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def writer() -> Iterator[psycopg.Connection]:
    """A connection as the batcher's own."""
    conn = batcher.connect()
    yield conn
    conn.close()


def ask(county, consumer, category="", **more) -> drawing.Ask:
    return drawing.Ask(factories.deck_of(county, category).pk, consumer.pk, **{"turn": 1, **more})


@contextmanager
def deck_locked(deck_id: int) -> Iterator[Callable[[], None]]:
    """Hold a deck's row from another session; yields what lets it go."""
    other = batcher.connect()
    other.execute("BEGIN")
    other.execute("SELECT 1 FROM coupons_deck WHERE id = %s FOR UPDATE", [deck_id])
    try:
        yield other.rollback
    finally:
        other.close()


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to it"
        time.sleep(0.01)


def waiting(count: int = 1) -> Callable[[], bool]:
    """Say whether so many sessions wait for a lock."""
    return lambda: sessions_waiting() >= count


# ---- one asks, the same answer comes


def test_a_retry_of_the_same_key_turn_or_person_is_the_same_draw(county, wang):
    key = uuid.uuid4()
    first = drawing.draw(ask(county, wang, request_key=key))
    again = [
        drawing.draw(ask(county, wang, request_key=key)),
        drawing.draw(ask(county, wang, turn=None, request_key=key)),
        drawing.draw(ask(county, wang)),
        drawing.draw(ask(county, wang, request_key=uuid.uuid4())),
        drawing.draw(ask(county, wang, turn=None)),
    ]
    assert {(a.draw_id, a.ticket, a.face_fen, a.entry_hash) for a in again} == {
        (first.draw_id, first.ticket, first.face_fen, first.entry_hash)
    }
    assert (first.repeated, all(a.repeated for a in again)) == (False, True)
    assert Draw.objects.count() == Coupon.objects.count() == 1


def test_unbinding_and_binding_again_opens_no_second_draw(county, wang):
    first = drawing.draw(ask(county, wang))
    Consumer.objects.filter(pk=wang.pk).update(unbound_at="2022-06-25 09:06+08:00")
    with refused(NOT_BOUND):
        drawing.draw(ask(county, wang))
    anew = Consumer.objects.create(
        person=wang.person, phone_key=wang.phone_key, consented_at=wang.consented_at, consent_version="1",
        bound_at=wang.bound_at,
    )  # fmt: skip
    assert drawing.draw(ask(county, anew)).draw_id == first.draw_id


def test_fifty_requests_of_one_person_in_one_batch_are_one_draw(county, wang, zhao, writer):
    asks = [ask(county, wang, request_key=uuid.uuid4()) for _ in range(50)] + [ask(county, zhao)]
    answers = drawing.write_together(writer, asks)
    assert len({a.draw_id for a in answers[:50]}) == 1
    assert [a.repeated for a in answers] == [False] + [True] * 49 + [False]
    assert [a.ticket for a in answers] == [0] * 50 + [1]


def test_nothing_that_a_client_sends_chooses_a_card(at):
    """Whoever comes in whichever order: the ticket follows from the order at the lock, the card from the ticket."""
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 15, ("dining", 500): 25})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    deck = factories.deck_of(county)
    for consumer in reversed(factories.some_consumers(deck.size)):
        drawing.draw(ask(county, consumer, turn=None, request_key=uuid.uuid4()))
    assert list(Draw.objects.order_by("ticket").values_list("ticket", "face_fen")) == list(enumerate(cards_of(deck)))


def test_several_turns_each_have_their_own_answer(at):
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 2}, rounds=1)
    county.categories["dining"].turns = 3
    county.categories["dining"].blanks = 200
    county.categories["dining"].save()
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    wang = factories.a_consumer()
    if cards_of(factories.deck_of(county))[0]:  # a first card that wins would end 王's turns
        drawing.draw(ask(county, factories.a_consumer("赵生")))
    first = drawing.draw(ask(county, wang))
    with refused(BAD_TURN):
        drawing.draw(ask(county, wang, turn=3))
    second = drawing.draw(ask(county, wang, turn=2))
    assert (first.turn, second.turn, second.ticket) == (1, 2, first.ticket + 1)
    assert drawing.draw(ask(county, wang, turn=1)).ticket == first.ticket


# ---- one person's fault is nobody else's


@pytest.fixture
def two_decks(at) -> factories.County:
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 40, ("fuel", 50): 40})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    return county


def test_a_key_used_for_another_draw_is_refused_alone(two_decks, writer):
    wang, *others = factories.some_consumers(6)
    key = uuid.uuid4()
    drawing.write_together(writer, [ask(two_decks, wang, "fuel", request_key=key)])
    batch = [ask(two_decks, o, "dining") for o in others]
    batch.insert(3, ask(two_decks, wang, "dining", request_key=key))
    answers = drawing.write_together(writer, batch)
    assert answers[3].code == KEY_REUSED.code
    assert sorted(a.ticket for i, a in enumerate(answers) if i != 3) == [0, 1, 2, 3, 4]
    assert whole(factories.deck_of(two_decks, "dining")) == 5


def test_a_row_that_comes_in_from_elsewhere_costs_only_its_person_a_retry(two_decks, writer):
    """Somebody writes 王's draw without the deck's lock while the batch is under way: the constraint fires."""
    wang, *others = factories.some_consumers(4)
    deck = factories.deck_of(two_decks, "dining")
    fact = facts_of(deck.pk)
    name, cards = pseudonym(fact, bytes(wang.phone_key)), cards_of(deck)
    real, done = writing.steps_of, []

    def first_somebody_else(rows, tickets, heads):
        if not done:
            done.append(True)
            with batcher.connect() as rogue:
                rogue.execute(
                    "INSERT INTO coupons_draw (deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn,"
                    " entry_hash, channel) VALUES (%s, %s, %s, huigou_now(), 'draw', %s, %s, 1, %s, 'self')",
                    [deck.pk, deck.size - 1, cards[-1], wang.pk, name, bytes(32)],
                )
        return real(rows, tickets, heads)

    batch = [ask(two_decks, c, "dining") for c in (others[0], wang, *others[1:])]
    with mock.patch("coupons.drawing.together.steps_of", first_somebody_else):
        answers = drawing.write_together(writer, batch)
    assert [a.ticket for a in answers] == [0, deck.size - 1, 1, 2]
    assert answers[1].repeated
    assert Draw.objects.filter(pseudonym=name).count() == 1


def test_an_ask_that_breaks_the_batch_breaks_alone(two_decks, caplog):
    """A deck that does not exist cannot come from a client; whatever it is, the neighbours are answered."""
    people = factories.some_consumers(8)
    with deck_locked(factories.deck_of(two_decks, "dining").pk) as let_go:
        # The writer waits with the first one; all others gather behind it and become one batch.
        first = drawing.draw_async(ask(two_decks, people[0], "dining"))
        wait_until(waiting())
        futures = [drawing.draw_async(ask(two_decks, p, "dining")) for p in people[1:]]
        broken = drawing.draw_async(drawing.Ask(999_999, people[0].pk, turn=1))
        let_go()
        assert sorted(f.result(10).ticket for f in [first, *futures]) == list(range(8))
    with pytest.raises(Deck.DoesNotExist):
        broken.result(10)
    assert "1 draws could not be written" in caplog.text
    assert whole(factories.deck_of(two_decks, "dining")) == 8


# ---- what passes by itself


def test_a_connection_that_is_cut_while_it_waits_costs_nobody_a_draw(county, caplog):
    deck = factories.deck_of(county)
    people = factories.some_consumers(5)
    drawing.draw(ask(county, people[0]))
    with deck_locked(deck.pk) as let_go:
        futures = [drawing.draw_async(ask(county, p)) for p in people]
        wait_until(waiting())
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [batcher._batcher._conn.info.backend_pid])
        wait_until(lambda: "tried again" in caplog.text)
        let_go()
        assert sorted(f.result(10).ticket for f in futures) == [0, 1, 2, 3, 4]
    assert whole(deck) == 5


def test_a_commit_that_went_through_unheard_is_not_drawn_twice(county, wang):
    """The connection dies between the commit and its answer: the retry finds the draw."""
    cut, real = [], together.commit

    def commit(conn, *steps):
        real(conn, *steps)
        if not cut:
            cut.append(True)
            raise psycopg.OperationalError("the answer to the commit was lost")

    with mock.patch("coupons.drawing.together.commit", commit):
        answer = drawing.draw(ask(county, wang, turn=None))
    assert cut
    assert (answer.ticket, answer.repeated) == (0, True)
    assert whole(factories.deck_of(county)) == 1


def test_a_dead_lock_is_tried_again(two_decks, caplog):
    decks = [factories.deck_of(two_decks, code) for code in ("dining", "fuel")]
    wang, zhao = factories.some_consumers(2)
    low, high = sorted(deck.pk for deck in decks)
    asks = [drawing.Ask(low, wang.pk, turn=1), drawing.Ask(high, zhao.pk, turn=1)]
    opened: list[psycopg.Connection] = []
    alone = mock.Mock(spec=batcher.Batcher)
    alone._connection.side_effect = lambda: opened.append(batcher.connect()) or opened[-1]
    alone._close.side_effect = lambda: opened[-1].close()

    def write():
        try:
            return batcher.Batcher._write(alone, asks)
        finally:
            opened[-1].close()
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, batcher.connect() as other:
        other.execute("BEGIN")
        other.execute("SELECT 1 FROM coupons_deck WHERE id = %s FOR UPDATE", [high])
        written = pool.submit(write)  # has the lower deck and waits for the higher
        wait_until(waiting())
        with suppress(psycopg.errors.DeadlockDetected):
            other.execute("SELECT 1 FROM coupons_deck WHERE id = %s FOR UPDATE", [low])
        other.rollback()
        assert [answer.ticket for answer in written.result(20)] == [0, 0]
    assert "deadlock detected" in caplog.text


# ---- after the deck is out


def test_refusals_after_the_last_card_touch_no_lock(at):
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 8})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    deck = factories.deck_of(county)
    people = factories.some_consumers(deck.size + 40)
    winners = factories.drawn_by_many(county, people[: deck.size])
    drawing.forget()  # as in a process that never drew from this deck
    with deck_locked(deck.pk):  # whoever wanted the lock would be told DRAW_BUSY in the end
        for consumer in people[deck.size :]:
            with refused(SOLD_OUT):
                drawing.draw(ask(county, consumer))
        assert drawing.draw(ask(county, people[0])).draw_id == winners[0].pk  # and a winner still gets the own answer
    with deck_locked(factories.deck_of(county).pk) as let_go:
        # Negative control: a draw that has to look at the lock waits for it.
        with mock.patch("coupons.drawing.together._OUT", "SELECT id FROM coupons_deck WHERE id = ANY(%s) AND false"):
            drawing.forget()
            late = drawing.draw_async(ask(county, people[-1]))
            wait_until(waiting())
        let_go()
        assert late.result(10).code == SOLD_OUT.code


# ---- many at once, and the guards


def hammer(county, consumer, times: int = 12) -> list[str]:
    """Let one person ask from many threads, each with an own key and a writer of its own, as processes would."""

    def one() -> None:
        conn = batcher.connect()
        try:
            [answer] = drawing.write_together(conn, [ask(county, consumer, request_key=uuid.uuid4())])
        finally:
            conn.close()
        if isinstance(answer, Refusal):
            raise answer

    return at_once([one] * times)


def test_one_person_in_twelve_processes_wins_once(county, wang):
    assert hammer(county, wang) == ["ok"] * 12
    assert Draw.objects.count() == Coupon.objects.count() == 1
    assert whole(factories.deck_of(county)) == 1


UNLOCKED = "SELECT id, next_ticket, head FROM coupons_deck WHERE id = ANY(%s) ORDER BY id"


@contextmanager
def slow_after_looking() -> Iterator[None]:
    """Widen the gap between look and write."""
    from coupons.drawing import together

    real = together._look

    def look(*args, **more):
        seen = real(*args, **more)
        time.sleep(0.1)
        return seen

    with mock.patch.object(together, "_look", look):
        yield


def test_without_the_lock_the_constraints_still_let_one_through(county, wang, zhao):
    """First control: the lock is gone, the unique constraints stand behind it."""
    with mock.patch("coupons.drawing.together.LOCK", UNLOCKED), slow_after_looking():
        outcomes = hammer(county, wang)
    assert Counter(outcomes)["ok"] >= 1
    assert Draw.objects.filter(consumer=wang).count() == 1


def test_without_lock_and_constraints_the_harness_sees_a_double_win(county, wang):
    """Second control: with both guards gone the same hammering gives one person several coupons."""
    with forging() as sql:
        for name in ("draw_win_once", "draw_turn_once"):
            sql(f"DROP INDEX {name}")
        sql("ALTER TABLE coupons_draw DROP CONSTRAINT draw_ticket_once")
    try:
        with mock.patch("coupons.drawing.together.LOCK", UNLOCKED), slow_after_looking():
            hammer(county, wang)
        assert Draw.objects.filter(consumer=wang).count() > 1
    finally:
        with forging() as sql:
            sql("SET huigou.allow_truncate = 'on'")
            sql("TRUNCATE coupons_draw CASCADE")
            sql("RESET huigou.allow_truncate")
            sql("ALTER TABLE coupons_draw ADD CONSTRAINT draw_ticket_once UNIQUE (deck_id, ticket)")
            for statement in (
                "CREATE UNIQUE INDEX draw_turn_once ON coupons_draw (deck_id, pseudonym, turn) WHERE kind = 'draw'",
                "CREATE UNIQUE INDEX draw_win_once ON coupons_draw (deck_id, pseudonym)"
                " WHERE face_fen > 0 AND kind = 'draw'",
            ):
                sql(statement)
