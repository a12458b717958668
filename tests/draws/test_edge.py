"""The edge of the draw ahead of Django: a phone always gets a sentence, and both ways say the same."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from unittest import mock

import psycopg
import pytest

from coupons import consumers, rush
from coupons.drawing import batcher
from coupons.errors import NOT_BOUND
from coupons.models import Deck
from tests import factories
from tests.ahead import asked
from tests.draws.helpers import cards_of

pytestmark = pytest.mark.django_db(transaction=True)


def posted(consumer, body: dict | bytes, **more) -> tuple[int, dict]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    cookies = f"x=1; {consumers.COOKIE}={consumers.cookie_of(consumer)}"
    headers = {"X-Requested-With": "huigou", "Cookie": cookies, **more}
    answer = asked(lambda *_: pytest.fail("left to Django"), "POST", rush.PATH, headers, raw)
    assert dict(answer.headers)["Content-Type"] == "application/json"
    return answer.status, json.loads(answer.body)


def test_an_unforeseen_fault_is_answered_in_words_and_logged(county, wang, caplog):
    with mock.patch("coupons.drawing.batcher.write_together", side_effect=ZeroDivisionError):
        status, body = posted(wang, {"category": "dining", "turn": 1})
    assert (status, body["code"]) == (500, "server_error")
    assert body["message"]
    assert body["next"]
    assert "ZeroDivisionError" in caplog.text
    assert posted(wang, {"category": "dining", "turn": 1})[0] == 200


def test_a_database_that_stays_away_is_busy_not_broken(county, wang, caplog):
    caplog.set_level(logging.CRITICAL)
    with (
        mock.patch("coupons.drawing.batcher.PAUSES_S", (0.01,)),
        mock.patch("coupons.drawing.batcher.connect", side_effect=psycopg.OperationalError("connection refused")),
        mock.patch.object(batcher, "_batcher", None),
    ):
        status, body = posted(wang, {"category": "dining", "turn": 1})
    assert (status, body["code"]) == (503, "draw_busy")
    assert "结果不会改变" in body["next"]
    status, body = posted(wang, {"category": "dining", "turn": 1})
    assert (status, body["ticket"], body["repeated"]) == (200, 0, False)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"category": 3}', b'{"category":"dining","turn":0}', b"\xff\xfe"]
)
def test_nonsense_is_refused_in_words(county, wang, body):
    status, answer = posted(wang, body)
    assert (status, answer["code"]) == (400, "bad_input")


def test_a_request_from_elsewhere_or_from_nobody_is_refused(county, wang):
    body = {"category": "dining", "turn": 1}
    assert posted(wang, body, **{"X-Requested-With": ""})[1]["code"] == "forbidden"
    assert posted(wang, body, Cookie="")[1]["code"] == "not_bound"
    assert posted(wang, body, Cookie=f"{consumers.COOKIE}=c.1.1.forged")[1]["code"] == "not_bound"


def test_the_answer_is_the_rush_paths_and_the_apis_alike(county, wang, client):
    status, body = posted(wang, {"category": "dining", "turn": 1})
    client.cookies[consumers.COOKIE] = consumers.cookie_of(wang)
    answer = client.post(
        rush.PATH, {"category": "dining", "turn": 1}, "application/json", headers={"X-Requested-With": "huigou"}
    )
    assert (status, answer.status_code) == (200, 200)
    assert {**answer.json(), "repeated": False} == body
    by_address = client.post(f"{rush.PATH}?category=dining&turn=1", headers={"X-Requested-With": "huigou"})
    assert by_address.json() == answer.json()
    assert body["face_fen"] == cards_of(factories.deck_of(county))[body["ticket"]]


@pytest.mark.parametrize("way", ["ahead of Django", "the API's"])
def test_a_route_that_is_older_than_its_rounds_end_is_looked_up_again(county, wang, at, client, monkeypatch, way):
    """The last second's route leads to the deck that has just closed; the draw goes to the one that is open now."""

    def turned() -> dict:
        if way == "ahead of Django":
            return posted(wang, {"category": "dining", "turn": 1})[1]
        return client.post(f"{rush.PATH}?category=dining&turn=1", headers={"X-Requested-With": "huigou"}).json()

    client.cookies[consumers.COOKIE] = consumers.cookie_of(wang)
    _, second = county.rounds
    at(second.opens_at - dt.timedelta(milliseconds=1))
    route = (time.monotonic(), factories.deck_of(county).pk)
    at(second.opens_at)
    monkeypatch.setattr(rush, "ROUTE_LIFE_S", 60.0)
    rush._routes["dining"] = route
    assert turned()["deck"] == Deck.objects.get(round=second).pk
    with mock.patch.object(rush, "_look_again", side_effect=NOT_BOUND()):  # the control: no second look
        rush._routes["dining"] = route
        assert turned()["code"] == "not_bound"
