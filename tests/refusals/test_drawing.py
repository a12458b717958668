"""What a draw is refused for, in its order, through the address that the wheel's script posts to."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from unittest import mock

import pytest
from django.test import Client

from coupons import consumers, drawing, funding, lifecycle, pausing, rush, waiting
from coupons.errors import (
    ALREADY_WON,
    BAD_TURN,
    CATEGORY_INACTIVE,
    EXCLUDED,
    NO_CATEGORY,
    NO_ROUND,
    NOT_BOUND,
    PLACE_NEEDED,
    ROUND_NOT_OPEN,
    ROUND_OVER,
    ROUND_PAUSED,
    ROUND_POSTPONED,
    SOLD_OUT,
    TURNS_USED,
    WRONG_MODE,
)
from coupons.models import Campaign, Category, Consumer, Exclusion, Freeze, Round
from huigou import clock
from huigou.errors import FROZEN, Reason
from tests import factories
from tests.redemption.ground import drawn_here
from tests.refusals.unchanged import nothing_changed, refused, to_a_script

pytestmark = pytest.mark.django_db


@dataclass
class Scene:
    """Somebody about to turn the wheel, and all that can be wrong about it."""

    county: factories.County
    consumer: Consumer
    at: Callable[[object], object]
    turn: int = 1
    category: str = "dining"

    def post(self):  # type: ignore[no-untyped-def]
        rush._routes.clear()
        drawing.forget()
        phone = Client(headers={"X-Requested-With": "huigou"})
        phone.cookies[consumers.COOKIE] = consumers.cookie_of(self.consumer)
        body = json.dumps({"category": self.category, "turn": self.turn})
        return phone.post("/api/v1/draws", body, "application/json")


@pytest.fixture(autouse=True)
def _on_the_tests_own_connection():  # type: ignore[no-untyped-def]
    """The real writer, uncommitted, on the test's connection, which the request may therefore not close."""
    with (
        mock.patch.object(drawing, "draw", drawn_here),
        mock.patch.object(rush, "close_old_connections"),
        mock.patch.object(waiting, "close_old_connections"),
    ):
        yield


@pytest.fixture
def scene(at) -> Scene:  # type: ignore[no-untyped-def]
    """A deck of two coupons and two turns a person."""
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 4}, rounds=2, launched=False, place_policy="required")
    Category.objects.update(turns=3)
    bureau = factories.a_staff("industry")
    factories.agreed(funding.propose_fund(county.campaign, maker=bureau, reason="按方案拨入"))
    factories.agreed(funding.propose_launch(county.campaign, maker=bureau, reason="方案核对完毕"))
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    return Scene(county, factories.a_consumer("王小明", place="inside"), at)


def unbound(scene: Scene) -> None:
    consumers.unbind(scene.consumer)


def over(scene: Scene) -> None:
    scene.at("2022-06-30 00:00")


def red(scene: Scene) -> None:
    Freeze.objects.create(campaign=scene.county.campaign, findings=[], frozen_at=clock.now())


def paused(scene: Scene) -> None:
    pausing.pause_round(scene.county.rounds[0].pk, "停电检修")


def excluded(scene: Scene) -> None:
    consumers.exclude(scene.consumer.person.phone, Exclusion.Source.STAFF, "本局人员")


def nowhere(scene: Scene) -> None:
    Consumer.objects.filter(pk=scene.consumer.pk).update(place="")


def won(scene: Scene) -> None:
    deck = factories.deck_of(scene.county)
    drawn_here(drawing.Ask(deck.pk, scene.consumer.pk, turn=1))
    scene.turn = max(scene.turn, 2)


def wrong_turn(scene: Scene) -> None:
    scene.turn = 3


def emptied(scene: Scene) -> None:
    deck = factories.deck_of(scene.county)
    while deck.next_ticket < deck.size:
        drawn_here(drawing.Ask(deck.pk, factories.a_consumer(place="inside").pk, turn=1))
        deck.refresh_from_db()


# What is wrong, in the order in which it is said. The sooner of two that are both true is what the person reads.
ORDER: list[tuple[Reason, Callable[[Scene], None]]] = [
    (NOT_BOUND, unbound),
    (FROZEN, red),
    (ROUND_PAUSED, paused),
    (EXCLUDED, excluded),
    (PLACE_NEEDED, nowhere),
    (ALREADY_WON, won),
    (BAD_TURN, wrong_turn),
    (SOLD_OUT, emptied),
]
FIRST = [won, emptied]
PARAMS = {
    FROZEN: {"what": "抽奖"},
    ROUND_PAUSED: {"notice": "停电检修"},
    PLACE_NEEDED: {"county": "乾安县"},
    SOLD_OUT: {"category": "餐饮", "next_round": "第2轮将于6月30日09:00开始，请届时再来"},
}
PAIRS = [pytest.param(a, b, id=f"{a[0].code}-before-{b[0].code}") for a, b in itertools.combinations(ORDER, 2)]


@pytest.mark.parametrize(("reason", "spoil"), ORDER, ids=[reason.code for reason, _ in ORDER])
def test_each_thing_that_is_wrong_is_said(scene, reason, spoil):
    spoil(scene)
    to_a_script(scene.post, reason, **PARAMS.get(reason, {}))


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_of_two_things_the_sooner_is_said(scene, first, second):
    deeds = [first[1], second[1]]
    for deed in sorted(deeds, key=lambda deed: deed not in FIRST):
        deed(scene)
    with nothing_changed():
        assert scene.post().json()["code"] == first[0].code


def test_a_dealt_round_is_over_by_the_clock_before_anything_else_is_asked(scene):
    """The route a second old leads to a deck whose round has just ended: the draw's own look at the clock decides."""
    deck = factories.deck_of(scene.county)
    red(scene)
    paused(scene)
    over(scene)
    with refused(ROUND_OVER):
        drawn_here(drawing.Ask(deck.pk, scene.consumer.pk, turn=1))
    scene.at("2022-06-25 08:59")
    with refused(ROUND_NOT_OPEN):
        drawn_here(drawing.Ask(deck.pk, scene.consumer.pk, turn=1))


# ---- what leads to no deck, in its order: campaign, category, window, deck


def no_campaign(scene: Scene) -> None:
    Campaign.objects.update(launched_at=None)


def unknown(scene: Scene) -> None:
    scene.category = "cars"


def inactive(scene: Scene) -> None:
    Category.objects.update(is_active=False)


def postponed(scene: Scene) -> None:
    scene.at("2022-06-24 20:00")
    Round.objects.filter(number=1).update(postponed_notice="份额未交齐，延期两天")


def early(scene: Scene) -> None:
    scene.at("2022-06-24 20:00")


def all_over(scene: Scene) -> None:
    scene.at("2022-07-05 00:00")


ROUTES = [
    (NO_ROUND, no_campaign, {}),
    (NO_CATEGORY, unknown, {}),
    (CATEGORY_INACTIVE, inactive, {"category": "餐饮"}),
    (ROUND_POSTPONED, postponed, {"notice": "份额未交齐，延期两天"}),
    (ROUND_NOT_OPEN, early, {"number": 1, "opens": "6月25日09:00"}),
    (ROUND_OVER, all_over, {"number": 2, "closes": "7月4日24:00"}),
]


@pytest.mark.parametrize(("reason", "spoil", "params"), ROUTES, ids=[row[0].code for row in ROUTES])
def test_where_there_is_no_deck_it_says_why(at, reason, spoil, params):
    at("2022-06-24 12:00")
    county = factories.a_county()
    at("2022-06-25 09:05")
    scene = Scene(county, factories.a_consumer("王小明"), at)
    spoil(scene)
    to_a_script(scene.post, reason, **params)
    for later, deed, _ in ROUTES[[row[0] for row in ROUTES].index(reason) + 1 :]:
        if {reason, later} & {ROUND_POSTPONED, ROUND_NOT_OPEN} and later in (ROUND_NOT_OPEN, ROUND_OVER):
            continue  # a clock shows one time
        deed(scene)
        assert scene.post().json()["code"] == reason.code


def test_the_home_page_and_the_line_say_that_there_is_no_round(at, db):
    at("2022-06-25 09:05")
    county = factories.a_county(launched=False)
    scene = Scene(county, factories.a_consumer("王小明"), at)
    phone = Client(headers={"X-Requested-With": "huigou"})
    phone.cookies[consumers.COOKIE] = consumers.cookie_of(scene.consumer)
    for path in ("/api/v1/home", "/api/v1/queue"):
        to_a_script(lambda path=path: phone.get(path), NO_ROUND)


def test_turns_that_are_used_up_are_said(at):
    """A deck of blanks: two turns, two thanks, and a third is refused."""
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 2}, rounds=1, launched=False)
    Category.objects.update(turns=2, blanks=200)
    bureau = factories.a_staff("industry")
    factories.agreed(funding.propose_fund(county.campaign, maker=bureau, reason="按方案拨入"))
    factories.agreed(funding.propose_launch(county.campaign, maker=bureau, reason="方案核对完毕"))
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    scene = Scene(county, _who_wins_nothing(county), at, turn=3)
    to_a_script(scene.post, TURNS_USED)


def _who_wins_nothing(county: factories.County) -> Consumer:
    deck = factories.deck_of(county)
    while True:
        somebody = factories.a_consumer()
        asks = (drawing.Ask(deck.pk, somebody.pk, turn=turn) for turn in (1, 2))
        if all(drawn_here(ask).face_fen == 0 for ask in asks):
            return somebody


def test_a_wheel_is_not_turned_where_people_register(at):
    at("2022-06-25 08:30")
    county = factories.a_county(draw_mode="lottery")
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    scene = Scene(county, factories.a_consumer("王小明"), at)
    to_a_script(scene.post, WRONG_MODE, mode="报名摇号")
    # It is the first thing said: the round may be over, paused or red as well.
    paused(scene)
    red(scene)
    assert scene.post().json()["code"] == "wrong_mode"


def test_whoever_won_is_told_so_again_after_the_end(scene):
    """An answer that was given stands: the same turn gets it whatever stops new draws."""
    won(scene)
    scene.turn = 1
    red(scene)
    paused(scene)
    with nothing_changed():
        answer = scene.post()
    assert (answer.status_code, answer.json()["repeated"]) == (200, True)
