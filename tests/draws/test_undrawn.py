"""A joint draw that nobody held in time: the value lapses with the round, and the pages say that it was not drawn."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client

from coupons import consumers, ledger, lifecycle, lottery, pausing, tasks
from coupons.desk import Rounds
from coupons.drawing.facts import facts_of
from coupons.errors import ROUND_OVER
from coupons.models import Coupon, Draw, Transfer
from huigou import clock
from reports import reconcile
from tests import factories
from tests.draws.helpers import refused, take_away, verified, whole
from tests.draws.test_lottery import order_of

pytestmark = pytest.mark.django_db(transaction=True)
STOCK = {("dining", 100): 16, ("fuel", 50): 20, ("book", 20): 10}
STEP = 3
DINING = "未开奖：报名 12 人，本轮结束前没有摇号，8 张奖票作废，金额已退回奖池。"
FUEL = "未开完：报名 12 人，本轮结束前只摇出 3 张，其余 7 张奖票作废，金额已退回奖池。"
WORDS = re.compile(r"\w*(?:未开奖|未开完)")


def text_of(path: str, phone: Client | None = None) -> str:
    response = (phone or Client()).get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def told(now: dt.datetime) -> tuple[str, str]:
    """Return the first round's state and its tone as the bureau's list tells them."""
    listing = Rounds.open({}, now)
    state = next(column for column in listing.columns if column.heading == "状态")
    row = listing.page(1).object_list[0]
    return state.value(row), state.tone(row)


def test_what_was_not_drawn_lapses_to_the_pool_and_the_pages_say_so(at, tmp_path, settings):
    """Nobody is at work from the end of the registration to the round's; of fuel the first step had been drawn."""
    settings.VAR_DIR = tmp_path
    at("2022-06-25 08:30")
    county = factories.a_county(STOCK, draw_mode="lottery")
    campaign, pool = county.campaign, ledger.pool_fen(county.campaign.pk)
    tasks.sweep()
    dining, fuel = (factories.deck_of(county, code) for code in ("dining", "fuel"))
    at("2022-06-25 09:05")
    people = factories.some_consumers(12)
    for deck in (dining, fuel):  # nobody wants a book
        for one in people:
            lottery.register(one, deck)
    assert told(clock.now()) == ("进行中", "good")  # people may still register
    ended = at("2022-06-25 09:10")
    assert told(ended) == ("待摇号", "wait")
    lottery.fix_list(fuel)
    lottery._step(facts_of(fuel.pk), order_of(fuel), STEP)
    assert told(ended) == ("待摇号", "wait")
    pausing.pause_round(county.rounds[0].pk, "系统维护")  # no sweep and no visitor can draw on
    assert lottery.draw_due() == 0
    assert told(ended) == ("已暂停，待摇号", "bad")
    assert lottery.undrawn(campaign, at("2022-06-29 23:59:59.999999")) == {}
    assert not WORDS.search(text_of("/public/") + text_of("/public/rounds/1/"))

    over = at("2022-06-30 00:00")
    with refused(ROUND_OVER):  # before any sweep: whoever comes now draws no more
        lottery.joint_draw(dining)
    assert lottery.undrawn(campaign, over) == {dining.pk: (12, 0, 8), fuel.pk: (12, STEP, 7)}
    assert told(over) == ("已暂停，餐饮未开奖、加油站未开完", "bad")
    pausing.resume_round(county.rounds[0].pk)
    assert told(over) == ("已结束，待入账，餐饮未开奖、加油站未开完", "bad")
    assert tasks.sweep()["booked"] == 1
    assert lottery.undrawn(campaign, over) == {dining.pk: (12, 0, 8), fuel.pk: (12, STEP, 7)}
    assert (Draw.objects.filter(deck=dining).count(), whole(fuel)) == (0, STEP)
    assert ledger.pool_fen(campaign.pk) == pool  # every fen, the three that were drawn and not used with it
    assert Transfer.objects.filter(code="undrawn").count() == 3
    assert reconcile.check(campaign).findings == []
    assert told(over) == ("已入账，餐饮未开奖、加油站未开完", "bad")

    shown = text_of("/public/rounds/1/")
    assert (DINING in shown, FUEL in shown, len(WORDS.findall(shown))) == (True, True, 2)
    assert WORDS.findall(text_of("/public/")) == ["餐饮未开奖", "加油站未开完"]
    phone = Client()
    phone.cookies[consumers.COOKIE] = consumers.cookie_of(people[0])
    assert f"第 1 轮{DINING}请报名这一轮" in text_of("/m/register/dining", phone)
    assert not WORDS.search(text_of("/m/register/book", phone))
    # The published file says the same: the lists are signed, and two draws are not complete. Nobody wanted a book.
    assert {(f.code, f.deck.rpartition("/")[2]) for f in verified(*take_away(Client()))} == {
        ("lottery-incomplete", "dining"),
        ("lottery-incomplete", "fuel"),
    }

    at(county.rounds[1].opens_at)
    lifecycle.sweep()
    again = factories.deck_of(county, "dining", 2)
    assert again.size == 16  # what lapsed is there to be drawn
    for one in people:
        lottery.register(one, again)
    ended = at(lottery.ends_at(again.round))
    assert lottery.awaited(campaign, ended) == {again.pk: (12, 0, 12)}
    assert lottery.draw_due() == 12
    assert lottery.awaited(campaign, ended) == {}
    assert Coupon.objects.filter(draw__deck=again).count() == 12
    over = at(county.rounds[1].closes_at)
    assert again.pk not in lottery.undrawn(campaign, over)
    assert "感谢参与" in text_of("/m/register/dining", phone)
