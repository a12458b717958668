"""The line before the wheel: unique places, kept over reloads and killed workers, rebuilt after Redis lost them."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from django.conf import settings as django_settings
from django.core.cache import cache

from coupons import consumers, lifecycle, rush, waiting
from coupons.models import Consumer, Draw
from huigou import clock
from huigou.errors import Refusal
from tests import factories
from tests.serving import Site, free_port, running, wait_for, web

pytestmark = pytest.mark.django_db

PEOPLE = 2_000
ROUND = 7
START_US = 1_656_118_800_000_000  # 2022-06-25 09:00, where a test says when it is
SECOND_US = 1_000_000


@pytest.fixture(autouse=True)
def _small_door(settings):
    settings.WAITING_PER_S, settings.WAITING_BURST = 100, 50


def line_up(places: dict[int, waiting.Place], now_us: int, order: Sequence[int]) -> dict[int, waiting.Place]:
    """Let everybody ask, in an order, each with the cookie that they have."""
    asked = {}
    for number in order:
        cookie = places[number].cookie if number in places else ""
        asked[number] = waiting.enter(ROUND, number, cookie, now_us + number)
    return asked


def waiting_places(places: dict[int, waiting.Place]) -> dict[int, int]:
    return {number: place.position for number, place in places.items() if not place.is_admitted}


# ---- the line itself


def test_2000_people_have_places_of_their_own_and_keep_them_over_a_reload():
    everybody = range(PEOPLE)
    first = line_up({}, START_US, everybody)
    again = line_up(first, START_US + 3_000, random.Random(1).sample(everybody, PEOPLE))
    assert sorted(waiting_places(first).values()) == list(range(1, PEOPLE - 50 + 1))
    assert waiting_places(again) == waiting_places(first)


def test_a_flushed_redis_is_rebuilt_in_the_old_order_and_admits_nobody_twice():
    everybody = range(PEOPLE)
    first = line_up({}, START_US, everybody)
    let_in = {number for number, place in first.items() if place.is_admitted}
    cache.clear()  # FLUSHDB
    line_up(first, START_US + 5_000, random.Random(2).sample(everybody, PEOPLE))
    rebuilt = line_up(first, START_US + 5_000, everybody)
    assert {number for number, place in rebuilt.items() if place.is_admitted} == let_in
    assert waiting_places(rebuilt) == waiting_places(first)


def test_a_newcomer_after_the_flush_opens_no_fresh_burst():
    first = line_up({}, START_US, range(100))
    cache.clear()
    newcomer = waiting.enter(ROUND, 9_999, "", START_US + 5_000)
    back = line_up(first, START_US + 5_000, range(100))
    assert newcomer.is_admitted is False
    assert sum(place.is_admitted for place in back.values()) == 50
    assert waiting.enter(ROUND, 9_999, newcomer.cookie, START_US + 6_000).position == 51


def test_the_line_moves_at_its_rate(settings):
    settings.WAITING_BURST = 200
    first = line_up({}, START_US, range(500))
    second = line_up(first, START_US + SECOND_US, range(500))
    admitted = [sum(place.is_admitted for place in places.values()) for places in (first, second)]
    assert admitted[0] == 200
    assert 99 <= admitted[1] - admitted[0] <= 101


def test_on_redis_own_clock_a_place_never_moves_back(settings):
    """The pages leave the time to Redis, which serves one after another: whoever comes later stands further back."""
    settings.WAITING_PER_S = 1
    places: dict[int, waiting.Place] = {}
    for number in range(300):
        places[number] = waiting.enter(ROUND, number, "")
    again = {number: waiting.enter(ROUND, number, place.cookie) for number, place in places.items()}
    stand = waiting_places(again)
    assert len(stand) > 200
    assert all(position <= places[number].position for number, position in stand.items())


def test_a_place_of_another_round_or_person_is_worth_nothing():
    line_up({}, START_US, range(100))
    mine = waiting.enter(ROUND, 1000, "", START_US + 200)
    theirs = waiting.enter(ROUND, 1001, mine.cookie, START_US + 300)
    assert (mine.position, theirs.position) == (51, 52)
    assert waiting.enter(ROUND + 1, 1000, mine.cookie, START_US).is_admitted is True
    forged = mine.cookie.replace(":0~", ":1~")
    assert forged != mine.cookie
    assert waiting.enter(ROUND, 1000, forged, START_US + 400).is_admitted is False


def test_without_redis_everybody_is_let_through(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert waiting.enter(ROUND, 1, "").is_admitted is True
    assert [waiting.gate(ROUND, number, "") for number in range(50)] == [None] * 50


# ---- the door before the wheel and before the draw


def lines() -> list[bytes]:
    """Return the keys of this worker's Redis database that any step of a line would have written."""
    return redis.Redis.from_url(django_settings.REDIS_URL).keys("wait:*")


@pytest.fixture
def morning(county: factories.County) -> list[Consumer]:
    return factories.some_consumers(40)


def outcome(consumer: Consumer, cookie: str = "") -> str:
    try:
        rush.hold_back(consumer.pk, "dining", cookie)
    except Refusal as refused:
        return refused.code
    return "ok"


@pytest.mark.django_db(transaction=True)
def test_while_there_is_no_rush_the_door_asks_nobody(morning):
    assert [outcome(consumer) for consumer in morning] == ["ok"] * 40
    assert lines() == []


@pytest.mark.django_db(transaction=True)
def test_a_rush_sends_the_draw_to_the_waiting_room_and_lets_it_through_when_called(morning, settings):
    settings.WAITING_PER_S, settings.WAITING_BURST = 1, 10
    said = [outcome(consumer) for consumer in morning]
    # One by this process's own allowance (two, should a second pass), ten by the burst; the rest stand in line.
    assert 11 <= said.count("ok") <= 13
    assert said.count("in_line") == 40 - said.count("ok")
    assert lines() != []
    last = morning[-1]
    with pytest.raises(waiting.InLine) as held:
        rush.hold_back(last.pk, "dining", "")
    told = held.value.as_dict()
    assert (told["code"], told["wait_url"]) == ("in_line", "/m/wait?next=/m/draw/dining")
    place = waiting.enter(waiting.open_round_id(), last.pk, "")
    assert place.position == int("".join(ch for ch in told["message"] if ch.isdigit()))
    settings.WAITING_BURST = 100  # and the minute in which forty more come free has passed
    redis.Redis.from_url(settings.REDIS_URL).hset(f"wait:{waiting.open_round_id()}:state", "tokens", 40)
    called = waiting.enter(waiting.open_round_id(), last.pk, place.cookie)
    assert (called.is_admitted, outcome(last, called.cookie)) == (True, "ok")


@pytest.mark.django_db(transaction=True)
def test_the_wheels_page_sends_there_too_and_the_waiting_page_back(morning, settings, client):
    settings.WAITING_PER_S, settings.WAITING_BURST = 1, 1
    for consumer in morning[:10]:
        outcome(consumer)
    client.cookies[consumers.COOKIE] = consumers.cookie_of(morning[20])
    sent = client.get("/m/draw/dining")
    assert sent["Location"] == "/m/wait?next=/m/draw/dining"
    page = client.get(sent["Location"])
    text = page.content.decode()
    assert "排队" in text
    assert "您现在排在" in text
    asked = client.get("/api/v1/queue?next=/m/draw/dining").json()
    assert (asked["admitted"], asked["url"]) == (False, "/m/draw/dining")
    assert f">{asked['position']}<" in text
    settings.WAITING_BURST = 100  # and the minute in which forty more come free has passed
    redis.Redis.from_url(settings.REDIS_URL).hset(f"wait:{waiting.open_round_id()}:state", "tokens", 40)
    assert client.get("/m/wait?next=/m/draw/dining")["Location"] == "/m/draw/dining"
    assert client.get("/m/draw/dining").status_code == 200


def test_asking_for_a_place_takes_no_query(morning, settings, client, django_assert_num_queries):
    client.cookies[consumers.COOKIE] = consumers.cookie_of(morning[0])
    client.get("/api/v1/queue")
    with django_assert_num_queries(0):
        assert client.get("/api/v1/queue").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_whoever_drew_gets_the_lost_answer_and_nobody_waits_for_what_is_out(county, settings):
    people = factories.some_consumers(12)
    settings.WAITING_PER_S, settings.WAITING_BURST = 1, 1
    drew = people[0]
    first = rush.draw_as(drew.pk, drew.session_version, "dining", 1, None)
    for consumer in people[1:6]:
        outcome(consumer)
    waiting._doors.clear()
    assert [outcome(consumer) for consumer in people[6:9]] == ["in_line"] * 3
    assert outcome(drew) == "ok"
    assert rush.draw_as(drew.pk, drew.session_version, "dining", 1, None)["entry"] == first["entry"]
    factories.drawn_by_many(county, people[1:10])
    assert Draw.objects.count() == 10  # all that round 1 of 2 releases
    waiting.forget()
    late = people[11]
    assert outcome(late) == "ok"
    with pytest.raises(Refusal) as said:
        rush.draw_as(late.pk, late.session_version, "dining", 1, None)
    assert said.value.code == "sold_out"


# ---- real web processes


@pytest.fixture
def rushed_site(transactional_db, database_environment, static_files) -> Iterator[tuple[Site, psutil.Process]]:
    """Start the web with two workers and a narrow door."""
    port = free_port()
    command = web(port, "--respawn-failed-workers", "--log-level", "error", workers=2)
    environment = {**database_environment, "WEB_THREADS": "8", "WAITING_PER_S": "1", "WAITING_BURST": "50"}
    with running(command, environment) as child:
        url = f"http://127.0.0.1:{port}"
        wait_for(url + "/readyz")
        yield Site(url, environment), psutil.Process(child.pid)


class Waiter:
    """One person's phone: its two cookies, and the last answer."""

    def __init__(self, consumer: Consumer) -> None:
        self.bound, self.place, self.answer = consumers.cookie_of(consumer), "", {}

    def ask(self, line: http.client.HTTPConnection) -> None:
        cookies = f"{consumers.COOKIE}={self.bound}" + (f"; {waiting.COOKIE}={self.place}" if self.place else "")
        line.request("GET", "/api/v1/queue?next=/m/draw/dining", headers={"Cookie": cookies})
        reply = line.getresponse()
        body = reply.read()
        assert reply.status == 200, body
        self.answer = json.loads(body)
        if given := reply.headers["Set-Cookie"]:
            self.place = SimpleCookie(given)[waiting.COOKIE].value


def everybody_asks(site: Site, waiters: Sequence[Waiter]) -> None:
    """Let all ask from eight connections; a connection that a killed worker cut is opened again."""

    def some(part: Sequence[Waiter]) -> None:
        line = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=30)
        for waiter in part:
            for attempt in range(20):
                try:
                    waiter.ask(line)
                    break
                except (OSError, http.client.HTTPException):
                    assert attempt < 19
                    line.close()
                    time.sleep(0.1)
        line.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(some, [waiters[i::8] for i in range(8)]))


def in_line(waiters: Sequence[Waiter]) -> dict[int, int]:
    return {n: w.answer["position"] for n, w in enumerate(waiters) if not w.answer["admitted"]}


def in_order(places: dict[int, int]) -> list[int]:
    return sorted(places, key=lambda number: places[number])


def hold_door(round_id: int, tokens: int) -> None:
    """Let in so many and then nobody: places read one after another can only be compared while the line stands."""
    far = int(time.time() + 3600) * SECOND_US
    redis.Redis.from_url(django_settings.REDIS_URL).hset(
        f"wait:{round_id}:state", mapping={"tokens": tokens, "at": far}
    )


@pytest.mark.django_db(transaction=True)
def test_2000_wait_through_a_killed_worker_and_a_flushed_redis(rushed_site):
    site, master = rushed_site
    county = factories.a_county(rounds=1, opens_at=clock.now() - dt.timedelta(hours=1))
    lifecycle.deal(county.rounds[0].pk)
    waiters = [Waiter(consumer) for consumer in factories.some_consumers(PEOPLE)]
    hold_door(county.rounds[0].pk, 50)
    everybody_asks(site, waiters)
    first = in_line(waiters)
    assert sorted(first.values())[-1] == PEOPLE - 50 == len(first)
    everybody_asks(site, random.Random(2).sample(waiters, PEOPLE))
    stand = in_line(waiters)
    assert sorted(stand.values()) == list(range(1, PEOPLE - 50 + 1))
    assert all(stand[number] <= position for number, position in first.items())

    victims = [child for child in master.children(recursive=True) if child.is_running()]
    os.kill(victims[-1].pid, signal.SIGKILL)
    everybody_asks(site, random.Random(3).sample(waiters, PEOPLE))
    assert in_line(waiters) == stand

    redis.Redis.from_url(django_settings.REDIS_URL).flushdb()
    hold_door(county.rounds[0].pk, 0)
    for seed in (4, 5):  # the first pass brings the line back, the second reads where everybody stands
        everybody_asks(site, random.Random(seed).sample(waiters, PEOPLE))
    assert in_line(waiters) == stand
