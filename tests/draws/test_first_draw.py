"""No sweep ran, and everybody comes at once: the first of them deals the round, once, without a dead-lock."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from unittest import mock

import django.db
import psycopg
import pytest
from django.db import connection
from django.db.models import QuerySet

from coupons import drawing
from coupons.drawing import batcher
from coupons.lifecycle import dealing
from coupons.models import Consumer, Deck, Transfer
from coupons.models.plan import RoundQuerySet
from huigou import clock
from tests import factories
from tests.conftest import as_owner
from tests.draws.helpers import whole
from tests.draws.test_kills import post
from tests.draws.workers import workers
from tests.redemption.ground import at_once
from tests.serving import free_port

pytestmark = pytest.mark.django_db(transaction=True)
STOCK = {("dining", 100): 60, ("fuel", 50): 60, ("farm", 20): 60}


def undealt() -> factories.County:
    return factories.a_county(STOCK, rounds=1, opens_at=clock.now() - dt.timedelta(hours=1))


def test_processes_and_threads_deal_once(database_environment):
    county = undealt()
    people = factories.some_consumers(48)
    with workers(database_environment, [free_port(), free_port()]) as running, ThreadPoolExecutor(48) as pool:
        key = "3f9f1a52-8a3f-4f0e-9a53-0b8b5ad3a{:03d}"
        told = list(pool.map(lambda i: post(running.ports[i % 2], people[i], key.format(i)), range(48)))
    assert Counter(status for status, _ in told) == {200: 48}, told
    assert Deck.objects.count() == 3
    assert Transfer.objects.filter(code=Transfer.Code.RELEASE).count() == 3
    assert whole(factories.deck_of(county, "dining")) == 48


def deal_at_once(county: factories.County, times: int = 12) -> list[str]:
    return at_once([lambda: dealing.ensure_dealt(county.rounds[0].pk)] * times)


def test_twelve_threads_deal_once(transactional_db):
    assert deal_at_once(undealt()) == ["ok"] * 12
    assert Deck.objects.count() == 3


def first_draws(rounds: int) -> Counter[str]:
    """Let draws be written in several categories while others, first draws as well, still deal; count how each fared.

    Everybody has a connection of its own, as so many processes would. Ends early with the first dead-lock.
    """
    county, told = undealt(), Counter()
    dealing.ensure_dealt(county.rounds[0].pk)
    people = factories.some_consumers(len(STOCK) * rounds * 3)
    over = threading.Event()

    def fared(deed: Callable[[], object]) -> None:
        try:
            told[type(deed()).__name__] += 1
        except (django.db.OperationalError, psycopg.OperationalError) as broken:
            told[type(broken.__cause__ or broken).__name__] += 1
            over.set()

    def deals() -> None:
        while not over.is_set():
            fared(lambda: dealing.deal(county.rounds[0].pk))

    def draws(code: str, mine: list[Consumer]) -> None:
        deck = factories.deck_of(county, code)
        with closing(batcher.connect()) as conn:
            for first in range(0, len(mine), 3):
                asks = [drawing.Ask(deck.pk, consumer.pk, turn=1) for consumer in mine[first : first + 3]]
                if not over.is_set():
                    fared(lambda asks=asks: drawing.write_together(conn, asks))
        ended.append(code)
        if len(ended) == len(STOCK):
            over.set()

    ended: list[str] = []
    drawers = [lambda i=i, code=code: draws(code, people[i :: len(STOCK)]) for i, (code, _) in enumerate(STOCK)]
    at_once([*drawers, *[deals] * 4])
    return told


def test_first_draws_in_several_categories_do_not_dead_lock(transactional_db):
    told = first_draws(20)
    assert told["list"] == 20 * len(STOCK)  # every batch is answered
    assert set(told) == {"list", "bool"}


def locked_with_its_campaign(self: QuerySet, *_: object, **more: object) -> QuerySet:
    """Lock what an unguarded SELECT FOR UPDATE locks: the campaign's row that is joined as well."""
    more.pop("of", None)
    return QuerySet.select_for_update(self, **more)


@contextmanager
def with_a_lock_on_the_round() -> Iterator[None]:
    """Let each coupon lock its round at the commit, as a foreign key does that the draw has no more."""

    def owner(statement: str) -> None:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute(statement)

    owner(
        "ALTER TABLE coupons_coupon ADD CONSTRAINT round_of_old FOREIGN KEY (round_id) REFERENCES coupons_round"
        " DEFERRABLE INITIALLY DEFERRED"
    )
    try:
        yield
    finally:
        owner("ALTER TABLE coupons_coupon DROP CONSTRAINT round_of_old")


def test_with_campaign_and_round_locked_too_the_harness_sees_the_dead_lock(transactional_db):
    """The control: a draw being written holds the campaign and wants the round; a dealer the other way round.

    Either guard suffices: dealing leaves the campaign alone, and a draw asks for no lock on its round.
    """
    with (
        mock.patch.object(RoundQuerySet, "select_for_update", locked_with_its_campaign, create=True),
        with_a_lock_on_the_round(),
    ):
        told = Counter()
        for _ in range(5):
            told = first_draws(20)
            if told["DeadlockDetected"]:
                break
    assert told["DeadlockDetected"], told
