"""Each row lock of the verbs, with its negative control, in races of two connections that cannot come out otherwise.

The first deed is held up after it looked and before it writes; the second tries to overtake it. With the lock it has
to wait and then sees what the first did; without it, it overtakes, and something comes out that must not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from coupons import approval, assisting, closing, codes, drawing, funding, ledger, lifecycle
from coupons.codes import Presented
from coupons.drawing import batcher, together
from coupons.lifecycle import dealing, expiry
from coupons.models import Allotment, Consumer, Freeze
from coupons.plan import reallocate
from huigou import clock
from huigou.models import Department as D
from merchants import errors, redemption
from merchants.models import Attempt
from merchants.redemption import attempts, scanning
from reports import reconcile, settlement
from reports.models import SettlementLine
from reports.reconcile import freezing
from reports.reconcile.snapshot import finding
from reports.settlement import collecting, paying, states
from tests import factories
from tests.books import walk
from tests.books.deeds import Clock, S, between
from tests.books.taking_away import Cut, Race, take_away

pytestmark = pytest.mark.django_db(transaction=True)
MICRO = dt.timedelta(microseconds=1)
Deeds = tuple[Callable[[], Any], Callable[[], Any]]


@dataclass(frozen=True)
class Raced:
    """A lock, what stands there, where the first deed is held up, and both outcomes with the lock and without."""

    cut: Cut
    deeds: Callable[[Clock], Deeds]
    held_up_at: tuple[Any, str, int]  # module or class, function, its how-manieth call
    on: list[Any]
    off: list[Any]
    also: tuple[Cut, ...] = ()  # locks behind which this one stands
    before: bool = False  # held up before that call, not after it


# ---- what races


def staff(department: str) -> Any:
    return factories.a_staff(department)


def approvals(*changes: Any, by: tuple[str, str] = (D.FINANCE, D.LEADERS)) -> Deeds:
    """Let two people approve: two changes, or one and the same."""
    first, second = (changes[0], changes[-1])
    checkers = [staff(each) for each in by]
    return (
        lambda: approval.approve(first.pk, checkers[0]) and None,
        lambda: approval.approve(second.pk, checkers[1]) and None,
    )


def not_live(at: Clock) -> factories.County:
    at("2022-06-20 10:00")
    return factories.a_county(launched=False)


def two_checkers(at: Clock) -> Deeds:
    return approvals(funding.propose_fund(not_live(at).campaign, maker=staff(D.INDUSTRY), reason="拨入"))


def two_fundings(at: Clock) -> Deeds:
    campaign = not_live(at).campaign
    return approvals(*(funding.propose_fund(campaign, maker=staff(D.INDUSTRY), reason="拨入") for _ in range(2)))


def two_launches(at: Clock) -> Deeds:
    campaign, bureau = not_live(at).campaign, staff(D.INDUSTRY)
    factories.agreed(funding.propose_fund(campaign, maker=bureau, reason="拨入"))
    return approvals(*(funding.propose_launch(campaign, maker=bureau, reason="上线") for _ in range(2)))


def two_heirs(at: Clock) -> Deeds:
    """Two campaigns that draw on what a third carried over."""
    source = ended(at, used=1)
    walk.paid(walk.audited(source.campaign), at)
    walk.closed(source.campaign, carry=True)
    heirs = [factories.a_county({("dining", 100): 19}, launched=False, opens_at=clock.now()).campaign for _ in range(2)]
    given = {"maker": staff(D.INDUSTRY), "reason": "结转", "carried_from": source.campaign}
    return approvals(*(funding.propose_fund(heir, **given) for heir in heirs))


def edited_and_dealt(at: Clock) -> Deeds:
    at("2022-06-25 08:00")
    round_ = (county := factories.a_county()).rounds[0]
    counts = {county.batches["dining", 100].pk: 1}
    change = funding.propose_release(round_, counts, maker=staff(D.INDUSTRY), reason="少投")
    return approvals(change)[0], lambda: dealing.deal(round_.pk)


def two_dealers(at: Clock) -> Deeds:
    at("2022-06-25 08:30")
    number = factories.a_county().rounds[0].pk
    return lambda: dealing.deal(number), lambda: dealing.deal(number)


def opened(at: Clock, stock: dict[tuple[str, int], int] | None = None) -> factories.County:
    at("2022-06-25 08:30")
    county = factories.a_county(stock, rounds=1)
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    return county


def two_expiries(at: Clock) -> Deeds:
    county = opened(at)
    factories.drawn_by_many(county, factories.some_consumers(2))
    at(county.rounds[0].closes_at)
    return (lambda: expiry.expire_step(county.rounds[0].pk),) * 2


def two_bookings(at: Clock) -> Deeds:
    county = opened(at)
    at(county.rounds[0].closes_at)
    return (lambda: expiry.book_round(county.rounds[0].pk),) * 2


def a_draw_and_the_booking(at: Clock) -> Deeds:
    """A draw of the last microsecond is being written when the round ends."""
    county = opened(at)
    ask, ends = drawing.Ask(factories.deck_of(county).pk, factories.a_consumer().pk, turn=1), county.rounds[0].closes_at
    at(ends - MICRO)

    def draw() -> None:
        with batcher.connect() as conn:
            [answer] = together.write_together(conn, [ask])
            assert isinstance(answer, drawing.Answer), answer

    def book() -> int:
        at(ends)
        return expiry.book_round(county.rounds[0].pk)

    return draw, book


def a_scan_and_the_expiry(at: Clock) -> Deeds:
    """A scan of the last microsecond is being written when the round ends: it decided, and it stands."""
    county = opened(at)
    coupon, clerk = factories.drawn(county, factories.a_consumer()), factories.a_clerk(factories.a_merchant(county))
    at(county.rounds[0].closes_at - MICRO)

    def expire() -> int:
        at(county.rounds[0].closes_at)
        return expiry.expire_step(county.rounds[0].pk)

    return lambda: factories.scanned(coupon, clerk) and None, expire


def two_shops_and_one_person(at: Clock) -> Deeds:
    """Two coupons of a person who bound anew in between: one constraint on the binding would not see them together."""
    county = opened(at, {("dining", 100): 20, ("book", 20): 20})
    before = factories.a_consumer()
    dish = factories.drawn(county, before, "dining")
    Consumer.objects.filter(pk=before.pk).update(unbound_at=clock.now())
    bound = {"consented_at": clock.now(), "consent_version": "1", "bound_at": clock.now()}
    again = Consumer.objects.create(person=before.person, phone_key=before.phone_key, **bound)
    book = factories.drawn(county, again, "book")
    clerks = [factories.a_clerk(factories.a_merchant(county)) for _ in range(2)]
    return lambda: factories.scanned(dish, clerks[0]) and None, lambda: factories.scanned(book, clerks[1]) and None


def two_entries(at: Clock) -> Deeds:
    county = opened(at)
    clerk = factories.a_clerk(factories.a_merchant(county))
    made = factories.scanned(factories.drawn(county, factories.a_consumer()), clerk)
    entries = [redemption.Entry(fen, "3") for fen in (30_000, 40_000)]
    return (
        lambda: redemption.complete(clerk, made.pk, entries[0]) and None,
        lambda: redemption.complete(clerk, made.pk, entries[1]) and None,
    )


def two_guesses(at: Clock) -> Deeds:
    """The fifth and the sixth wrong short code of a clerk."""
    county = opened(at)
    clerk, now = factories.a_clerk(factories.a_merchant(county)), clock.now()
    wrong = f"{(int(codes.show(1, now).short_code) + 1) % 10**8:08d}"
    for _ in range(4):
        Attempt.objects.create(verb="short", clerk=clerk, outcome=errors.CODE_STALE.code, at=now)
    return (lambda: redemption.token_from_short(clerk, wrong),) * 2


def two_guesses_at_paper(at: Clock) -> Deeds:
    """The fifth and the sixth wrong digits, on the paper coupons of two people."""
    county = opened(at)
    clerk, now = factories.a_clerk(factories.a_merchant(county)), clock.now()
    papers = [
        Presented(each.pk, is_paper=True) for each in factories.drawn_by_many(county, factories.some_consumers(2))
    ]
    for _ in range(4):
        Attempt.objects.create(verb="scan", clerk=clerk, outcome=errors.PAPER_DIGITS.code, at=now)
    wrong = redemption.ScanOptions(paper_last4="9999")
    return (
        lambda: redemption.scan(clerk, papers[0], wrong) and None,
        lambda: redemption.scan(clerk, papers[1], wrong) and None,
    )


# ---- after the end


def ended(at: Clock, used: int = 2) -> factories.County:
    county = opened(at)
    clerk = factories.a_clerk(factories.a_merchant(county))
    for coupon in factories.drawn_by_many(county, factories.some_consumers(used)):
        factories.used(coupon, clerk)
    at(county.rounds[0].closes_at)
    lifecycle.book_round(county.rounds[0].pk)
    at(county.rounds[0].entry_until)
    return county


def two_collections(at: Clock) -> Deeds:
    campaign = ended(at).campaign
    settlement.collect(campaign)
    return (lambda: settlement.collect(campaign) and None,) * 2


def two_payments(at: Clock) -> Deeds:
    made = walk.audited(ended(at).campaign)
    at(settlement.due_at(made.campaign))
    factories.agreed(settlement.propose_settle(made, maker=staff(D.INDUSTRY), reason="结算"))
    made.refresh_from_db()
    numbers = {made.lines.get().pk: "财付1"}
    asked = [settlement.propose_pay(made, numbers, maker=staff(D.FINANCE), reason="付款") for _ in range(2)]
    return approvals(*asked, by=(D.LEADERS, D.INDUSTRY))


def paid(at: Clock) -> S:
    made = walk.paid(walk.audited(ended(at).campaign), at)
    return S(made=made, campaign=made.campaign, line=made.lines.get())


def two_claw_backs(at: Clock) -> Deeds:
    line, bureau = paid(at).line, staff(D.INDUSTRY)
    return approvals(*(settlement.propose_claw_back(line, 20_000, maker=bureau, reason="复查") for _ in range(2)))


def a_claw_back_and_the_closing(at: Clock) -> Deeds:
    """Money on its way back into the books when they close."""
    s, bureau = paid(at), staff(D.INDUSTRY)
    factories.agreed(closing.propose_return(s.campaign, maker=bureau, reason="返还"))
    back = settlement.propose_claw_back(s.line, 10_000, maker=bureau, reason="复查")
    return approvals(back, closing.propose_close(s.campaign, maker=bureau, reason="结账"))


FOUND = [finding("test", "试", n) for n in (1, 2)]


def a_move_and_a_freeze(at: Clock) -> Deeds:
    """Red books stop what comes after; what is under way is waited for."""
    s = between(at)
    return approvals(s.change)[0], lambda: freezing.freeze_if_red(s.county.campaign, FOUND[:1]) and None


def a_return_and_a_freeze(at: Clock) -> Deeds:
    campaign = ended(at).campaign
    change = closing.propose_return(campaign, maker=staff(D.INDUSTRY), reason="返还")
    return approvals(change)[0], lambda: freezing.freeze_if_red(campaign, FOUND[:1]) and None


def two_freezes(at: Clock) -> Deeds:
    campaign = not_live(at).campaign
    return (
        lambda: freezing.freeze_if_red(campaign, FOUND[:1]) and None,
        lambda: freezing.freeze_if_red(campaign, FOUND[1:]) and None,
    )


def red(at: Clock) -> S:
    campaign = not_live(at).campaign
    standing = freezing.freeze_if_red(campaign, FOUND[:1])
    assert standing is not None
    change = reconcile.propose_release(standing, maker=staff(D.AUDIT), reason="查明")
    more = lambda: freezing.freeze_if_red(campaign, FOUND) and None  # noqa: E731
    return S(campaign=campaign, release=approvals(change)[0], more=more)


def a_release_and_one_more_finding(at: Clock) -> Deeds:
    s = red(at)

    def still_frozen() -> int:
        s.more()
        return Freeze.objects.filter(campaign=s.campaign, released_at=None).count()

    return s.release, still_frozen


def one_more_finding_and_the_release(at: Clock) -> Deeds:
    s = red(at)
    return s.more, s.release


# ---- the locks


def lock(function: Callable[..., Any], model: str, how: str = "no_key=True") -> Cut:
    return Cut(function, f"{model}.objects.select_for_update({how})", f"{model}.objects")


DECKS = lock(expiry.book_round, "Deck")
PERSON = lock(attempts.lock_person, "Person")
COUPON, REDEMPTION = lock(attempts.locked, "Coupon"), lock(attempts.locked, "Redemption")
CLOCK = (clock, "now")
OF_SELF = 'of=("self",)'

BEFORE = [
    Raced(lock(approval._undecided, "ChangeRequest", OF_SELF), two_checkers, (approval, "payload_hash", 1),
          ["ok", "already_decided", "waited"], ["change_is_exact", "ok", "overtook"]),
    Raced(Cut(funding.fund, "campaign = Campaign.objects.select_for_update(no_key=True)",
              "campaign = Campaign.objects"), two_fundings, (funding, "_checked", 1),
          ["ok", "over_budget", "waited"], ["ok", "ok", "overtook"]),
    Raced(Cut(funding.fund, "        Campaign.objects.select_for_update(no_key=True).get(pk=source)",
              "        pass"), two_heirs, (funding, "_checked", 1),
          ["ok", "balance_short", "waited"], ["ok", "ok", "overtook"]),
    Raced(lock(funding.launch, "Campaign"), two_launches, (funding, "funded_fen", 1),
          ["ok", "already_launched", "waited"], ["ok", "ok", "overtook"]),
    Raced(lock(funding.release, "Round", ""), edited_and_dealt, (Allotment, "save", 1),
          ["ok", 1, "waited"], ["round_is_dealt", 1, "overtook"], before=True),
    Raced(lock(dealing.deal, "Round", OF_SELF), two_dealers, (dealing, "propose", 1),
          [1, 0, "waited"], ["round_is_dealt", 1, "overtook"]),
    Raced(Cut(freezing.freeze_if_red, "Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)"),
          two_freezes, (*CLOCK, 1), ["ok", "ok", "waited"], ["freeze_one_at_a_time", "ok", "overtook"]),
    Raced(Cut(freezing.freeze_if_red, ".select_for_update().first()", ".first()"), a_release_and_one_more_finding,
          (*CLOCK, 2), ["ok", 1, "waited"], ["ok", "freeze_released_by_approval", "waited"]),
    Raced(lock(freezing.unfreeze, "Freeze", ""), one_more_finding_and_the_release, (Freeze, "save", 1),
          ["ok", "freeze_grew", "waited"], ["ok", "ok", "waited"]),
]  # fmt: skip
OPEN = [
    Raced(lock(scanning._scan, "Coupon"), a_scan_and_the_expiry, (*CLOCK, 1),
          ["ok", 0, "waited"], ["coupon_pending_elsewhere", 1, "overtook"]),
    # The trigger of a scan stands behind this lock: with that off too both pass (tests/redemption/test_rules.py).
    Raced(PERSON, two_shops_and_one_person, (scanning, "_second_coupon", 1),
          ["ok", "one_at_a_time", "waited"], ["one_at_a_time", "ok", "overtook"]),
    # Any one of these three is enough; each alone keeps two entries apart.
    *(Raced(each, two_entries, (*CLOCK, 1),
            ["ok", "already_entered", "waited"], ["redemption_way_of_life", "ok", "overtook"],
            tuple({PERSON, COUPON, REDEMPTION} - {each})) for each in (PERSON, COUPON, REDEMPTION)),
    Raced(lock(scanning.token_from_short, "Clerk", ""), two_guesses, (codes, "read_short", 1),
          ["code_stale", "short_code_tries", "waited"], ["code_stale", "code_stale", "overtook"]),
    Raced(lock(scanning._scan_paper, "Clerk"), two_guesses_at_paper, (assisting, "proves_holder", 1),
          ["paper_digits", "paper_tries", "waited"], ["paper_digits", "paper_digits", "overtook"]),
    Raced(lock(expiry.expire_step, "Round"), two_expiries, (*CLOCK, 1), [2, 0, "waited"], [0, 2, "overtook"]),
    Raced(lock(expiry.book_round, "Round"), two_bookings, (*CLOCK, 2),
          [1, 0, "waited"], ["transfer_undrawn_once", 1, "overtook"], (DECKS,)),
    Raced(DECKS, a_draw_and_the_booking, (together, "steps_of", 1), ["ok", 0, "waited"], ["ok", 1, "overtook"]),
]  # fmt: skip
AFTER = [
    Raced(lock(collecting.collect, "Campaign"), two_collections, (collecting, "uses_of", 1),
          ["ok", "ok", "waited"], ["ok", "protected", "waited"]),
    Raced(lock(states.locked, "Settlement", OF_SELF), two_payments, (SettlementLine, "save", 1),
          ["ok", "settlement_state", "waited"], ["ok", "transfer_paid_once", "waited"]),
    Raced(lock(paying.claw_back, "SettlementLine", OF_SELF), two_claw_backs, (paying, "_refuse_over", 1),
          ["ok", "payment_exceeds", "waited"], ["ok", "ok", "overtook"]),
    Raced(lock(closing.close, "Campaign", ""), a_claw_back_and_the_closing, (ledger, "post", 1),
          ["ok", "still_left", "waited"], ["ok", "ok", "overtook"]),
    Raced(lock(closing._move_out, "Campaign"), a_return_and_a_freeze, (*CLOCK, 2),
          ["ok", "ok", "waited"], ["ok", "ok", "overtook"]),
    Raced(lock(reallocate.reallocate, "Campaign"), a_move_and_a_freeze, (*CLOCK, 2),
          ["ok", "ok", "waited"], ["ok", "ok", "overtook"]),
]  # fmt: skip
RACES = (*BEFORE, *OPEN, *AFTER)


@pytest.mark.parametrize("races", [BEFORE, OPEN, AFTER], ids=["before", "open", "after"])
def test_without_its_lock_the_second_overtakes(races, at, monkeypatch):
    said, expected = {}, {}
    for race in races:
        given = []
        for cuts in (race.also, (*race.also, race.cut)):
            first, second = race.deeds(at)
            with monkeypatch.context() as patch:
                take_away(patch, *cuts)
                given.append(Race(*race.held_up_at, before=race.before).run(patch, first, second))
        said[str(race.cut), race.deeds.__name__] = given
        expected[str(race.cut), race.deeds.__name__] = [race.on, race.off]
    assert "\n".join(f"{key}: {given}" for key, given in said.items() if given != expected[key]) == ""
