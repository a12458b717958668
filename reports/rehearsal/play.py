"""The play itself, act by act: rounds, re-allocation, settlement, closing."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from coupons import approval, closing, lifecycle, publishing, seeds
from coupons.models import Campaign, Category, Coupon, Draw, Round
from coupons.models.books import Account
from coupons.plan import reallocate
from huigou import clock
from huigou.errors import Refusal
from huigou.models import Department, Staff
from huigou.rules import constraint_of
from merchants import redemption, reversal
from merchants.models import Redemption
from reports import beancount, reconcile, settlement
from reports.models import AuditOpinion, Settlement, SettlementLine, SettlementUse
from reports.rehearsal import county, telling
from reports.rehearsal.behaviour import AT_THE_END, HALF_DAYS, Fate, Way, way_of
from reports.rehearsal.counters import Counters, Deed
from reports.rehearsal.database import own_database
from reports.rehearsal.watching import Watcher

Step = Callable[[str], object]
SILENT = ("console", "file")  # SMS backends that reach nobody
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Options:
    """How large a rehearsal is, its seed, and whether its database stays for a look."""

    consumers: int
    rounds: int = 7
    seed: int = 1
    keep: bool = False
    beancount: Path | None = None  # where the books are to be written for bean-check
    # Neither is in the report, and neither changes it: in how many processes it is played, and who comes when.
    workers: int = 0  # 0: as many as the machine has processors, at most 4
    arrival: int = 0


@dataclass(frozen=True)
class Aside:
    """What is told beside the report because it is another one each time: how often the sums were read, and where."""

    snapshots: int
    longest_s: float  # the longest time between two snapshots
    beancount: Path | None
    database: str
    holders: str  # a digest of who drew which ticket: another one for each order of arrival


@dataclass
class Stage:
    """What every act needs."""

    options: Options
    campaign: Campaign
    people: dict[str, Staff]
    clerks: dict[str, list[int]]
    consumers: list[int]
    counters: Counters
    step: Step
    outcomes: Counter[str]
    acts: dict[str, Any]

    def staff(self, department: Department) -> Staff:
        return self.people[department.value]

    def agree(self, change: Any, checker: Department = Department.FINANCE) -> None:
        county.agree(change, self.staff(checker))


def move_clock(moment: dt.datetime) -> None:
    """Let the rehearsal's clock stand still at a moment; on its own database, as its owner."""
    clock.shift(frozen_at=moment, using="owner")


def rehearse(options: Options, step: Step = lambda name: None) -> tuple[dict[str, Any], Aside]:
    """Play a whole campaign; return its report, amounts in fen, and what stands beside it.

    ``step`` is told each act's name. Raises PermissionError where an SMS would reach somebody.
    """
    if settings.SMS_BACKEND not in SILENT:
        raise PermissionError(f"a rehearsal is not played where SMS_BACKEND is {settings.SMS_BACKEND}")
    step("建库")
    with own_database(keep=options.keep) as database:
        seeds.rehearse_from(str(options.seed).encode())
        people = county.staff()
        campaign = county.load(options.rounds, people, move_clock)
        clerks = county.clerks(campaign, people[Department.INDUSTRY])
        with Counters(options.workers) as counters, Watcher(campaign.pk) as watcher:
            step("绑定买家")
            consumers = counters.bind(options.consumers)
            stage = Stage(options, campaign, people, clerks, consumers, counters, step, Counter(), {"rounds": []})
            _play(stage)
        report = telling.report(stage, watcher)
        at_hand = Aside(watcher.snapshots, watcher.longest_s, _beancount(campaign, options), database, _holders())
    return report, at_hand


def _holders() -> str:
    rows = Draw.objects.order_by("deck", "ticket").values_list("deck", "ticket", "consumer")
    return hashlib.sha256(repr(list(rows)).encode()).hexdigest()[:12]


def _beancount(campaign: Campaign, options: Options) -> Path | None:
    if options.beancount is not None:
        with options.beancount.open("w", encoding="utf-8") as out:
            beancount.export(campaign, out)
    return options.beancount


def _play(stage: Stage) -> None:
    rounds = list(stage.campaign.rounds.order_by("number"))
    after = reallocate.after_round(stage.campaign)
    for round_ in rounds:
        _open(stage, round_)
        ways = _draw(stage, round_)
        _close_entries(stage, round_.number - 1)
        _spend(stage, round_, ways)
        _end(stage, round_, ways)
        _check(stage, f"第{round_.number}轮结束")
        if round_.number == after and after < len(rounds):
            _reallocate(stage)
    move_clock(rounds[-1].entry_until)
    _close_entries(stage, rounds[-1].number)
    lifecycle.sweep()
    publishing.reveal_due()
    made = _settle(stage)
    _close(stage, made)


def _open(stage: Stage, round_: Round) -> None:
    stage.step(f"第{round_.number}轮 备奖")
    move_clock(round_.opens_at - HOUR / 2)
    lifecycle.sweep()
    move_clock(round_.opens_at)


Ways = list[tuple[int, int, str, Way]]  # coupon, holder, category code, way


def _draw(stage: Stage, round_: Round) -> Ways:
    stage.step(f"第{round_.number}轮 抽奖")
    decks = round_.decks.select_related("category").order_by("category__position")
    wishes = []
    for deck in decks:
        order = list(stage.consumers)
        coming = f"{stage.options.seed}/{stage.options.arrival}/{round_.number}/{deck.category.code}"
        random.Random(coming).shuffle(order)  # noqa: S311
        wishes.append((deck.pk, order))
    stage.outcomes += stage.counters.draw(wishes)
    publishing.publish_heads()
    places = dict(Category.objects.filter(campaign=stage.campaign).values_list("code", "position"))
    rows = Coupon.objects.filter(round=round_).values_list("pk", "holder_id", "draw__ticket", "batch__category__code")
    return [
        (pk, holder, code, way_of(stage.options.seed, round_.number, code, places[code], ticket))
        for pk, holder, ticket, code in rows.order_by("batch__category__position", "draw__ticket")
    ]


_BUSY = {
    Fate.PLAIN: ("scan", "complete"),
    Fate.REVERSED_EARLY: ("scan", "complete"),
    Fate.REVERSED_LATE: ("scan", "complete"),
    Fate.PARTLY_REFUNDED: ("scan", "complete"),
    Fate.RECALLED_THEN_USED: ("scan", "recall", "scan", "complete"),
    Fate.RECALLED: ("scan", "recall"),
}


def _deed(stage: Stage, verbs: tuple[str, ...], coupon: int, holder: int, code: str, way: Way) -> Deed:
    shops = stage.clerks[code]
    return Deed(verbs, coupon, holder, shops[way.shop % len(shops)], way.bill_percent, way.kind)


def _spend(stage: Stage, round_: Round, ways: Ways) -> None:
    length = round_.closes_at - round_.opens_at
    for half_day in range(HALF_DAYS):
        stage.step(f"第{round_.number}轮 核销 {half_day + 1}/{HALF_DAYS}")
        move_clock(round_.opens_at + length * (half_day + 1) / (HALF_DAYS + 2))
        stage.outcomes += stage.counters.spend(
            _deed(stage, _BUSY[way.fate], pk, holder, code, way)
            for pk, holder, code, way in ways
            if way.fate in _BUSY and way.half_day == half_day
        )
    _reverse(stage, ways, Fate.REVERSED_EARLY, full_refund=True)
    _reverse(stage, ways, Fate.PARTLY_REFUNDED, full_refund=False)


def _reverse(stage: Stage, ways: Ways, fate: Fate, *, full_refund: bool) -> None:
    coupons = [pk for pk, _, _, way in ways if way.fate == fate]
    used = Redemption.objects.filter(coupon__in=coupons, state=Redemption.State.USED).order_by("pk")
    for found in used.order_by("coupon__batch__category__position", "coupon__draw__ticket"):
        change = reversal.propose(
            found.pk, full_refund=full_refund, maker=stage.staff(Department.MARKET), reason="演练：顾客退款"
        )
        stage.agree(change)
        stage.outcomes[fate.value] += 1


def _end(stage: Stage, round_: Round, ways: Ways) -> None:
    """Scan at the last minute, let the clock pass the end, book; then entries and recalls in the window."""
    stage.step(f"第{round_.number}轮 到期入账")
    late = [entry for entry in ways if entry[3].fate in AT_THE_END]
    move_clock(round_.closes_at - dt.timedelta(minutes=1))
    stage.outcomes += stage.counters.spend(_deed(stage, ("scan",), *entry) for entry in late)
    move_clock(round_.closes_at)
    lifecycle.sweep()
    publishing.publish_heads()
    publishing.reveal_due()
    move_clock(round_.closes_at + HOUR)
    for fate, verb in ((Fate.LATE_ENTRY, "complete"), (Fate.LATE_RECALL, "recall")):
        stage.outcomes += stage.counters.spend(_deed(stage, (verb,), *entry) for entry in late if entry[3].fate == fate)
    _reverse(stage, ways, Fate.REVERSED_LATE, full_refund=True)


def _close_entries(stage: Stage, number: int) -> None:
    """Let the window for entries of an earlier round pass: what was never entered is forfeited by the shop."""
    earlier = stage.campaign.rounds.filter(number=number).first()
    if earlier is None:
        return
    move_clock(max(earlier.entry_until, clock.now()))
    while done := redemption.forfeit_overdue():
        stage.outcomes["forfeited"] += done


def _check(stage: Stage, when: str) -> None:
    stage.step(f"{when} 核对账目")
    report = reconcile.check(stage.campaign)
    reconcile.freeze_if_red(stage.campaign, report.findings)
    stage.acts.setdefault("checks", []).append({"when": when, "findings": [f.as_dict() for f in report.findings]})


def _reallocate(stage: Stage) -> None:
    """Move a quarter of what the least used batch has in the pool to the most used; and see an odd move refused."""
    stage.step("品类调整")
    uses = [use for use in reallocate.use(stage.campaign, clock.now()) if use.use_rate is not None]
    if len(uses) < 2:
        return
    ranked = sorted(uses, key=lambda use: (use.use_rate or 0.0, use.batch.category.position, use.batch.face_fen))
    source = next((use for use in ranked if use.in_pool), ranked[0])
    target = next(use for use in reversed(ranked) if use.batch.pk != source.batch.pk)
    face, into = source.batch.face_fen, target.batch.face_fen
    count = source.in_pool // 4
    while count and count * face % into:
        count -= 1
    stage.acts["reallocation"] = {"refused": _odd_move_refused(uses)}
    if not count:
        return
    shifts = [reallocate.Shift(source.batch.pk, target.batch.pk, count)]
    before = reallocate.simulate(stage.campaign, shifts)
    change = reallocate.propose(
        stage.campaign, shifts, maker=stage.staff(Department.INDUSTRY), reason="演练：按使用情况调整"
    )
    stage.agree(change, Department.LEADERS)
    stage.acts["reallocation"] |= {
        "summary": change.summary,
        "simulated": [
            {"batch": f"{f.batch.category.name}{f.batch.name}", "before": f.before, "after": f.after}
            for f in before
            if f.before != f.after
        ],
    }


def _odd_move_refused(uses: Sequence[reallocate.BatchUse]) -> str:
    """Return the offer with which one 50-yuan coupon into 20-yuan ones is refused, '' where the plan has no such."""
    fifty = next((use.batch for use in uses if use.batch.face_fen == 5_000), None)
    twenty = next((use.batch for use in uses if use.batch.face_fen == 2_000), None)
    if fifty is None or twenty is None:
        return ""
    try:
        reallocate.exchange(fifty, twenty, 1)
    except Refusal as refused:
        return str(refused)
    return "accepted"


def _settle(stage: Stage) -> Settlement:
    stage.step("商家结算")
    auditor, bureau = stage.staff(Department.AUDIT), stage.staff(Department.INDUSTRY)
    made = settlement.freeze(settlement.collect(stage.campaign))
    for place, line in enumerate(made.lines.order_by("merchant__seq", "merchant_id")):
        settlement.give_opinion(line, AuditOpinion.Opinion.ACCEPT, "演练：抽查相符", auditor=auditor)
        if place % 5 == 2:
            _doubt(line, auditor)
    settlement.finish_audit(made, auditor=auditor)
    made.refresh_from_db()
    if settlement.refused_by_audit(made):
        stage.agree(settlement.propose_disallow(made, maker=auditor, reason="演练：按审计意见"))
        made.refresh_from_db()
    change = settlement.propose_settle(made, maker=bureau, reason="演练：按审计意见结算")
    due = settlement.due_at(stage.campaign)
    move_clock(due - dt.timedelta(seconds=1))
    try:
        stage.agree(change)
        stage.acts["settled_early"] = "accepted"
    except Refusal as refused:
        stage.acts["settled_early"] = refused.code
    move_clock(due)
    stage.agree(change)
    made.refresh_from_db()
    owed = made.lines.filter(counted_fen__gt=0).order_by("merchant__seq", "merchant_id")
    if owed:
        numbers = {line.pk: f"演付{place:04d}" for place, line in enumerate(owed, 1)}
        stage.agree(
            settlement.propose_pay(made, numbers, maker=stage.staff(Department.FINANCE), reason="演练：国库支付"),
            Department.LEADERS,
        )
        _claw_back(stage, owed[0])
    made.refresh_from_db()
    _check(stage, "结算")
    return made


def _doubt(line: SettlementLine, auditor: Staff) -> None:
    """Let the audit not accept a shop's first use that counts."""
    uses = line.details.filter(verdict=SettlementUse.Verdict.COUNTS)
    first = uses.order_by("redemption__coupon__round__number", "redemption__coupon__draw__ticket", "face_fen").first()
    if first is not None:
        settlement.give_opinion(line, AuditOpinion.Opinion.DISALLOW, "演练：票据不符", auditor=auditor, use=first)


def _claw_back(stage: Stage, line: SettlementLine) -> None:
    line.refresh_from_db()
    smallest = line.details.filter(verdict=SettlementUse.Verdict.COUNTS).order_by("face_fen").first()
    if smallest is not None:
        change = settlement.propose_claw_back(
            line, smallest.face_fen, maker=stage.staff(Department.INDUSTRY), reason="演练：复查追回"
        )
        stage.agree(change)


def _close(stage: Stage, made: Settlement) -> None:
    """Give the pool back (返还财政), carry the rest over (转作下一轮), close, and see one more write refused."""
    stage.step("结账")
    campaign, bureau = stage.campaign, stage.staff(Department.INDUSTRY)
    if closing.left(campaign.pk, (Account.POOL,)):
        stage.agree(closing.propose_return(campaign, maker=bureau, reason="演练：返还", kinds=(Account.POOL,)))
    if closing.left(campaign.pk):
        stage.agree(closing.propose_carry(campaign, maker=bureau, reason="演练：结转"))
    stage.agree(closing.propose_close(campaign, maker=bureau, reason="演练：结账"))
    _check(stage, "结账")
    try:
        approval.propose("launch", campaign, {}, summary="演练", reason="演练：结账之后", maker=bureau)
        stage.acts["write_after_closing"] = "accepted"
    except (Refusal, DatabaseError) as refused:
        stage.acts["write_after_closing"] = constraint_of(refused) or getattr(refused, "code", "refused")
    campaign.refresh_from_db()
