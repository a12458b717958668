"""No sweep ran, and everybody comes at once: the first of them deals the round, once, without a dead-lock."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from coupons.lifecycle import dealing
from coupons.models import Deck, Transfer
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
