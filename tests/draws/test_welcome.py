"""The home page that is answered ahead of Django says what Django's own says, to each person the own."""

from __future__ import annotations

import asyncio
import io
import re
import time
from typing import NamedTuple
from unittest import mock

import pytest
from django.core.wsgi import get_wsgi_application

from coupons import consumers, drawing, lifecycle, welcome
from coupons.models import Campaign, Consumer
from huigou.serving import environ_of
from tests import ahead as ahead_of
from tests import factories
from tests.rsgi import Headers, Scope

pytestmark = pytest.mark.django_db(transaction=True)

TIME = re.compile(r'data-now="\d+"')


def asked(application, cookie: str = "", query: str = ""):
    """Return page and headers, of Django itself or of the site that answers ahead of it."""
    headers = {"Cookie": cookie} if cookie else {}
    if isinstance(application, Ahead):
        answer = ahead_of.asked(application.django, "GET", "/m/", headers, query_string=query)
    else:
        scope, told = Scope("GET", "/m/", Headers({"Host": "testserver", **headers}), query), {}
        parts = application(environ_of(scope, io.BytesIO()), lambda *said: told.update(status=said[0], headers=said[1]))
        answer = ahead_of.Answer(int(told["status"][:3]), told["headers"], b"".join(parts))
        parts.close()
    assert answer.status == 200
    return answer.body.decode(), sorted(header for header in answer.headers if header[0] != "Content-Length")


class Ahead(NamedTuple):
    """The site that has the first word before ``django``."""

    django: Counted


class Counted:
    """Django, counting how often it was asked."""

    def __init__(self) -> None:
        self.inner, self.calls = get_wsgi_application(), 0

    def __call__(self, environ, start):
        self.calls += 1
        return self.inner(environ, start)


@pytest.fixture
def django() -> Counted:
    return Counted()


@pytest.fixture
def ahead(django):
    return Ahead(django)


def cookie_of(consumer: Consumer) -> str:
    return f"{consumers.COOKIE}={consumers.cookie_of(consumer)}"


def same(ahead, django, cookie: str) -> str:
    """Say that both give the same page and headers, and return the page."""
    theirs, their_headers = asked(django, cookie)
    ours, our_headers = asked(ahead, cookie)
    assert TIME.sub("", ours) == TIME.sub("", theirs)
    assert our_headers == their_headers
    assert "\ue000" not in ours
    return ours


@pytest.fixture
def county(at):
    at("2022-06-25 08:30")
    made = factories.a_county({("dining", 100): 40, ("fuel", 50): 40, ("book", 20): 2})
    made.categories["book"].blanks = 60
    made.categories["book"].save()
    lifecycle.deal(made.rounds[0].pk)
    at("2022-06-25 09:05")
    return made


def test_everybody_gets_what_django_would_give(county, ahead, django):
    wang, zhao, sun, winner, loser = [factories.a_consumer(name) for name in ("王小明", "赵生", "孙一", "李四", "周五")]
    factories.drawn(county, winner, "dining")
    factories.drawn(county, winner, "fuel")
    coupon = factories.drawn(county, zhao, "dining")
    factories.used(coupon, factories.a_clerk(factories.a_merchant(county)))
    drawing.draw(drawing.Ask(factories.deck_of(county, "book").pk, loser.pk, turn=1))
    pages = {name: same(ahead, django, cookie) for name, cookie in {
        "nobody": "", "large": "large=1", "wang": cookie_of(wang), "sun": cookie_of(sun), "zhao": cookie_of(zhao),
        "winner": cookie_of(winner), "loser": f"large=1; {cookie_of(loser)}",
    }.items()}  # fmt: skip
    assert "去绑定" in pages["nobody"]
    assert "data-large" in pages["large"]
    for name, shown in {"wang": "王**", "sun": "孙*", "zhao": "赵*", "winner": "李*", "loser": "周*"}.items():
        assert f"<b>{shown}</b>" in pages[name]
    assert pages["wang"].replace("王**", "孙*") == TIME.sub(lambda _: TIME.search(pages["wang"]).group(), pages["sun"])
    assert f"/m/coupons/{coupon.pk}" in pages["zhao"]
    assert f"/m/coupons/{coupon.pk}" not in pages["winner"]


def test_a_page_is_rendered_once_for_all_who_stand_alike(county, ahead, django):
    people = [factories.a_consumer(f"王{n}明") for n in "一二三四五六七八九十"]
    with mock.patch.object(welcome.Page, "until", float("inf")):
        for consumer in people * 3:
            assert "王**" in asked(ahead, cookie_of(consumer))[0]
        assert django.calls == 2  # nobody's, and the one of people without a coupon
        factories.drawn(county, people[0], "dining")
        assert "看消费券" in asked(ahead, cookie_of(people[0]))[0]
        assert "看消费券" not in asked(ahead, cookie_of(people[1]))[0]


def test_many_at_once_each_get_the_own(county, ahead):
    people = [factories.a_consumer(f"{name}小明") for name in "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"]
    coupons = {consumer.pk: factories.drawn(county, consumer, "dining").pk for consumer in people[::2]}

    async def all_look(ask):
        return await asyncio.gather(*[ask("GET", "/m/", {"Cookie": cookie_of(consumer)}) for consumer in people * 10])

    for consumer, answer in zip(people * 10, ahead_of.asking(ahead.django, 4, all_look), strict=True):
        page = answer.body.decode()
        assert f"<b>{consumer.person.masked_name}</b>" in page
        own = coupons.get(consumer.pk)
        assert set(re.findall(r"/m/coupons/(\d+)", page)) == ({str(own)} if own else set())


def test_a_page_ends_with_the_platforms_second(county, ahead, django, at):
    at("2022-06-25 08:59:59.700")
    before, _ = asked(ahead)
    assert 'data-phase="before"' in before
    [page] = [page for site in welcome._sites.values() for page in site.pages.values()]
    assert page.until - page.born == pytest.approx(0.3)
    at("2022-06-25 09:00")
    time.sleep(0.31)
    assert 'data-phase="open"' in asked(ahead)[0]


def test_the_servers_time_runs_on_in_a_kept_page(county, ahead):
    with mock.patch.object(welcome.Page, "until", float("inf")):
        first = int(TIME.search(asked(ahead)[0]).group()[10:-1])
        time.sleep(0.25)
        assert 200 <= int(TIME.search(asked(ahead)[0]).group()[10:-1]) - first <= 600


def test_who_is_bound_no_more_is_nobody(county, ahead, django, wang):
    Consumer.objects.filter(pk=wang.pk).update(session_version=2)
    assert "去绑定" in same(ahead, django, cookie_of(wang))
    assert "去绑定" in same(ahead, django, f"{consumers.COOKIE}=c.{wang.pk}.2.forged")


@pytest.mark.parametrize("more", [{"cookie": "messages=x"}, {"query": "x=1"}])
def test_what_is_not_the_plain_page_is_djangos(county, ahead, django, more):
    with (
        mock.patch.object(welcome, "_kept", side_effect=AssertionError)
        if "query" in more
        else mock.patch("coupons.welcome._page", side_effect=AssertionError)
    ):
        asked(ahead, **more)
    assert django.calls == 1


def test_a_fault_here_is_no_fault_of_the_page(county, ahead, django, wang, caplog):
    with mock.patch.object(welcome.People, "_look", side_effect=ZeroDivisionError):
        assert "王**" in asked(ahead, cookie_of(wang))[0]
    assert "the kept home page failed" in caplog.text


def test_somebody_who_draws_meanwhile_spoils_nobodys_page(county, ahead, django, wang, zhao):
    """A draw between the look and the page makes it another kind of page, which is not kept."""
    asked(ahead)
    real, done = welcome._render, []

    def render(*args, **more):
        if more["is_bound"] and not done:
            done.append(factories.drawn(county, wang, "dining"))
        return real(*args, **more)

    with mock.patch.object(welcome, "_render", render), mock.patch.object(welcome.Page, "until", float("inf")):
        assert f"/m/coupons/{(asked(ahead, cookie_of(wang))[0], done)[1][0].pk}" in asked(ahead, cookie_of(wang))[0]
        assert "看消费券" not in asked(ahead, cookie_of(zhao))[0]


def test_before_a_campaign_the_page_says_so(transactional_db, ahead, django):
    assert not Campaign.objects.exists()
    assert TIME.sub("", asked(ahead)[0]) == TIME.sub("", asked(django)[0])
