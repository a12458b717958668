"""Each guard that stands in the verbs, with its negative control: cut out, the forbidden thing happens.

A row is a guard, a deed, what the deed gives with the guard and what without. Guards that race, the row locks, are in
test_lock_controls; the database's own are in test_guards. What stands in the code without a row fails the last test.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction

from coupons import approval, closing
from coupons.drawing import together
from coupons.lifecycle import dealing, expiry, life
from coupons.plan import reallocate
from huigou import clock
from huigou.models import Department as D
from merchants import reversal
from merchants.redemption import attempts, entering, scanning, undoing
from reports import settlement
from reports.models import AuditOpinion
from reports.settlement import auditing, collecting, paying, states
from tests import factories
from tests.books.deeds import (
    Deed,
    after,
    altered,
    approved_by,
    ask_to_return,
    between,
    book,
    claw_back,
    close,
    closing_of,
    deal,
    disallow,
    draw,
    ended,
    enter,
    expire,
    forfeit,
    freeze,
    frozen,
    give_back,
    just_before,
    locked,
    move,
    opened,
    opening,
    opinion_withdrawn,
    opinions,
    other_figures,
    pay,
    pay_all,
    recall,
    return_twice,
    returned,
    reverse,
    scan,
    settle_at,
    swept,
    under,
    when,
)  # fmt: skip
from tests.books.taking_away import Cut, lines_of, outcome, take_away
from tests.books.test_lock_controls import RACES

pytestmark = pytest.mark.django_db
SECOND = dt.timedelta(seconds=1)
NOW = dt.timedelta(0)
FROZEN = "books_frozen"


@dataclass(frozen=True)
class Row:
    """``also`` are other guards behind which this one stands: off both times, so that this one alone decides."""

    cut: Cut
    deed: Deed
    on: Any
    off: Any
    also: tuple[Cut, ...] = ()


# ---- the guards

EXPIRE_FROZEN = Cut(expiry.expire_step, 'freezing.refuse_if_frozen(round_.campaign_id, "到期入账")')
WAITING = Cut(undoing.forfeit_overdue, ".exclude(merchant__campaign__in=waiting)")
FORFEIT_FROZEN = Cut(undoing.forfeit_overdue, " or freezing.is_frozen(campaign_id)")
OVERDUE = Cut(undoing.forfeit_overdue, "overdue(clock.now())", "pending()")
NOTHING_TO_EXPIRE = Cut(expiry.book_round, "expired := expire_step(round_id)", "expired := 0")
HELD_LEFT = Cut(
    expiry.book_round, "Coupon.objects.filter(round_id=round_id, state=Coupon.State.HELD).exists()", "False"
)
FULL_CHECK = Cut(collecting.freeze, 'reconcile.guard(settlement.campaign, "结算锁定")')
ONE_PERSON = Cut(
    approval._refuse_checker, "checker.person_key == change.maker_key or checker.pk == change.maker_id", "False"
)
ONE_DEPARTMENT = Cut(approval._refuse_checker, "checker.department == change.maker_department", "False")
DEPARTMENTS = Cut(approval._refuse_checker, "checker.department not in CHANGES[change.verb].checkers", "False")
CONTENT = Cut(paying.settle, 'content != change.payload["sha256"]', "False")
STILL_OUT = Cut(closing.refuse_if_early, "out or campaign.rounds.filter(booked_at=None).exists()", "False")
# The database stands behind these; unspoken, what it refuses keeps the name of its rule.
SCAN_SPOKEN = Cut(scanning._scan, "errors.SCAN_REFUSED_BY.get(constraint_of(lost))", "None")
ENTRY_SPOKEN = Cut(entering._keep, "errors.ENTRY_REFUSED_BY.get(constraint_of(lost))", "None")

OPENED = [
    Row(Cut(together.stopped, "switch.now < fact.opens_at", "False"), when(just_before(opening), draw),
        "round_not_open", "ok"),
    Row(Cut(together.stopped, "switch.now >= fact.closes_at", "False"), when(closing_of, draw), "round_over", "ok"),
    Row(Cut(together.stopped, "switch.is_frozen", "False"), frozen(draw), FROZEN, "ok"),
    Row(Cut(scanning.refuse_scan, 'freezing.refuse_if_frozen(coupon.round.campaign_id, "扫码核销")'), frozen(scan),
        FROZEN, "ok"),
    Row(Cut(scanning.refuse_scan, " and now >= coupon.expires_at", " and False"), when(closing_of, scan),
        "coupon_expired", "redemption_within_its_life", (SCAN_SPOKEN,)),
    Row(Cut(attempts.is_open, "now < redemption.entry_until", "True"),
        when(lambda s: s.made.entry_until, enter), "entry_late", "ok"),
    Row(Cut(entering.check_entry, "entry.amount_fen < redemption.threshold_fen", "False"), under,
        "under_threshold", "redemption_threshold", (ENTRY_SPOKEN,)),
    Row(Cut(life.recall, "at >= coupon.expires_at", "False"), when(closing_of, recall), "expired", "held"),
    Row(Cut(life.reverse, "at >= coupon.expires_at", "False"), when(closing_of, reverse), "expired", "held"),
    Row(Cut(reversal.reverse, 'freezing.refuse_if_frozen(change.campaign_id, "退回")'), frozen(reverse),
        FROZEN, "held"),
    Row(FORFEIT_FROZEN, when(lambda s: s.made.entry_until, frozen(forfeit)), 0, 1, (WAITING,)),
    Row(WAITING, when(lambda s: s.made.entry_until, frozen(forfeit)), 0, 1, (FORFEIT_FROZEN,)),
    Row(Cut(undoing.forfeit_overdue, " or now < redemption.entry_until"),
        when(just_before(lambda s: s.made.entry_until), forfeit), 0, 1, (OVERDUE,)),
    Row(OVERDUE, when(just_before(lambda s: s.made.entry_until), forfeit), 0, 1,
        (Cut(undoing.forfeit_overdue, " or now < redemption.entry_until"),)),
    Row(Cut(expiry.expire_step, "now < round_.closes_at", "False"), when(just_before(closing_of), expire), 0, 1),
    Row(EXPIRE_FROZEN, when(closing_of, frozen(expire)), FROZEN, 1),
    Row(Cut(expiry.book_round, 'freezing.refuse_if_frozen(round_.campaign_id, "到期入账")'),
        when(closing_of, frozen(book)), FROZEN, 1, (EXPIRE_FROZEN,)),
    Row(Cut(expiry.book_round, " or now < round_.closes_at"), when(just_before(closing_of), book), 0, 1, (HELD_LEFT,)),
    Row(HELD_LEFT, when(closing_of, book), 0, 1, (NOTHING_TO_EXPIRE,)),
    Row(Cut(expiry.sweep, " and now >= round_.closes_at"), swept("booked"), 0, 1,
        (HELD_LEFT, Cut(expiry.book_round, " or now < round_.closes_at"))),
    Row(Cut(dealing.deal, "(previous := unbooked.first()) is not None", "False"), deal(2), "previous_not_booked", 1),
    Row(Cut(reallocate.refuse_if_early, "last is None or now < last.closes_at", "False"),
        lambda s, at: reallocate.refuse_if_early(s.county.campaign, clock.now()), "realloc_too_early", "ok"),
    Row(Cut(reallocate.refuse_if_early, "waiting is not None", "False"),
        when(closing_of, lambda s, at: reallocate.refuse_if_early(s.county.campaign, clock.now())),
        "previous_not_booked", "ok"),
    Row(Cut(collecting.freeze, "live or campaign.rounds.filter(booked_at=None).exists()", "False"),
        lambda s, at: settlement.freeze(settlement.collect(s.county.campaign)).state, "settlement_open", "frozen",
        (FULL_CHECK,)),
    # The database stands behind the first two: it refuses each with the same words (tests/books/test_four_eyes).
    Row(ONE_PERSON, approved_by(D.INDUSTRY), "same_person", "same_department"),
    Row(ONE_DEPARTMENT, approved_by(D.INDUSTRY, name="同事"), "same_department", "forbidden"),
    Row(DEPARTMENTS, approved_by(D.OPERATOR), "forbidden", "ok"),
    Row(Cut(approval._undecided, "change.state != State.PROPOSED", "False"), approved_by(D.FINANCE, D.LEADERS),
        "already_decided", "change_is_exact"),
    Row(Cut(approval.approve, "payload_hash(change.payload) != change.payload_sha256", "False"),
        after(altered)(approved_by(D.FINANCE)), "payload_changed", "ok"),
    Row(Cut(approval.propose, "maker.department not in CHANGES[verb].makers", "False"),
        lambda s, at: reversal.propose(s.used.pk, full_refund=True, maker=factories.a_staff(D.OPERATOR), reason="退货"),
        "forbidden", "ok"),
]  # fmt: skip

BETWEEN = [
    Row(Cut(dealing.deal, 'freezing.refuse_if_frozen(round_.campaign_id, "备奖")'), frozen(deal(2)), FROZEN, 1),
    Row(Cut(expiry.sweep, " and now >= round_.opens_at - dealing.DEAL_AHEAD"),
        when(just_before(lambda s: s.county.rounds[1].opens_at - dealing.DEAL_AHEAD), swept("dealt")), 0, 1),
    Row(Cut(dealing.deal, "round_.dealt_at is not None", "False"), deal(1), 0, "round_is_dealt"),
    Row(Cut(reallocate.reallocate, 'freezing.refuse_if_frozen(campaign.pk, "品类调整")'), frozen(move), FROZEN, "ok"),
    Row(Cut(closing.refuse_if_early, "now < round_.closes_at", "False"), ask_to_return,
        "closing_early", "nothing_left", (STILL_OUT,)),
    Row(STILL_OUT, ask_to_return, "closing_early", "nothing_left",
        (Cut(closing.refuse_if_early, "now < round_.closes_at", "False"),)),
]  # fmt: skip

ENDED = [
    Row(Cut(paying.settle, "now < due", "False"), settle_at(SECOND), "settlement_early", "ok"),
    Row(Cut(paying.settle, 'freezing.refuse_if_frozen(change.campaign_id, "结算")'),
        settle_at(NOW, freeze), FROZEN, "ok"),
    Row(Cut(paying.pay, 'freezing.refuse_if_frozen(change.campaign_id, "付款")'), pay(freeze), FROZEN, "ok"),
    Row(Cut(paying.claw_back, 'freezing.refuse_if_frozen(change.campaign_id, "追回补贴")'), claw_back(freeze),
        FROZEN, "ok"),
    Row(Cut(auditing.disallow, 'freezing.refuse_if_frozen(change.campaign_id, "不予补贴")'), disallow(freeze),
        FROZEN, "ok"),
    Row(Cut(collecting.freeze, 'freezing.refuse_if_frozen(campaign.pk, "结算")'),
        frozen(lambda s, at: settlement.freeze(s.made).state), FROZEN, "frozen", (FULL_CHECK,)),
    Row(Cut(closing._propose, 'freezing.refuse_if_frozen(campaign.pk, "余额转出")'), frozen(ask_to_return),
        FROZEN, "ok"),
    Row(Cut(closing._move_out, 'freezing.refuse_if_frozen(campaign.pk, "余额转出")'), give_back, FROZEN, "ok"),
    Row(Cut(closing._refuse_open, 'freezing.refuse_if_frozen(campaign.pk, "活动结账")'),
        after(pay_all, returned)(frozen(close)), FROZEN, "ok"),
    Row(Cut(paying.settle, "pending := refused_by_audit(settlement)", "pending := {}"),
        settle_at(NOW, opinion=AuditOpinion.Opinion.DISALLOW), "disallow_pending", "ok"),
    Row(CONTENT, settle_at(NOW, other_figures), "settlement_differs", "ok",
        (Cut(paying.settle, "refuse_unless_ledger_agrees(settlement)"),)),
    Row(Cut(paying.settle, "refuse_unless_ledger_agrees(settlement)"), settle_at(NOW, other_figures),
        "settlement_differs", "ok", (CONTENT,)),
    Row(Cut(states.refuse_unless, "settlement.state not in states", "False"),
        after(lambda s, at: locked(s))(lambda s, at: settlement.collect(s.campaign)), "settlement_state", "ok"),
    Row(Cut(auditing.finish_audit, "if missing:", "if False:"),
        lambda s, at: settlement.finish_audit(locked(s), auditor=s.audit), "audit_missing", "ok"),
    Row(Cut(auditing.finish_audit, "auditor.department != Department.AUDIT", "False"),
        lambda s, at: settlement.finish_audit(opinions(s), auditor=s.industry), "forbidden", "ok"),
    Row(Cut(auditing.give_opinion, "auditor.department != Department.AUDIT", "False"),
        lambda s, at: settlement.give_opinion(locked(s).lines.first(), "accept", "可", auditor=s.industry),
        "forbidden", "ok"),
    Row(Cut(auditing.disallow, '{str(use): verdict for use, verdict in wanted.items()} != change.payload["uses"]',
            "False"), disallow(opinion_withdrawn), "no_opinion", "ok"),
    Row(Cut(paying.pay, "line.paid_fen or fen != line.counted_fen", "False"), pay(times=2),
        "payment_exceeds", "transfer_paid_once"),
    Row(Cut(paying._refuse_over, "not 0 < amount_fen <= limit", "False"), claw_back(times=2), "payment_exceeds",
        "line_claw_back_within_paid"),
    Row(Cut(closing._refuse_open, "any(fen for party, fen in found.items() if party.kind == Account.PAYABLE)", "False"),
        after(returned)(close), "not_settled", "ok"),
    Row(Cut(closing._refuse_open, "rest := sum(left(campaign.pk).values())", "rest := 0"), after(pay_all)(close),
        "still_left", "ok"),
    Row(Cut(closing._move_out, "any(fen <= 0 or present.get(party, 0) < fen for party, fen in asked.items())", "False"),
        return_twice, "payload_changed", "balance_short"),
]  # fmt: skip
STAGES = {"opened": (opened, OPENED), "between": (between, BETWEEN), "ended": (ended, ENDED)}


def taken_back(deed: Callable[[], Any]) -> Any:
    """Return what a deed gives, and undo it."""
    with transaction.atomic():
        given = outcome(transaction.atomic(deed))
        transaction.set_rollback(True)
    return given


@pytest.mark.parametrize("stage", STAGES)
def test_without_its_guard_the_forbidden_thing_happens(stage, at, monkeypatch):
    arrange, rows = STAGES[stage]
    s = arrange(at)
    began = clock.now()
    said, expected = {}, {}
    for row in rows:
        given = []
        assert row.on != row.off, "a control shows a difference"
        for cuts in (row.also, (*row.also, row.cut)):
            with monkeypatch.context() as patch:
                take_away(patch, *cuts)
                given.append(taken_back(lambda row=row: row.deed(s, at)))
            at(began)
        said[str(row.cut), row.on], expected[str(row.cut), row.on] = given, [row.on, row.off]
    assert "\n".join(f"{key}: {given}" for key, given in said.items() if given != expected[key]) == ""


# ---- is it all of them?

# A signed list and its registrations lock through SQL of their own: tests/draws/test_lottery and test_undrawn.
WHERE = (
    "coupons/lifecycle", "coupons/approval.py", "coupons/closing.py", "coupons/funding.py",
    "coupons/plan/reallocate.py",
    "coupons/drawing/together.py", "merchants/redemption", "merchants/reversal.py", "reports/settlement",
    "reports/reconcile/freezing.py",
)  # fmt: skip
GUARD = re.compile(
    r"select_for_update|refuse_if_frozen\(|[^_]is_frozen\b|\b(now|at) (<|>=) |checker\.\w+ (==|not in)"
    r"|(maker|auditor)\.department (not in|!=)"
)
OTHERWISE = {
    "coupons.lifecycle.freezing.is_frozen": "the look itself, which every row of a freeze cuts out",
    "coupons.lifecycle.freezing.refuse_if_frozen": "the same",
}


def controlled() -> dict[str, list[str]]:
    """Return {function: the texts that a row cuts out of it}."""
    found: dict[str, list[str]] = {}
    for cut in (*(row.cut for _, rows in STAGES.values() for row in rows), *(race.cut for race in RACES)):
        found.setdefault(f"{cut.function.__module__}.{cut.function.__name__}", []).append(cut.text)
    return found


def uncontrolled(cuts: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Return the guards of the verbs, by function and line, that no row cuts out."""
    return {
        (function, line)
        for folder in WHERE
        for function, line in lines_of(folder, GUARD)
        if function not in OTHERWISE and not any(text.strip() in line for text in cuts.get(function, ()))
    }


def test_every_guard_in_the_code_has_its_control():
    assert uncontrolled(controlled()) == set()
    assert len(uncontrolled({})) > 50  # the look sees them
