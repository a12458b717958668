"""Every page of /m/, /shop/ and /public/ in the states that people meet it, for pictures, axe and Lighthouse alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.template.loader import render_to_string

from coupons import codes, consumers, lifecycle, lottery, waiting
from coupons.models import Batch, Campaign, Category, Consumer, Coupon, Deck, Notice
from huigou import clock
from merchants import binding
from merchants.models import Clerk, Merchant, Outlet
from tests import factories
from tests.factories import County


@dataclass(frozen=True)
class Shown:
    """One page: its name in pictures and figures, its address, who opens it, and the status it answers with."""

    name: str
    path: str | Callable[[], str]
    who: Consumer | Clerk | None = None
    status: int = 200

    def address(self) -> str:
        """Return the address, made anew where it lives for a minute only."""
        return self.path if isinstance(self.path, str) else self.path()

    def cookie(self) -> tuple[str, str] | None:
        """Return the cookie of whoever opens the page."""
        if self.who is None:
            return None
        module: Any = consumers if isinstance(self.who, Consumer) else binding
        return module.COOKIE, module.cookie_of(self.who)


def county_of(campaign: Campaign) -> County:
    """Return what the factories need of a campaign that stands in the database."""
    categories = {row.code: row for row in Category.objects.filter(campaign=campaign)}
    batches = Batch.objects.filter(category__campaign=campaign).select_related("category")
    by_face = {(row.category.code, row.face_fen // 100): row for row in batches}
    return County(campaign, categories, by_face, list(campaign.rounds.order_by("number")))


@dataclass(frozen=True)
class Cast:
    """Who and what the pages are about: a citizen with a coupon in each state, a shop with an owner and a clerk."""

    county: County
    citizen: Consumer
    held: Coupon
    pending: Coupon
    used: Coupon
    owner: Clerk
    scan_id: int
    done_id: int
    notice: Notice


def cast(county: County) -> Cast:
    """Let people bind, draw and spend through the real verbs; the first round is open and has lodging, dining, fuel."""
    shop = factories.a_merchant(
        county,
        name="示例火锅店",
        address="乾安县宇宙大街 168 号（虚构）",
        phone="0438-0000168",
        offer="凭消费券另送凉菜一份",
    )
    place = shop.outlets.get()
    Outlet.objects.filter(pk=place.pk).update(
        name="示例火锅店 宇宙店", address=shop.address, hours="10:00–21:30", latitude=45.01, longitude=124.02
    )
    Outlet.objects.create(
        merchant=shop, name="示例火锅店 站前店", address="乾安县站前路 9 号（虚构）", hours="09:30–22:00"
    )
    place.refresh_from_db()
    owner = factories.a_clerk(place, "李店主", is_owner=True)
    clerk = factories.a_clerk(place, "孙店员")
    reason = "未按承诺明码标价，整改期间不参加"
    factories.a_merchant(county, name="示例整改商行", state=Merchant.State.SUSPENDED, state_reason=reason)
    citizen, other = (factories.a_consumer(name, place=Consumer.Place.INSIDE) for name in ("王小明", "赵生"))
    drawn = factories.drawn(county, citizen, "fuel")  # which face it is nobody knows beforehand
    done = factories.used(drawn, clerk, drawn.face_fen * drawn.round.campaign.multiplier + 6_680)
    waiting = factories.scanned(factories.drawn(county, other, "dining"), owner)
    return Cast(
        county=county,
        citizen=citizen,
        held=factories.drawn(county, citizen, "dining"),
        pending=waiting.coupon,
        used=done.coupon,
        owner=owner,
        scan_id=waiting.pk,
        done_id=done.pk,
        notice=Notice.objects.filter(campaign=county.campaign).first() or a_notice(county.campaign),
    )


def a_notice(campaign: Campaign) -> Notice:
    """Return a published announcement."""
    text = "第一轮消费券今天上午 9:00 开抽。\n\n抽到以后五天内有效，请到“适用商家”消费使用。"
    return Notice.objects.create(campaign=campaign, title="第一轮开抽", body=text, shown_from=clock.now())


def consumers_pages(on: Cast) -> list[Shown]:
    """Return what citizens open, bound and not; the sold-out and paused states come from their own tests."""
    me, other = on.citizen, on.pending.holder
    return [
        Shown("m-home", "/m/"),
        Shown("m-home-bound", "/m/", me),
        Shown("m-bind", "/m/bind"),
        Shown("m-place", "/m/place", me),
        Shown("m-draw-unbound", "/m/draw/lodging"),
        Shown("m-draw", "/m/draw/lodging", me),
        Shown("m-draw-done", "/m/draw/dining", me),
        Shown("m-coupons", "/m/coupons", me),
        Shown("m-coupons-empty", "/m/coupons", factories.a_consumer("钱来")),
        Shown("m-coupon", f"/m/coupons/{on.held.pk}", me),
        Shown("m-coupon-pending", f"/m/coupons/{on.pending.pk}", other),
        Shown("m-coupon-used", f"/m/coupons/{on.used.pk}", me),
        Shown("m-merchants", "/m/merchants"),
        Shown("m-merchants-category", "/m/merchants?category=dining", me),
        Shown("m-rules", "/m/rules"),
        Shown("m-notices", "/m/notices"),
        Shown("m-notice", f"/m/notices/{on.notice.pk}"),
        Shown("m-privacy", "/m/privacy", me),
        Shown("m-privacy-unbound", "/m/privacy"),
        Shown("m-problem", f"/m/problem?coupon={on.used.pk}", me),
        Shown("m-problem-unbound", "/m/problem"),
    ]


def clerks_pages(on: Cast) -> list[Shown]:
    """Return what clerks open, and what a stranger sees who opens a coupon's link."""

    def link(of: Coupon, minutes_ago: int = 0) -> Callable[[], str]:
        ago = dt.timedelta(minutes=minutes_ago)
        return lambda: f"/shop/c/{codes.show(of.pk, clock.now() - ago).token}"

    return [
        Shown("shop-bind", "/shop/bind"),
        Shown("shop-scan", "/shop/scan", on.owner),
        Shown("shop-coupon", link(on.held), on.owner),
        Shown("shop-coupon-stranger", link(on.held)),
        Shown("shop-entry", f"/shop/redemptions/{on.scan_id}", on.owner),
        Shown("shop-done", f"/shop/redemptions/{on.done_id}/done", on.owner),
        Shown("shop-redemptions", "/shop/redemptions", on.owner),
        Shown("shop-clerks", "/shop/clerks", on.owner),
        Shown("shop-me", "/shop/me", on.owner),
        Shown("shop-refused-stale", link(on.held, 5), on.owner, 409),
        Shown("shop-refused-used", link(on.used), on.owner, 409),
    ]


def public_pages(on: Cast) -> list[Shown]:
    """Return what anybody reads about the draws."""
    first, second = on.county.rounds[0].number, on.county.rounds[1].number
    return [
        Shown("public", "/public/"),
        Shown("public-round", f"/public/rounds/{first}/"),
        Shown("public-log", f"/public/rounds/{first}/?deck=dining"),
        Shown("public-round-ahead", f"/public/rounds/{second}/"),
        Shown("public-verify", "/public/verify"),
    ]


def first_day(on: Cast) -> list[Shown]:
    """Return everything that stands while the first round is open."""
    return [*consumers_pages(on), *clerks_pages(on), *public_pages(on)]


IN_FRONT = 9_412  # people who came before the one who looks at the waiting room


@contextmanager
def rush(on: Cast) -> Iterator[list[Shown]]:
    """Let more people stand in line than can be served; yield what the next one sees, and clear the line again."""
    with crowd(on.county.rounds[0].pk):
        yield [Shown("m-wait", "/m/wait?next=/m/draw/lodging", factories.a_consumer("孙晚"))]


@contextmanager
def crowd(round_id: int) -> Iterator[None]:
    """Let a round's line be long and its door shut for an hour: a place read once is the place in the picture."""
    line, second = redis.Redis.from_url(settings.REDIS_URL), 1_000_000
    names = [f"wait:{round_id}:{part}" for part in ("line", "state")]
    line.zadd(names[0], {f"-{n}": n for n in range(1, IN_FRONT + 1)})
    line.hset(names[1], mapping={"tokens": 0, "at": (int(line.time()[0]) + 3600) * second})
    try:
        yield
    finally:
        line.delete(*names)
        waiting.forget()


def before_the_next_opening(on: Cast) -> list[Shown]:
    """Return what changes in the minutes before the second round opens: countdowns, expired coupons."""
    return [
        Shown("m-home-before", "/m/", on.citizen),
        Shown("m-draw-before", "/m/draw/dining", on.citizen),
        Shown("m-coupons-past", "/m/coupons", on.citizen),
        Shown("m-coupon-expired", f"/m/coupons/{on.held.pk}", on.citizen),
    ]


def joint_draw(on: Cast, move: Callable[[dt.datetime], object]) -> Iterator[list[Shown]]:
    """Let the second round be drawn by lots (报名摇号); yield the pages before, during and after the registration."""
    round_, address = on.county.rounds[1], "/m/register/lodging"
    Campaign.objects.filter(pk=on.county.campaign.pk).update(draw_mode=Campaign.DrawMode.LOTTERY)
    lifecycle.ensure_dealt(round_.pk)
    deck = Deck.objects.select_related("round").get(round=round_, category__code="lodging")
    people = [on.citizen, *(factories.a_consumer(f"报名{n}", place=Consumer.Place.INSIDE) for n in range(6))]
    yield [Shown("m-register-before", address, on.citizen)]
    move(round_.opens_at + dt.timedelta(minutes=2))
    for person in people[1:]:
        lottery.register(person, deck)
    lottery.register(on.citizen, Deck.objects.select_related("round").get(round=round_, category__code="dining"))
    yield [
        Shown("m-register-unbound", address),
        Shown("m-register", address, on.citizen),
        Shown("m-register-done", address, people[1]),
    ]
    lottery.register(on.citizen, deck)
    move(lottery.ends_at(round_) + dt.timedelta(minutes=1))
    lottery.joint_draw(deck)
    results = {person: lottery.result_of(person, deck) for person in people}
    won = next(person for person, draw in results.items() if draw and draw.face_fen)
    without = next((person for person, draw in results.items() if draw is None), None)
    yield [
        Shown("m-register-won", address, won),
        Shown("m-register-over", address),
        *([Shown("m-register-lost", address, without)] if without else []),  # a large deck has a ticket for everybody
    ]
    move(round_.closes_at + dt.timedelta(minutes=1))
    yield [
        Shown("m-register-missed", "/m/register/dining", on.citizen),
        Shown("public-round-missed", f"/public/rounds/{round_.number}/"),
    ]
    Campaign.objects.filter(pk=on.county.campaign.pk).update(draw_mode=Campaign.DrawMode.WHEEL)


def after_the_end(on: Cast) -> list[Shown]:
    """Return what says that it is over."""
    return [
        Shown("m-home-over", "/m/", on.citizen),
        Shown("m-draw-over", "/m/draw/dining", on.citizen),
        Shown("public-over", "/public/"),
    ]


def acts(on: Cast, move: Callable[[dt.datetime], object]) -> Iterator[list[Shown]]:
    """Return the pages of each moment after ``move`` has set the platform's clock to it."""
    rounds = on.county.rounds
    yield first_day(on)
    with rush(on) as crowded:
        yield crowded
    move(rounds[1].opens_at - dt.timedelta(minutes=8))
    yield before_the_next_opening(on)
    yield from joint_draw(on, move)
    move(rounds[-1].closes_at + dt.timedelta(hours=1))
    yield after_the_end(on)


ERRORS = ("400", "403", "404", "500", "503", "csrf", "lockout", "refusal")


def error_page(name: str) -> str:
    """Return the text of a page of errors, as the middleware and the handlers render it."""
    return render_to_string(f"errors/{name}.html")
