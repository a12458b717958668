"""The line before the wheel: unique places, kept over reloads, rebuilt after Redis lost them."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from django.core.cache import cache

from coupons import waiting
from coupons.models import Consumer, Round
from huigou import clock

pytestmark = pytest.mark.django_db

PEOPLE = 2_000
ROUND = Round(pk=7)


@pytest.fixture(autouse=True)
def _small_door(settings):
    settings.WAITING_PER_S, settings.WAITING_BURST = 100, 50


def line_up(places: dict[int, waiting.Place], now: dt.datetime, order: list[int]) -> dict[int, waiting.Place]:
    """Let everybody ask, in an order, each with the cookie that they have."""
    asked = {}
    for number in order:
        cookie = places[number].cookie if number in places else ""
        asked[number] = waiting.enter(ROUND, Consumer(pk=number), cookie, now + dt.timedelta(microseconds=number))
    return asked


def waiting_places(places: dict[int, waiting.Place]) -> dict[int, int]:
    return {number: place.position for number, place in places.items() if not place.is_admitted}


def test_2000_people_have_places_of_their_own_and_keep_them_over_a_reload():
    now, everybody = clock.now(), list(range(PEOPLE))
    first = line_up({}, now, everybody)
    again = line_up(first, now + dt.timedelta(milliseconds=3), random.Random(1).sample(everybody, PEOPLE))
    assert sorted(waiting_places(first).values()) == list(range(1, PEOPLE - 50 + 1))
    assert waiting_places(again) == waiting_places(first)


def test_a_flushed_redis_is_rebuilt_in_the_old_order_and_admits_nobody_twice():
    now, everybody = clock.now(), list(range(PEOPLE))
    first = line_up({}, now, everybody)
    let_in = {number for number, place in first.items() if place.is_admitted}
    cache.clear()  # FLUSHDB
    later = now + dt.timedelta(milliseconds=5)
    line_up(first, later, random.Random(2).sample(everybody, PEOPLE))
    rebuilt = line_up(first, later, everybody)
    assert {number for number, place in rebuilt.items() if place.is_admitted} == let_in
    assert waiting_places(rebuilt) == waiting_places(first)


def test_the_line_moves_at_its_rate(settings):
    settings.WAITING_BURST = 200
    now, everybody = clock.now(), list(range(500))
    first = line_up({}, now, everybody)
    second = line_up(first, now + dt.timedelta(seconds=1), everybody)
    admitted = [sum(place.is_admitted for place in places.values()) for places in (first, second)]
    assert admitted[0] == 200
    assert 99 <= admitted[1] - admitted[0] <= 101


def test_a_place_of_another_round_or_person_is_worth_nothing():
    now = clock.now()
    line_up({}, now, list(range(100)))
    mine = waiting.enter(ROUND, Consumer(pk=1000), "", now + dt.timedelta(microseconds=200))
    theirs = waiting.enter(ROUND, Consumer(pk=1001), mine.cookie, now + dt.timedelta(microseconds=300))
    assert (mine.position, theirs.position) == (51, 52)
    assert waiting.enter(Round(pk=8), Consumer(pk=1000), mine.cookie, now).is_admitted is True


def test_without_redis_everybody_is_let_through(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert waiting.enter(ROUND, Consumer(pk=1), "", clock.now()).is_admitted is True
