"""Nothing is lost and nothing is given twice, whoever is killed when."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from coupons import consumers, drawing
from coupons.models import Consumer, Coupon, Draw
from huigou import clock
from tests import factories
from tests.draws.helpers import cards_of, whole
from tests.draws.workers import Workers, workers
from tests.serving import free_port

# Each is a fork, a login and a kill -9: DRAW_KILLS=1000 takes a minute.
KILLS = int(os.environ.get("DRAW_KILLS", "100"))
pytestmark = pytest.mark.django_db(transaction=True)


def post(port: int, consumer: Consumer, key: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection(f"127.0.0.1:{port}", timeout=20)
    try:
        body = json.dumps({"category": "dining", "turn": 1, "key": key})
        cookie = f"{consumers.COOKIE}={consumers.cookie_of(consumer)}"
        headers = {"Content-Type": "application/json", "X-Requested-With": "huigou", "Cookie": cookie}
        connection.request("POST", "/api/v1/draws", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def draw_until_answered(running: Workers, consumer: Consumer, lost: list[int]) -> tuple[int, dict]:
    """Ask as a phone does: the same key again and again, of whichever worker, until there is an answer."""
    key, end = str(uuid.uuid4()), time.monotonic() + 60
    while time.monotonic() < end:
        try:
            status, answer = post(random.choice(running.ports), consumer, key)
        except (OSError, http.client.HTTPException, ValueError):
            lost.append(consumer.pk)
            time.sleep(0.05)
            continue
        if status < 500:
            return status, answer
        assert answer["code"] == "draw_busy", answer
    raise TimeoutError(consumer.pk)


def open_county(cards: int) -> factories.County:
    opened = clock.now() - dt.timedelta(hours=1)
    half = cards // 2
    county = factories.a_county({("dining", 100): half, ("dining", 20): cards - half}, rounds=1, opens_at=opened)
    from coupons import lifecycle

    lifecycle.deal(county.rounds[0].pk)
    return county


def test_twenty_workers_killed_during_two_thousand_draws(database_environment):
    county = open_county(2_000)
    deck, people = factories.deck_of(county), factories.some_consumers(2_000)
    answers: dict[int, dict] = {}
    lost: list[int] = []
    kills = 0
    with workers({**database_environment, "WAITING_BURST": "100000"}, [free_port(), free_port()]) as running:

        def one(consumer: Consumer) -> None:
            status, answer = draw_until_answered(running, consumer, lost)
            assert status == 200
            answers[consumer.pk] = answer

        with ThreadPoolExecutor(16) as pool:
            pending = [pool.submit(one, consumer) for consumer in people]
            for kills in range(1, 21):
                while len(answers) < 90 * kills:
                    time.sleep(0.005)
                running.kill(running.ports[kills % 2])
            for done in pending:
                done.result()
        # Asked once more, everybody hears the same.
        again = {consumer.pk: post(running.ports[0], consumer, str(uuid.uuid4()))[1] for consumer in people[::40]}
    assert kills == 20
    assert lost, "the harness killed nobody in the middle of a draw"
    assert whole(deck) == 2_000
    rows = {row.consumer_id: row for row in Draw.objects.filter(deck=deck)}
    assert {(pk, a["ticket"], a["face_fen"]) for pk, a in answers.items()} == {
        (pk, row.ticket, row.face_fen) for pk, row in rows.items()
    }
    assert all(answer["ticket"] == answers[pk]["ticket"] and answer["repeated"] for pk, answer in again.items())


DIES_BEFORE_ITS_COMMIT = """
import os, signal, sys
import django
django.setup()
from unittest import mock
from coupons import drawing
from coupons.drawing import batcher, together, wire
deck, consumer, times = map(int, sys.argv[1:])
facts = drawing.facts_of(deck)  # read once, before any fork
from django.db import connections
connections.close_all()
real = together.steps_of

def told(rows, tickets, heads):
    os.write(out, b"%d %d\\n" % (rows[0].ticket, rows[0].face_fen))
    return real(rows, tickets, heads)

def dies(conn, *steps):
    wire.send(conn, *steps)  # every row stands in the database, uncommitted
    os.kill(os.getpid(), signal.SIGKILL)

out = sys.stdout.fileno()
with mock.patch.object(together, "steps_of", told), mock.patch.object(together, "commit", dies):
    for _ in range(times):
        child = os.fork()
        if not child:
            together.write_together(batcher.connect(), [drawing.Ask(deck, consumer, turn=1)])
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
"""


def test_kills_before_the_commit_are_the_same_ticket_and_card(database_environment):
    """Each is a process of its own that dies by kill -9 when all its rows are written and nothing is committed."""
    county = open_county(500)
    deck, wang = factories.deck_of(county), factories.a_consumer()
    before = (deck.next_ticket, bytes(deck.head))
    command = [sys.executable, "-c", DIES_BEFORE_ITS_COMMIT, str(deck.pk), str(wang.pk), str(KILLS)]
    done = subprocess.run(command, env=database_environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    card = cards_of(deck)[0]
    assert Counter(done.stdout.splitlines()) == {f"0 {card}": KILLS}
    deck.refresh_from_db()
    assert (deck.next_ticket, bytes(deck.head)) == before
    assert Draw.objects.count() == Coupon.objects.count() == 0
    answer = drawing.draw(drawing.Ask(deck.pk, wang.pk, turn=1))
    assert (answer.ticket, answer.face_fen) == (0, card)
    assert whole(deck) == 1


def test_sixty_four_clients_until_the_deck_is_out(database_environment):
    """Two processes, sixty-four connections, everybody asks twice with keys of their own."""
    county = open_county(500)
    deck, people = factories.deck_of(county), factories.some_consumers(620)
    answers: dict[int, list[tuple[int, dict]]] = {consumer.pk: [] for consumer in people}
    adding = threading.Lock()
    with workers({**database_environment, "WAITING_BURST": "100000"}, [free_port(), free_port()]) as running:

        def one(job: tuple[int, Consumer]) -> None:
            place, consumer = job
            told = post(running.ports[place % 2], consumer, str(uuid.uuid4()))
            with adding:
                answers[consumer.pk].append(told)

        jobs = list(enumerate(people + people[::-1]))
        with ThreadPoolExecutor(64) as pool:
            list(pool.map(one, jobs))
    statuses = Counter(status for told in answers.values() for status, _ in told)
    assert set(statuses) == {200, 409}
    assert {a["code"] for told in answers.values() for status, a in told if status == 409} == {"sold_out"}
    assert whole(deck) == deck.size
    tickets: dict[int, set[int]] = {pk: {a["ticket"] for s, a in told if s == 200} for pk, told in answers.items()}
    assert sorted(t for got in tickets.values() for t in got) == list(range(deck.size))
    assert max(len(got) for got in tickets.values()) == 1
    issued = Counter(Coupon.objects.values_list("face_fen", flat=True))
    assert issued == {10_000: 250, 2_000: 250}
