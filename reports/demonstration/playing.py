"""The first day: people bind before 9:00, draw when it opens, and spend through the day; a few things go wrong.

One queue of deeds in the order of time. A draw puts its use into the queue, a scan its entry, so that the clock is
only ever set forwards and every row stands after what caused it.
"""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
import random
import uuid
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from coupons import assisting, drawing, publishing
from coupons.codes import Presented
from coupons.drawing import batcher
from coupons.ledger import Actor
from coupons.models import Assist, Campaign, Category, Consumer, Coupon, Deck
from coupons.models.books import ActorKind
from coupons.plan.draft import Place, PlanMerchant
from huigou import clock
from huigou.errors import Refusal
from huigou.models import Department, Staff
from merchants import complaints, conduct, redemption, reversal
from merchants.listing import load_merchants
from merchants.models import Clerk, Merchant, Outlet, Redemption
from reports.demonstration import people
from reports.demonstration.bringing_up import letter
from reports.rehearsal.behaviour import SPENT_PERCENT, USUAL_PERCENT
from reports.rehearsal.counters import kind_for

SEED = 20220622  # the plan's own date; the same people on every machine
SHOPS_OPEN, SHOPS_CLOSE = 9, 21  # o'clock
STILL_AT_THE_COUNTER = dt.timedelta(minutes=12)  # scanned so shortly ago that some entries are still missing
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
NOTES = ("", "", "", "消费券抵扣，余款微信付", "生日聚餐", "会员再打九折", "老顾客", "开票已给")
# Shops with a bad record bear no real firm's name.
WITH_A_RECORD = (("示例饭庄（虚构）", "dining"), ("示例书屋（虚构）", "book"))
Deed = Callable[[dt.datetime], object]


class Day:
    """A queue of deeds; ``run`` sets the clock to each one's moment and does it, up to the present."""

    def __init__(self, until: dt.datetime) -> None:
        self.until = until
        self._queue: list[tuple[dt.datetime, int, Deed]] = []
        self._order = itertools.count()

    def at(self, moment: dt.datetime, deed: Deed) -> None:
        if moment < self.until:
            heapq.heappush(self._queue, (moment, next(self._order), deed))

    def run(self) -> None:
        while self._queue:
            moment, _, deed = heapq.heappop(self._queue)
            moment = clock.local(moment)
            clock.shift(frozen_at=moment)
            # Somebody is refused now and then; the attempt stays in the list, and the day goes on.
            with suppress(Refusal):
                deed(moment)


class Play:
    """Who is there, and what each of them does."""

    def __init__(self, campaign: Campaign, staff: dict[str, Staff], until: dt.datetime) -> None:
        self.campaign, self.staff, self.until = campaign, staff, until
        self.rng = random.Random(SEED)  # noqa: S311 (a story, no secret)
        self.day = Day(until)
        self.round = campaign.rounds.get(number=1)
        self.decks = {
            deck.category.code: deck for deck in Deck.objects.filter(round=self.round).select_related("category")
        }
        self.clerks: dict[str, list[Clerk]] = defaultdict(list)  # by category
        self.conn = batcher.connect()

    def run(self, count: int) -> None:
        """Let ``count`` people live the day."""
        opens_at = self.round.opens_at
        self._shops(opens_at - 2 * 24 * HOUR)
        for number in range(count):
            someone = people.invent(self.rng, number, people.CONSUMERS_FROM)
            bound_at = opens_at - dt.timedelta(minutes=self.rng.randrange(5, 2 * 24 * 60))
            self.day.at(bound_at, partial(self._comes, someone))
        for minutes in (1, 5, 30, 120, 360, 720):
            self.day.at(opens_at + minutes * MINUTE, lambda now: publishing.publish_heads())
        self._market(opens_at)
        self.day.at(self.until - MINUTE, self._refund)
        try:
            self.day.run()
        finally:
            self.conn.close()

    # ---- shops

    def _shops(self, bound_at: dt.datetime) -> None:
        rows = [PlanMerchant(90 + n, name, (code,), "演示路 1 号", "", "", is_collective=False, place=Place("", ""))
                for n, (name, code) in enumerate(WITH_A_RECORD)]  # fmt: skip
        clock.shift(frozen_at=bound_at)
        load_merchants(self.campaign, rows)
        for merchant in Merchant.objects.filter(campaign=self.campaign, name__in=dict(WITH_A_RECORD)):
            letter(merchant, self.staff[Department.INDUSTRY])
        outlets = Outlet.objects.filter(merchant__campaign=self.campaign, merchant__in=Merchant.objects.taking_part())
        numbers = itertools.count()
        for outlet in outlets.select_related("merchant").order_by("merchant__seq", "pk"):
            for place in range(self.rng.choice((1, 2, 2))):
                someone = people.invent(self.rng, next(numbers), people.CLERKS_FROM)
                bureau = self.staff[Department.INDUSTRY]
                clerk = people.bind_clerk(someone, outlet, bureau, is_owner=place == 0)
                for category in outlet.merchant.categories.all():
                    self.clerks[category.code].append(clerk)

    # ---- people

    def _comes(self, someone: people.Invented, now: dt.datetime) -> None:
        holder = people.bind_consumer(someone, self.campaign, self.staff[Department.STATION], self.rng)
        for code, deck in self.decks.items():
            if self.rng.random() < 0.55:
                self.day.at(self._draw_time(), partial(self._draw, code, deck, holder))

    def _draw_time(self) -> dt.datetime:
        """Half of the people come in the first minutes, the others through the day."""
        crowd = self.rng.random()
        seconds = self.rng.uniform(1, 240) if crowd < 0.5 else self.rng.uniform(240, 7_200 if crowd < 0.8 else 43_200)
        return self.round.opens_at + dt.timedelta(seconds=seconds)

    def _draw(self, code: str, deck: Deck, holder: Consumer, now: dt.datetime) -> None:
        if holder.place == Consumer.Place.VOUCHED:  # who came to the station also draws there
            drawn = self._draw_at_the_station(code, holder)
        else:
            [answer] = drawing.write_together(self.conn, [drawing.Ask(deck.pk, holder.pk, turn=1)])
            drawn = answer.draw_id if isinstance(answer, drawing.Answer) and answer.face_fen else None
        if drawn is None or self.rng.randrange(100) >= SPENT_PERCENT.get(code, USUAL_PERCENT):
            return
        shops = self.clerks[code]
        spent_at = now + dt.timedelta(minutes=self.rng.uniform(15, 600))
        if shops and SHOPS_OPEN <= spent_at.hour < SHOPS_CLOSE:
            clerk = self.rng.choice(shops)
            self.day.at(spent_at, lambda then: self._scan(then, drawn, clerk))

    def _draw_at_the_station(self, code: str, holder: Consumer) -> int | None:
        key = uuid.UUID(int=self.rng.getrandbits(128))
        staff = self.staff[Department.STATION]
        return assisting.draw_for(staff, holder, code, Assist.Proof.SMS, key).draw_id

    # ---- at the counter

    def _scan(self, now: dt.datetime, coupon_id: int, clerk: Clerk) -> None:
        way = people.unlike(self.rng, ((0.05, "wrong"), (0.04, "recall"), (0.06, "under")))
        shown = Presented(coupon_id, is_paper=False)
        if way == "wrong":  # the wrong shop first
            with suppress(Refusal):
                other = self.rng.choice([c for clerks in self.clerks.values() for c in clerks])
                if other.outlet_id != clerk.outlet_id:
                    redemption.scan(other, shown)
        found = redemption.scan(clerk, shown)
        if now > self.until - STILL_AT_THE_COUNTER and self.rng.random() < 0.5:
            return  # the clerk has not entered it yet
        later = now + dt.timedelta(seconds=self.rng.uniform(20, 150))
        if way == "recall":
            actor = Actor(ActorKind.CLERK, clerk.pk)
            self.day.at(later, lambda then: redemption.recall(found.pk, actor, "顾客改用现金", clerk=clerk))
        else:
            self.day.at(later, lambda then: self._enter(found, clerk, under=way == "under"))

    def _enter(self, found: Redemption, clerk: Clerk, *, under: bool) -> None:
        category: Category = found.category
        percent = 100 if self.rng.random() < 0.12 else self.rng.uniform(101, 210)
        amount_fen = -(-int(found.threshold_fen * percent) // 10_000) * 100  # whole yuan, not under the threshold
        payment = self.rng.choice(Redemption.Payment.values[1:]) if category.cashless else ""
        entry = redemption.Entry(
            amount_fen, kind_for(category, self.rng.randrange(8)), self.rng.choice(NOTES), payment=payment
        )
        if under:
            with suppress(Refusal):
                short = redemption.Entry(found.threshold_fen - 500, entry.kind, payment=payment)
                redemption.complete(clerk, found.pk, short)
        redemption.complete(clerk, found.pk, entry)

    # ---- the departments

    def _market(self, opens_at: dt.datetime) -> None:
        """A complaint about an invented shop, looked into and upheld; another one struck off before the opening."""
        market = self.staff[Department.MARKET]
        diner, books = (Merchant.objects.get(campaign=self.campaign, name=name) for name, _ in WITH_A_RECORD)

        def complain(now: dt.datetime) -> None:
            use = Redemption.objects.filter(merchant=diner, state=Redemption.State.USED).first()
            if use is not None:
                made = complaints.file(use.consumer, diner.pk, "用券时多收了 20 元服务费。", use.coupon_id)
                self.day.at(now + 40 * MINUTE, lambda then: conduct.take_up(made.pk, market))
                self.day.at(now + 2 * HOUR, lambda then: uphold(made.pk, then))

        def uphold(complaint_id: int, now: dt.datetime) -> None:
            conduct.inspect(diner, market, now.date(), "现场核对小票，多收服务费属实。", is_breach=True)
            conduct.decide(complaint_id, market, upheld=True, answer="情况属实，已责令退还 20 元。")
            conduct.set_state(diner.pk, Merchant.State.SUSPENDED, "变相加价，整改期间暂停参加活动", market)

        reason = "提供虚假统计材料（虚构示例）"
        self.day.at(
            opens_at - 20 * HOUR, lambda now: conduct.set_state(books.pk, Merchant.State.BLACKLISTED, reason, market)
        )
        self.day.at(opens_at + 4 * HOUR, complain)

    def _refund(self, now: dt.datetime) -> None:
        """A refund that waits for a second department, so that there is something to approve."""
        used = Redemption.objects.filter(merchant__campaign=self.campaign, state=Redemption.State.USED).order_by("pk")
        if (found := used.first()) is not None:
            reversal.propose(
                found.pk, full_refund=True, maker=self.staff[Department.INDUSTRY], reason="顾客退货，已全额退款"
            )


def play(campaign: Campaign, staff: dict[str, Staff], count: int, until: dt.datetime) -> int:
    """Let ``count`` invented people live the first day up to ``until``; return how many coupons they drew.

    Sets the clock, so it takes the owner's right over it; the caller lets it run true again (``past``).
    """
    Play(campaign, staff, until).run(count)
    return Coupon.objects.filter(round__campaign=campaign).count()
