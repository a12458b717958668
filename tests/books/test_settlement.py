"""What each shop is owed: one reason for each use, the audit's word before the money, and the ledger to the fen."""

from __future__ import annotations

import datetime as dt
import hashlib
from io import BytesIO

import openpyxl
import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from coupons import approval, ledger
from coupons.ledger import Party
from coupons.models import Transfer
from coupons.models.books import Account
from huigou import clock
from huigou.errors import BAD_INPUT, FORBIDDEN, Refusal
from huigou.rules import constraint_of
from merchants import redemption, reversal
from merchants.models import Redemption
from reports import errors, reconcile, settlement, settlement_books
from reports.models import AuditOpinion, Settlement, SettlementLine, SettlementUse
from tests import factories
from tests.books import walk

pytestmark = pytest.mark.django_db(transaction=True)
Opinion, Verdict = AuditOpinion.Opinion, SettlementUse.Verdict
MICRO = dt.timedelta(microseconds=1)


def refusal(deed) -> object:  # type: ignore[no-untyped-def]
    with pytest.raises(Refusal) as refused:
        deed()
    return refused.value.reason


@pytest.fixture
def ended(county, at, bureau):  # type: ignore[no-untyped-def]
    """Two shops: six uses at the hot-pot place, of them one never entered and one reversed; two at 乾安饭庄."""
    li = factories.a_clerk(factories.a_merchant(county, name="乾安火锅店", seq=1), "李店员")
    wu = factories.a_clerk(factories.a_merchant(county, name="乾安饭庄", seq=2), "吴店员")
    coupons = factories.drawn_by_many(county, factories.some_consumers(9))
    for coupon in coupons[:4]:
        factories.used(coupon, li, 31_000)
    factories.scanned(coupons[4], li)  # never entered
    back = factories.used(coupons[5], li)
    factories.agreed(reversal.propose(back.pk, full_refund=True, maker=bureau, reason="退货"))
    for coupon in coupons[6:8]:
        factories.used(coupon, wu)
    walk.to_the_end(county, at)
    return county


def line_of(made: Settlement, name: str) -> SettlementLine:
    return made.lines.get(merchant__name=name)


def accept_all(made: Settlement, auditor) -> None:  # type: ignore[no-untyped-def]
    for line in made.lines.all():
        settlement.give_opinion(line, Opinion.ACCEPT, "抽查票据相符", auditor=auditor)


# ---- what counts, and why not


def test_each_use_counts_or_has_exactly_one_reason(ended):
    made = settlement.collect(ended.campaign)
    verdicts = settlement.summary(made)["verdicts"]
    assert {name: sums["uses"] for name, sums in verdicts.items() if sums["uses"]} == {
        "counts": 6,
        "no_entry": 1,
        "reversed": 1,
    }
    hot, house = line_of(made, "乾安火锅店"), line_of(made, "乾安饭庄")
    assert (hot.uses, hot.counted, hot.counted_fen, hot.spend_fen) == (6, 4, 40_000, 124_000)
    assert (house.uses, house.counted, house.counted_fen) == (2, 2, 20_000)
    owed = ledger.balances(ended.campaign.pk)
    assert owed[Party(Account.PAYABLE, hot.merchant_id)] == hot.counted_fen  # 100 %, to the fen
    assert owed[Party(Account.PAYABLE, house.merchant_id)] == house.counted_fen
    settlement.refuse_unless_ledger_agrees(made)


@pytest.mark.parametrize(
    ("state", "amount_fen", "verdict"),
    [
        (Redemption.State.USED, 30_000, Verdict.COUNTS),
        (Redemption.State.USED, 29_999, Verdict.UNDER),
        (Redemption.State.USED, None, Verdict.UNDER),
        (Redemption.State.FORFEITED, None, Verdict.NO_ENTRY),
        (Redemption.State.REVERSED, 30_000, Verdict.REVERSED),
        (Redemption.State.REVERSED, 1, Verdict.REVERSED),
    ],
)
def test_the_verdict_of_the_books_alone(db, state, amount_fen, verdict):
    assert settlement.verdict_of(Redemption(state=state, amount_fen=amount_fen, threshold_fen=30_000)) == verdict


def test_a_recalled_scan_is_no_use(county, wang, li, at):
    made = factories.scanned(factories.drawn(county, wang), li)
    redemption.recall(made.pk, ledger.SYSTEM, "顾客改主意")
    walk.to_the_end(county, at)
    assert settlement.collect(county.campaign).lines.count() == 0


def test_a_use_under_its_threshold_is_taken_out_with_what_the_audit_refuses(ended, auditor, leaders, as_owner):
    """The database refuses such an entry; should one stand there all the same, no shop is paid for it."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE merchants_redemption DROP CONSTRAINT redemption_threshold")
        cursor.execute("ALTER TABLE merchants_redemption DISABLE TRIGGER USER")
        cursor.execute("UPDATE merchants_redemption SET amount_fen = 29999 WHERE state = 'used' AND amount_fen = 30000")
    try:
        made = settlement.collect(ended.campaign)
        house = line_of(made, "乾安饭庄")
        assert (house.uses, house.counted, house.counted_fen) == (2, 0, 0)
        assert refusal(lambda: settlement.refuse_unless_ledger_agrees(made)) is errors.SETTLEMENT_DIFFERS
        Settlement.objects.filter(pk=made.pk).update(state="frozen", frozen_at=clock.now())
        made.refresh_from_db()
        factories.agreed(settlement.propose_disallow(made, maker=auditor, reason="未达门槛"), leaders)
        settlement.refuse_unless_ledger_agrees(made)
        assert set(house.details.values_list("verdict", flat=True)) == {"under"}
        assert ledger.balances(ended.campaign.pk)[Party(Account.DISALLOWED, house.merchant_id)] == 20_000
        assert refusal(lambda: settlement.propose_disallow(made, maker=auditor, reason="再")) is errors.NO_OPINION
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("UPDATE merchants_redemption SET amount_fen = 30000 WHERE amount_fen = 29999")
            cursor.execute(
                "ALTER TABLE merchants_redemption ADD CONSTRAINT redemption_threshold"
                " CHECK (amount_fen IS NULL OR amount_fen >= threshold_fen)"
            )
            cursor.execute("ALTER TABLE merchants_redemption ENABLE TRIGGER USER")


# ---- states and gates


def test_each_step_has_its_turn(ended, auditor, bureau, finance, at):
    made = settlement.collect(ended.campaign)
    line = made.lines.first()
    give = lambda: settlement.give_opinion(line, Opinion.ACCEPT, "可", auditor=auditor)  # noqa: E731
    out_of_turn = errors.SETTLEMENT_STATE
    assert refusal(give) is out_of_turn
    assert refusal(lambda: settlement.finish_audit(made, auditor=auditor)) is out_of_turn
    assert refusal(lambda: settlement.propose_settle(made, maker=bureau, reason="早")) is out_of_turn
    made = settlement.freeze(made)
    assert refusal(lambda: settlement.collect(ended.campaign)) is out_of_turn
    assert refusal(lambda: settlement.propose_settle(made, maker=bureau, reason="早")) is out_of_turn
    assert refusal(lambda: settlement.propose_pay(made, {line.pk: "1"}, maker=finance, reason="早")) is out_of_turn
    accept_all(made, auditor)
    made = settlement.finish_audit(made, auditor=auditor)
    assert refusal(give) is out_of_turn
    made = walk.paid(made, at)
    assert (made.state, made.lines.exclude(payment_no="").count()) == ("paid", 2)
    assert made.frozen_at <= made.audited_at <= made.approved_at <= made.paid_at
    assert reconcile.check(ended.campaign).findings == []


def test_nothing_is_locked_while_a_coupon_is_out(county, wang, li):
    factories.scanned(factories.drawn(county, wang), li)
    made = settlement.collect(county.campaign)
    assert refusal(lambda: settlement.freeze(made)) is errors.SETTLEMENT_OPEN


def test_once_locked_no_use_is_reversed(ended, bureau, leaders):
    use = Redemption.objects.filter(state="used").first()
    change = reversal.propose(use.pk, full_refund=True, maker=bureau, reason="退货")
    settlement.freeze(settlement.collect(ended.campaign))
    assert refusal(lambda: approval.approve(change.pk, leaders)).code == "settlement_frozen"


def test_the_audit_is_audits_and_has_words(ended, auditor, bureau):
    made = settlement.freeze(settlement.collect(ended.campaign))
    line = made.lines.first()
    give = settlement.give_opinion
    assert refusal(lambda: give(line, Opinion.ACCEPT, "可", auditor=bureau)) is FORBIDDEN
    assert refusal(lambda: settlement.finish_audit(made, auditor=bureau)) is FORBIDDEN
    assert refusal(lambda: give(line, Opinion.ACCEPT, "  ", auditor=auditor)) is BAD_INPUT
    assert refusal(lambda: give(line, "perhaps", "可", auditor=auditor)) is BAD_INPUT
    elsewhere = made.lines.last().details.first()
    assert refusal(lambda: give(line, Opinion.ACCEPT, "可", auditor=auditor, use=elsewhere)) is BAD_INPUT


def test_the_audit_ends_when_every_shop_or_each_of_its_uses_has_an_opinion(ended, auditor):
    made = settlement.freeze(settlement.collect(ended.campaign))
    hot, house = line_of(made, "乾安火锅店"), line_of(made, "乾安饭庄")
    settlement.give_opinion(hot, Opinion.ACCEPT, "整店认可", auditor=auditor)
    assert refusal(lambda: settlement.finish_audit(made, auditor=auditor)) is errors.AUDIT_MISSING
    first, second = house.details.order_by("pk")
    settlement.give_opinion(house, Opinion.ACCEPT, "逐笔一", auditor=auditor, use=first)
    assert refusal(lambda: settlement.finish_audit(made, auditor=auditor)) is errors.AUDIT_MISSING
    settlement.give_opinion(house, Opinion.ACCEPT, "逐笔二", auditor=auditor, use=second)
    assert settlement.finish_audit(made, auditor=auditor).state == "audited"


def test_an_opinion_is_never_rewritten(ended, auditor):
    made = settlement.freeze(settlement.collect(ended.campaign))
    settlement.give_opinion(made.lines.first(), Opinion.ACCEPT, "可", auditor=auditor)
    for verb in ("UPDATE reports_auditopinion SET text = '改'", "DELETE FROM reports_auditopinion"):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            connection.cursor().execute(verb)


def test_what_the_audit_refuses_is_taken_out_use_by_use_and_by_two_people(ended, auditor, leaders, bureau, finance, at):
    made = settlement.freeze(settlement.collect(ended.campaign))
    hot, house = line_of(made, "乾安火锅店"), line_of(made, "乾安饭庄")
    accept_all(made, auditor)
    one = hot.details.filter(verdict="counts").order_by("pk").first()
    settlement.give_opinion(hot, Opinion.DISALLOW, "票据不符", auditor=auditor, use=one)
    settlement.give_opinion(house, Opinion.BREACH, "违反承诺书，全部不予补贴", auditor=auditor)
    made = settlement.finish_audit(made, auditor=auditor)
    due = settlement.due_at(ended.campaign)
    at(due)
    settle = settlement.propose_settle(made, maker=bureau, reason="结算")
    assert refusal(lambda: approval.approve(settle.pk, finance)) is errors.DISALLOW_PENDING
    factories.agreed(settlement.propose_disallow(made, maker=auditor, reason="按审计意见"), leaders)
    verdicts = settlement.summary(made)["verdicts"]
    assert (verdicts["disallowed"]["uses"], verdicts["breach"]["uses"], verdicts["counts"]["uses"]) == (1, 2, 3)
    found = ledger.balances(ended.campaign.pk)
    assert found[Party(Account.DISALLOWED, hot.merchant_id)] == 10_000
    assert found[Party(Account.DISALLOWED, house.merchant_id)] == 20_000
    made.refresh_from_db()
    # The request names the content of before: it is void, a new one names what is left.
    assert refusal(lambda: approval.approve(settle.pk, finance)) is errors.SETTLEMENT_DIFFERS
    factories.agreed(settlement.propose_settle(made, maker=bureau, reason="结算"), finance)
    assert reconcile.check(ended.campaign).findings == []


def test_a_disallowance_whose_opinion_was_withdrawn_meanwhile_is_void(ended, auditor, leaders):
    made = settlement.freeze(settlement.collect(ended.campaign))
    house = line_of(made, "乾安饭庄")
    settlement.give_opinion(house, Opinion.DISALLOW, "票据不符", auditor=auditor)
    change = settlement.propose_disallow(made, maker=auditor, reason="按审计意见")
    settlement.give_opinion(house, Opinion.ACCEPT, "补交票据，认可", auditor=auditor)
    assert refusal(lambda: approval.approve(change.pk, leaders)) is errors.NO_OPINION
    house.refresh_from_db()
    assert house.counted_fen == 20_000


def test_it_is_not_approved_a_second_before_a_month_after_the_end(ended, bureau, finance, at):
    made = walk.audited(ended.campaign)
    end = ended.rounds[-1].closes_at
    due = settlement.due_at(ended.campaign)
    assert due == end + dt.timedelta(days=31)
    change = settlement.propose_settle(made, maker=bureau, reason="结算")
    at(due - dt.timedelta(seconds=1))
    assert refusal(lambda: approval.approve(change.pk, finance)) is errors.SETTLEMENT_EARLY
    at(due - MICRO)
    assert refusal(lambda: approval.approve(change.pk, finance)) is errors.SETTLEMENT_EARLY
    at(due)
    assert approval.approve(change.pk, finance).state == "approved"


def test_a_month_after_the_countys_end_is_the_thirtieth_of_august(at):
    """6/25 to 7/29 24:00, and 活动结束后一个月后: the setting's 31 days and the calendar's month agree."""
    at("2022-06-24 09:00")
    county = factories.a_county(rounds=7)
    assert clock.spoken(settlement.due_at(county.campaign), end=True) == "8月29日24:00"


def test_an_approved_settlement_is_exact(ended, bureau, finance, at):
    made = walk.audited(ended.campaign)
    at(settlement.due_at(ended.campaign))
    factories.agreed(settlement.propose_settle(made, maker=bureau, reason="结算"), finance)
    for statement in ("UPDATE reports_settlementuse SET verdict = 'breach'", "DELETE FROM reports_settlementuse"):
        with pytest.raises(DatabaseError) as refused, transaction.atomic():
            connection.cursor().execute(statement)
        assert constraint_of(refused.value) == "settlement_is_exact"
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Settlement.objects.filter(pk=made.pk).update(approval=None)
    assert constraint_of(refused.value) == "settlement_approved_by_two"


# ---- payment and claw-back


@pytest.fixture
def paid(ended, at) -> Settlement:
    return walk.paid(walk.audited(ended.campaign), at)


def test_a_payment_carries_its_number_and_is_the_whole_sum_once(ended, bureau, finance, leaders, at):
    made = walk.audited(ended.campaign)
    at(settlement.due_at(ended.campaign))
    factories.agreed(settlement.propose_settle(made, maker=bureau, reason="结算"), finance)
    made.refresh_from_db()
    hot, house = line_of(made, "乾安火锅店"), line_of(made, "乾安饭庄")
    assert refusal(lambda: settlement.propose_pay(made, {hot.pk: "  "}, maker=finance, reason="付款")) is BAD_INPUT
    twice = [settlement.propose_pay(made, {hot.pk: "财付00001"}, maker=finance, reason="付款") for _ in range(2)]
    approval.approve(twice[0].pk, leaders)
    assert refusal(lambda: approval.approve(twice[1].pk, leaders)) is errors.PAYMENT_EXCEEDS
    hot.refresh_from_db()
    made.refresh_from_db()
    assert (hot.paid_fen, hot.payment_no, made.state) == (40_000, "财付00001", "approved")
    approval.approve(settlement.propose_pay(made, {house.pk: "财付00002"}, maker=finance, reason="付款").pk, leaders)
    made.refresh_from_db()
    assert made.state == "paid"
    for line in made.lines.all():
        assert ledger.balance_fen(ended.campaign.pk, Party(Account.PAID, line.merchant_id)) == line.counted_fen


def test_a_claw_back_is_its_own_transfer_and_never_above_what_was_paid(paid, bureau, finance):
    line = line_of(paid, "乾安火锅店")
    ask = lambda fen: settlement.propose_claw_back(line, fen, maker=bureau, reason="复查")  # noqa: E731
    for wrong in (0, -1, 40_001):
        assert refusal(lambda fen=wrong: ask(fen)) is errors.PAYMENT_EXCEEDS
    first, second = ask(30_000), ask(30_000)
    approval.approve(first.pk, finance)
    assert refusal(lambda: approval.approve(second.pk, finance)) is errors.PAYMENT_EXCEEDS
    moved = Transfer.objects.get(code=Transfer.Code.CLAW_BACK)
    assert (moved.debit_kind, moved.credit_kind, moved.amount_fen) == ("paid", "disallowed", 30_000)
    line.refresh_from_db()
    assert (line.paid_fen, line.clawed_back_fen) == (40_000, 30_000)
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        SettlementLine.objects.filter(pk=line.pk).update(clawed_back_fen=40_001)
    assert constraint_of(refused.value) == "line_claw_back_within_paid"
    assert reconcile.check(paid.campaign).findings == []


# ---- workbooks


def test_built_twice_it_is_the_same_bytes(ended, tmp_path):
    first = settlement.collect(ended.campaign)
    content, books = settlement.as_bytes(first), dict(settlement_books.books(first))
    again = settlement.collect(ended.campaign)
    assert (settlement.as_bytes(again), dict(settlement_books.books(again))) == (content, books)
    assert again.sha256 == hashlib.sha256(content).hexdigest()
    call_command("build_settlement", out=tmp_path / "a")
    call_command("build_settlement", out=tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["001-乾安火锅店.xlsx", "002-乾安饭庄.xlsx", "SHA256SUMS", "结算汇总.xlsx"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_one_workbook_for_the_campaign_and_one_per_shop(ended):
    made = settlement.collect(ended.campaign)
    books = dict(settlement_books.books(made))
    whole = openpyxl.load_workbook(BytesIO(books["结算汇总.xlsx"]))["商家结算"]
    rows = list(whole.iter_rows(values_only=True))
    assert [row[1] for row in rows[1:3]] == ["乾安火锅店", "乾安饭庄"]
    at_column = rows[0].index("补贴金额（元）")
    assert [row[at_column] for row in rows[1:]] == [400, 200, 600]
    hot = openpyxl.load_workbook(BytesIO(books["001-乾安火锅店.xlsx"]))["明细"]
    verdicts = [row[11] for row in hot.iter_rows(min_row=2, max_row=7, values_only=True)]
    assert sorted(verdicts) == sorted(["计入"] * 4 + ["未录入（视为放弃）", "已退回"])
