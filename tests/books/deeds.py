"""Stages of a campaign and deeds upon them, as the controls of the guards need them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from coupons import approval, closing, drawing, ledger, lifecycle
from coupons.lifecycle import dealing, expiry
from coupons.models import Coupon, Freeze
from coupons.plan import reallocate
from huigou import clock
from huigou.models import Department
from merchants import redemption, reversal
from reports import settlement
from reports.models import AuditOpinion, Settlement
from tests import factories
from tests.books import walk
from tests.books.forging import forge
from tests.redemption.ground import drawn_here, held

MICRO = dt.timedelta(microseconds=1)
D = Department
S = SimpleNamespace
Clock = Callable[[Any], dt.datetime]
Deed = Callable[[S, Clock], Any]


# ---- the stages: what stands there before a deed; each deed is taken back


def opened(at: Clock) -> S:
    """Round 1 at five past nine: a coupon held, one scanned, one used; nobody has drawn a book."""
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 20, ("book", 50): 20}, realloc_after=1)
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    li = factories.a_clerk(factories.a_merchant(county))
    wang, zhao, qian = (factories.a_consumer(name) for name in ("王小明", "赵生", "钱生"))
    at_hand = held(county, wang)
    made = factories.scanned(held(county, zhao), li)
    used = factories.used(held(county, qian), li)
    bureau = factories.a_staff(D.INDUSTRY)
    change = reversal.propose(used.pk, full_refund=True, maker=bureau, reason="退货")
    return S(county=county, li=li, wang=wang, coupon=at_hand, made=made, used=used, change=change, bureau=bureau)


def between(at: Clock) -> S:
    """Round 1 is over and booked, round 2 to come."""
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 20, ("book", 50): 20}, realloc_after=1)
    lifecycle.deal(county.rounds[0].pk)
    at(county.rounds[0].closes_at)
    lifecycle.book_round(county.rounds[0].pk)
    shift = reallocate.Shift(county.batches["dining", 100].pk, county.batches["book", 50].pk, 1)
    bureau = factories.a_staff(D.INDUSTRY)
    change = reallocate.propose(county.campaign, [shift], maker=bureau, reason="调整")
    return S(county=county, shift=shift, change=change, bureau=bureau)


def ended(at: Clock) -> S:
    """Everything is over: two shops with a use each, collected and not locked."""
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 20}, rounds=1)
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    for name in ("王小明", "赵生"):
        factories.used(held(county, factories.a_consumer(name)), factories.a_clerk(factories.a_merchant(county)))
    walk.to_the_end(county, at)
    made = settlement.collect(county.campaign)
    staff = {each: factories.a_staff(each) for each in (D.INDUSTRY, D.AUDIT, D.FINANCE, D.LEADERS)}
    return S(county=county, campaign=county.campaign, made=made, line=made.lines.first(), **staff)


# ---- deeds


def frozen(deed: Deed) -> Deed:
    """Do a deed while the books are frozen."""

    def while_frozen(s: S, at: Clock) -> Any:
        Freeze.objects.create(campaign=s.county.campaign, findings=[], frozen_at=clock.now())
        return deed(s, at)

    return while_frozen


def when(moment: Callable[[S], dt.datetime], deed: Deed) -> Deed:
    """Do a deed at a moment."""

    def then(s: S, at: Clock) -> Any:
        at(moment(s))
        return deed(s, at)

    return then


def opening(s: S) -> dt.datetime:
    return s.county.rounds[0].opens_at


def closing_of(s: S) -> dt.datetime:
    return s.county.rounds[0].closes_at


def just_before(moment: Callable[[S], dt.datetime], by: dt.timedelta = MICRO) -> Callable[[S], dt.datetime]:
    return lambda s: moment(s) - by


def draw(s: S, at: Clock) -> Any:
    drawn_here(drawing.Ask(factories.deck_of(s.county, "book").pk, s.wang.pk, turn=1))


def scan(s: S, at: Clock) -> Any:
    factories.scanned(Coupon.objects.get(pk=s.coupon.pk), s.li)


def enter(s: S, at: Clock) -> Any:
    return redemption.complete(s.li, s.made.pk, redemption.Entry(30_000, "3"))


def under(s: S, at: Clock) -> Any:
    return redemption.complete(s.li, s.made.pk, redemption.Entry(29_999, "3"))


def recall(s: S, at: Clock) -> str:
    return redemption.recall(s.made.pk, ledger.SYSTEM, "撤回").coupon.state


def reverse(s: S, at: Clock) -> str:
    factories.agreed(s.change)
    return Coupon.objects.get(pk=s.used.coupon_id).state


def forfeit(s: S, at: Clock) -> int:
    return redemption.forfeit_overdue()


def expire(s: S, at: Clock) -> int:
    return expiry.expire_step(s.county.rounds[0].pk)


def book(s: S, at: Clock) -> int:
    return expiry.book_round(s.county.rounds[0].pk)


def deal(number: int) -> Callable[[S, Clock], int]:
    return lambda s, at: dealing.deal(s.county.rounds[number - 1].pk)


def swept(what: str) -> Callable[[S, Clock], int]:
    return lambda s, at: lifecycle.sweep()[what]


def move(s: S, at: Clock) -> Any:
    factories.agreed(s.change)


def ask_to_move(s: S, at: Clock) -> Any:
    reallocate.propose(s.county.campaign, [s.shift], maker=s.bureau, reason="调整")


def ask_to_return(s: S, at: Clock) -> Any:
    return closing.propose_return(s.county.campaign, maker=factories.a_staff(D.INDUSTRY), reason="返还")


def locked(s: S) -> Settlement:
    """Lock the settlement as ``freeze`` does after its full check, which wants a transaction of its own."""
    Settlement.objects.filter(pk=s.made.pk).update(state="frozen", frozen_at=clock.now())
    s.made.refresh_from_db()
    return s.made


def opinions(s: S, opinion: str = AuditOpinion.Opinion.ACCEPT) -> Settlement:
    made = locked(s)
    for line in made.lines.all():
        settlement.give_opinion(line, opinion, "意见", auditor=s.audit)
    return made


def to_settle(s: S, at: Clock, opinion: str = AuditOpinion.Opinion.ACCEPT) -> Any:
    made = settlement.finish_audit(opinions(s, opinion), auditor=s.audit)
    return settlement.propose_settle(made, maker=s.industry, reason="结算")


def settle_at(
    moment: dt.timedelta = MICRO,
    meanwhile: Callable[[S], Any] = lambda s: None,
    opinion: str = AuditOpinion.Opinion.ACCEPT,
) -> Deed:
    """Return the approval of a settlement so long before its day."""

    def deed(s: S, at: Clock) -> Any:
        change = to_settle(s, at, opinion)
        at(settlement.due_at(s.campaign) - moment)
        meanwhile(s)
        approval.approve(change.pk, s.finance)

    return deed


def settled(s: S, at: Clock) -> Settlement:
    settle_at(dt.timedelta(0))(s, at)
    s.made.refresh_from_db()
    return s.made


def freeze(s: S) -> None:
    Freeze.objects.create(campaign=s.campaign, findings=[], frozen_at=clock.now())


def pay(meanwhile: Callable[[S], Any] = lambda s: None, times: int = 1) -> Deed:
    def deed(s: S, at: Clock) -> Any:
        made = settled(s, at)
        numbers = {line.pk: "财付1" for line in made.lines.all()[:1]}
        asked = [settlement.propose_pay(made, numbers, maker=s.finance, reason="付款") for _ in range(times)]
        meanwhile(s)
        for change in asked:
            approval.approve(change.pk, s.leaders)

    return deed


def claw_back(meanwhile: Callable[[S], Any] = lambda s: None, times: int = 1) -> Deed:
    def deed(s: S, at: Clock) -> Any:
        pay()(s, at)
        line = s.made.lines.get(paid_fen__gt=0)
        asked = [settlement.propose_claw_back(line, 10_000, maker=s.industry, reason="复查") for _ in range(times)]
        meanwhile(s)
        for change in asked:
            approval.approve(change.pk, s.finance)

    return deed


def disallow(meanwhile: Callable[[S], Any] = lambda s: None) -> Deed:
    def deed(s: S, at: Clock) -> Any:
        made = opinions(s, AuditOpinion.Opinion.DISALLOW)
        change = settlement.propose_disallow(made, maker=s.audit, reason="按审计意见")
        meanwhile(s)
        approval.approve(change.pk, s.leaders)

    return deed


def give_back(s: S, at: Clock) -> Any:
    change = ask_to_return(s, at)
    freeze(s)
    factories.agreed(change)


def close(s: S, at: Clock) -> Any:
    change = approval.propose("close", s.campaign, {}, summary="结账", reason="结账", maker=s.industry)
    factories.agreed(change)


def after(*before: Deed) -> Callable[[Deed], Deed]:
    """Do other deeds before the one that is looked at."""

    def wrap(deed: Deed) -> Deed:
        return lambda s, at: [each(s, at) for each in (*before, deed)][-1]

    return wrap


def pay_all(s: S, at: Clock) -> Any:
    walk.paid(settlement.finish_audit(opinions(s), auditor=s.audit), at)


def returned(s: S, at: Clock) -> Any:
    factories.agreed(ask_to_return(s, at))


def return_twice(s: S, at: Clock) -> Any:
    for change in [ask_to_return(s, at) for _ in range(2)]:
        factories.agreed(change)


def approved_by(*departments: str, name: str = "") -> Deed:
    def deed(s: S, at: Clock) -> Any:
        for each in departments:
            approval.approve(s.change.pk, factories.a_staff(each, name))

    return deed


def altered(s: S, at: Clock) -> Any:
    forge("UPDATE coupons_changerequest SET payload = payload || '{}'::jsonb || '{\"x\": 1}' WHERE verb = 'reverse'",
          tables=("coupons_changerequest",))  # fmt: skip


def other_figures(s: S) -> None:
    """Somebody alters what was audited, between the request and its approval."""
    s.made.lines.filter(pk=s.line.pk).update(spend_fen=1, counted_fen=1)


def opinion_withdrawn(s: S) -> None:
    for line in s.made.lines.all():
        settlement.give_opinion(line, AuditOpinion.Opinion.ACCEPT, "补交票据", auditor=s.audit)
