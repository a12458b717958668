"""No sweep ran, and everybody comes at once: the first of them deals the round, once, without a dead-lock."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from unittest import mock

import django.db
import psycopg
import pytest
from django.db.models import QuerySet

from coupons import drawing
from coupons.drawing import batcher
from coupons.lifecycle import dealing
from coupons.models import Deck, Transfer
from coupons.models.plan import RoundQuerySet
from huigou import clock
from tests import factories
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


def first_draws(categories: list[str], each: int) -> list[str]:
    """Let many draw first at once, in several categories of an undealt round; return how each fared.

    Each deals, or waits for who does, and draws on a connection of its own, as so many processes would.
    """
    county, people = undealt(), factories.some_consumers(len(categories) * each)

    def one(place: int) -> str:
        try:
            dealing.ensure_dealt(county.rounds[0].pk)
            deck = factories.deck_of(county, categories[place % len(categories)])
            with closing(batcher.connect()) as conn:
                [answer] = drawing.write_together(conn, [drawing.Ask(deck.pk, people[place].pk, turn=1)])
            return type(answer).__name__
        except (django.db.OperationalError, psycopg.OperationalError) as broken:
            return type(broken.__cause__ or broken).__name__

    told: list[str] = []
    at_once([lambda place=place: told.append(one(place)) for place in range(len(people))])
    assert Deck.objects.filter(round=county.rounds[0]).count() == len(STOCK)
    return told


CODES = [code for code, _ in STOCK]


def test_first_draws_in_several_categories_do_not_dead_lock(transactional_db):
    for _ in range(3):
        assert Counter(first_draws(CODES, 4)) == {"Answer": 12}


def locked_with_its_campaign(self: QuerySet, *_: object, **more: object) -> QuerySet:
    """Lock what an unguarded SELECT FOR UPDATE locks: the campaign's row that is joined as well."""
    more.pop("of", None)
    return QuerySet.select_for_update(self, **more)


def test_with_the_campaign_locked_too_the_harness_sees_the_dead_lock(transactional_db):
    """The control: a draw being written holds the campaign and wants the round; a dealer the other way round."""
    seen: Counter[str] = Counter()
    with mock.patch.object(RoundQuerySet, "select_for_update", locked_with_its_campaign, create=True):
        for _ in range(20):
            seen.update(first_draws(CODES, 4))
            if seen["DeadlockDetected"]:
                break
    assert seen["DeadlockDetected"], seen
