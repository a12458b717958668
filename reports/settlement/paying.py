"""Approve from a month after the end, record 财政局's payments, and claw back what should not have been paid."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping

from django.db.models import Max, Sum

from coupons import approval, ledger
from coupons.ledger import Move, Party
from coupons.lifecycle import freezing
from coupons.models import Campaign, ChangeRequest, Transfer
from coupons.models.books import Account
from huigou import clock
from huigou.errors import BAD_INPUT
from huigou.models import Staff
from huigou.money import yuan
from reports import errors
from reports.models import Settlement, SettlementLine
from reports.settlement.auditing import refused_by_audit
from reports.settlement.collecting import as_bytes
from reports.settlement.states import State, actor_of, locked, refuse_unless


def due_at(campaign: Campaign) -> dt.datetime:
    """Return the first moment at which a settlement may be approved (plan, clause 8.2: 活动结束后一个月后)."""
    end: dt.datetime = campaign.rounds.aggregate(end=Max("closes_at"))["end"]
    return clock.local(end) + dt.timedelta(days=campaign.settle_after_days)


def propose_settle(settlement: Settlement, *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for the settlement to be approved as it stands, by its SHA-256."""
    refuse_unless(settlement, State.AUDITED)
    total = settlement.lines.aggregate(s=Sum("counted_fen"))["s"] or 0
    return approval.propose(
        "settle",
        settlement.campaign,
        {"settlement": settlement.pk, "sha256": settlement.sha256, "counted_fen": total},
        summary=f"批准结算，{settlement.lines.count()} 家商家，{yuan(total)} 元",
        reason=reason,
        maker=maker,
    )


@approval.executes("settle")
def settle(change: ChangeRequest) -> None:
    """Approve the settlement.

    Raises SETTLEMENT_EARLY before its day, DISALLOW_PENDING, SETTLEMENT_DIFFERS unless every shop's sum is what the
    ledger owes it.
    """
    settlement = locked(change.payload["settlement"], State.AUDITED)
    freezing.refuse_if_frozen(change.campaign_id, "结算")
    now = clock.now()
    due = due_at(settlement.campaign)
    if now < due:
        raise errors.SETTLEMENT_EARLY(days=settlement.campaign.settle_after_days, when=clock.spoken(due, end=True))
    if pending := refused_by_audit(settlement):
        raise errors.DISALLOW_PENDING(count=len(pending))
    content = hashlib.sha256(as_bytes(settlement)).hexdigest()
    if content != change.payload["sha256"]:
        raise errors.SETTLEMENT_DIFFERS(merchant=str(settlement))
    refuse_unless_ledger_agrees(settlement)
    settlement.state, settlement.approved_at, settlement.approval = State.APPROVED, now, change
    settlement.save(update_fields=["state", "approved_at", "approval"])


def refuse_unless_ledger_agrees(settlement: Settlement) -> None:
    """Raise SETTLEMENT_DIFFERS unless each shop's counted sum is, to the fen, what the ledger owes it."""
    owed = {
        party.key: fen
        for party, fen in ledger.balances(settlement.campaign_id).items()
        if party.kind == Account.PAYABLE and fen
    }
    for line in settlement.lines.select_related("merchant"):
        if owed.pop(line.merchant_id, 0) != line.counted_fen - line.paid_fen:
            raise errors.SETTLEMENT_DIFFERS(merchant=line.merchant.name)
    if owed:
        raise errors.SETTLEMENT_DIFFERS(merchant=f"商家 {min(owed)}")


def propose_pay(settlement: Settlement, payments: Mapping[int, str], *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for payments to be recorded: {line id: 财政局's payment number}, each of the line's whole sum."""
    refuse_unless(settlement, State.APPROVED)
    lines = {line.pk: line for line in settlement.lines.all()}
    if not payments or any(
        key not in lines or not number.strip() or not lines[key].counted_fen or lines[key].paid_fen
        for key, number in payments.items()
    ):
        raise BAD_INPUT(what="付款凭证号")
    total = sum(lines[key].counted_fen for key in payments)
    content = [[key, number.strip(), lines[key].counted_fen] for key, number in sorted(payments.items())]
    return approval.propose(
        "pay",
        settlement.campaign,
        {"settlement": settlement.pk, "payments": content},
        summary=f"登记付款 {len(payments)} 家，{yuan(total)} 元",
        reason=reason,
        maker=maker,
    )


@approval.executes("pay")
def pay(change: ChangeRequest) -> None:
    """Record payments with their numbers; the settlement is paid when nothing is owed any more."""
    settlement = locked(change.payload["settlement"], State.APPROVED)
    freezing.refuse_if_frozen(change.campaign_id, "付款")
    now = clock.now()
    moves = []
    for line_id, number, fen in change.payload["payments"]:
        line = SettlementLine.objects.select_related("merchant").get(pk=line_id, settlement=settlement)
        if line.paid_fen or fen != line.counted_fen:
            raise errors.PAYMENT_EXCEEDS(merchant=line.merchant.name, limit=yuan(line.counted_fen - line.paid_fen))
        line.paid_fen, line.payment_no, line.paid_at = fen, number, now
        line.save(update_fields=["paid_fen", "payment_no", "paid_at"])
        debit, credit = Party(Account.PAYABLE, line.merchant_id), Party(Account.PAID, line.merchant_id)
        moves.append(Move(Transfer.Code.PAY, debit, credit, fen, subject_kind="line", subject_id=line.pk))
    ledger.post(change.campaign_id, moves, actor=actor_of(change), at=now, change=change)
    if not settlement.lines.filter(counted_fen__gt=0, paid_fen=0).exists():
        settlement.state, settlement.paid_at = State.PAID, now
        settlement.save(update_fields=["state", "paid_at"])


def propose_claw_back(line: SettlementLine, amount_fen: int, *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for a paid subsidy to be taken back, never above what was paid."""
    _refuse_over(line, amount_fen)
    return approval.propose(
        "clawback",
        line.settlement.campaign,
        {"line": line.pk, "fen": amount_fen},
        summary=f"向{line.merchant.name}追回补贴 {yuan(amount_fen)} 元",
        reason=reason,
        maker=maker,
    )


def _refuse_over(line: SettlementLine, amount_fen: int) -> None:
    limit = line.paid_fen - line.clawed_back_fen
    if not 0 < amount_fen <= limit:
        raise errors.PAYMENT_EXCEEDS(merchant=line.merchant.name, limit=yuan(limit))


@approval.executes("clawback")
def claw_back(change: ChangeRequest) -> None:
    """Book a claw-back as its own transfer; what comes back waits with the disallowed for the closing."""
    freezing.refuse_if_frozen(change.campaign_id, "追回补贴")
    line = (
        SettlementLine.objects.select_for_update(of=("self",)).select_related("merchant").get(pk=change.payload["line"])
    )
    amount_fen = change.payload["fen"]
    _refuse_over(line, amount_fen)
    line.clawed_back_fen += amount_fen
    line.save(update_fields=["clawed_back_fen"])
    debit, credit = Party(Account.PAID, line.merchant_id), Party(Account.DISALLOWED, line.merchant_id)
    move = Move(Transfer.Code.CLAW_BACK, debit, credit, amount_fen, subject_kind="line", subject_id=line.pk)
    ledger.post(change.campaign_id, [move], actor=actor_of(change), at=clock.now(), change=change)
