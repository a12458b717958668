"""What the county owes each shop, from the uses to the payment (plan, clauses 6.4 and 8.2).

Every use counts or does not, for exactly one reason; 100 % of what counts is paid. States: collected, frozen, audited,
approved, paid. Not approved before ``settle_after_days`` after the end; gated by 审计局's opinion on every shop.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet, Sum

from coupons import approval, ledger
from coupons.ledger import Actor, Move, Party
from coupons.lifecycle import freezing
from coupons.models import Campaign, ChangeRequest, Coupon, Transfer
from coupons.models.books import Account, ActorKind
from huigou import clock
from huigou.errors import BAD_INPUT, FORBIDDEN
from huigou.models import Department, Staff
from huigou.money import yuan
from merchants.models import Redemption
from reports import errors, reconcile
from reports.models import AuditOpinion, Settlement, SettlementLine, SettlementUse

State = Settlement.State
Verdict = SettlementUse.Verdict
Opinion = AuditOpinion.Opinion
NAMED = 5  # shops named in a refusal


# ---- collect and freeze


def collect(campaign: Campaign) -> Settlement:
    """Build a campaign's settlement from its redemptions; again as often as wanted until it is frozen.

    Built twice from the same books it is the same, byte for byte (``as_bytes``).
    """
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        now = clock.now()
        settlement, _ = Settlement.objects.get_or_create(campaign=campaign, defaults={"built_at": now})
        _refuse_unless(settlement, State.COLLECTED)
        SettlementUse.objects.filter(line__settlement=settlement).delete()
        settlement.lines.all().delete()
        _write_lines(settlement, uses_of(campaign))
        settlement.built_at = now
        settlement.sha256 = hashlib.sha256(as_bytes(settlement)).hexdigest()
        settlement.save(update_fields=["built_at", "sha256"])
    return settlement


def uses_of(campaign: Campaign) -> QuerySet[Redemption]:
    """Return every use of the campaign: entered, never entered, or reversed. A recalled scan is no use."""
    return Redemption.objects.filter(
        merchant__campaign=campaign,
        state__in=[Redemption.State.USED, Redemption.State.FORFEITED, Redemption.State.REVERSED],
    ).order_by("merchant__seq", "merchant_id", "pk")


def verdict_of(use: Redemption) -> Verdict:
    """Return what the books alone say of a use; the audit's opinion comes later."""
    if use.state == Redemption.State.FORFEITED:
        return Verdict.NO_ENTRY
    if use.state == Redemption.State.REVERSED:
        return Verdict.REVERSED
    if use.amount_fen is None or use.amount_fen < use.threshold_fen:
        return Verdict.UNDER
    return Verdict.COUNTS


def _write_lines(settlement: Settlement, uses: Iterable[Redemption]) -> None:
    by_merchant: dict[int, list[Redemption]] = defaultdict(list)
    for use in uses:
        by_merchant[use.merchant_id].append(use)
    for merchant_id, own in by_merchant.items():
        counted = [use for use in own if verdict_of(use) == Verdict.COUNTS]
        line = SettlementLine.objects.create(
            settlement=settlement,
            merchant_id=merchant_id,
            uses=len(own),
            counted=len(counted),
            counted_fen=sum(use.face_fen for use in counted),
            spend_fen=sum(use.amount_fen or 0 for use in counted),
        )
        SettlementUse.objects.bulk_create(
            SettlementUse(line=line, redemption=use, verdict=verdict_of(use), face_fen=use.face_fen) for use in own
        )


def as_bytes(settlement: Settlement) -> bytes:
    """Return the settlement's content as canonical JSON: what its SHA-256 is taken of."""
    lines = [
        {
            "merchant": line.merchant.name,
            "uses": line.uses,
            "counted": line.counted,
            "counted_fen": line.counted_fen,
            "spend_fen": line.spend_fen,
            "details": [
                list(row)
                for row in line.details.order_by("redemption").values_list("redemption", "verdict", "face_fen")
            ],
        }
        for line in settlement.lines.select_related("merchant").order_by("merchant__seq", "merchant_id")
    ]
    content = {"campaign": settlement.campaign.code, "lines": lines}
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def freeze(settlement: Settlement) -> Settlement:
    """Fix the content: from here on no use is reversed. The books are checked in full before; call it outside of any
    transaction. Raises FROZEN on red books, SETTLEMENT_OPEN while a coupon is out or a round unbooked.
    """
    reconcile.guard(settlement.campaign, "结算锁定")
    with transaction.atomic():
        settlement = _locked(settlement.pk, State.COLLECTED)
        campaign = settlement.campaign
        freezing.refuse_if_frozen(campaign.pk, "结算")
        live = Coupon.objects.live().filter(round__campaign=campaign).count()
        if live or campaign.rounds.filter(booked_at=None).exists():
            raise errors.SETTLEMENT_OPEN(count=live)
        collect(campaign)
        settlement.refresh_from_db()
        settlement.state, settlement.frozen_at = State.FROZEN, clock.now()
        settlement.save(update_fields=["state", "frozen_at"])
    return settlement


def _locked(settlement_id: int, *states: str) -> Settlement:
    settlement = Settlement.objects.select_for_update(of=("self",)).select_related("campaign").get(pk=settlement_id)
    _refuse_unless(settlement, *states)
    return settlement


def _refuse_unless(settlement: Settlement, *states: str) -> None:
    if settlement.state not in states:
        raise errors.SETTLEMENT_STATE(state=settlement.get_state_display())


# ---- the audit


def give_opinion(
    line: SettlementLine, opinion: str, text: str, *, auditor: Staff, use: SettlementUse | None = None
) -> AuditOpinion:
    """Record 审计局's opinion on a shop's part, or on one use of it; the latest one stands.

    Raises FORBIDDEN for anybody else, BAD_INPUT without text, SETTLEMENT_STATE unless it is frozen.
    """
    if auditor.department != Department.AUDIT:
        raise FORBIDDEN()
    if not text.strip() or opinion not in Opinion.values or (use is not None and use.line_id != line.pk):
        raise BAD_INPUT(what="审计意见")
    with transaction.atomic():
        _locked(line.settlement_id, State.FROZEN)
        return AuditOpinion.objects.create(
            line=line, use=use, opinion=opinion, text=text.strip(), auditor=auditor, at=clock.now()
        )


def finish_audit(settlement: Settlement, *, auditor: Staff) -> Settlement:
    """Close the audit once every shop has an opinion, as a whole or on each of its uses. Raises AUDIT_MISSING."""
    if auditor.department != Department.AUDIT:
        raise FORBIDDEN()
    with transaction.atomic():
        settlement = _locked(settlement.pk, State.FROZEN)
        missing = [line.merchant.name for line in settlement.lines.select_related("merchant") if not _is_audited(line)]
        if missing:
            raise errors.AUDIT_MISSING(count=len(missing), who="、".join(missing[:NAMED]))
        settlement.state, settlement.audited_at = State.AUDITED, clock.now()
        settlement.save(update_fields=["state", "audited_at"])
    return settlement


def _is_audited(line: SettlementLine) -> bool:
    opinions = line.opinions
    if opinions.filter(use=None).exists():
        return True
    return opinions.exclude(use=None).values("use").distinct().count() == line.uses


def refused_by_audit(settlement: Settlement) -> dict[int, str]:
    """Return {use id: verdict} of the uses to be taken out and not taken out yet: what the audit does not accept.

    A use under its threshold, should one ever stand in the books, goes with them: the ledger still owes its face.
    """
    latest: dict[tuple[int, int | None], AuditOpinion] = {}
    for given in AuditOpinion.objects.filter(line__settlement=settlement).order_by("pk"):
        latest[given.line_id, given.use_id] = given
    wanted = {}
    counted = SettlementUse.objects.filter(line__settlement=settlement, verdict=Verdict.COUNTS)
    for use_id, line_id in counted.order_by("pk").values_list("pk", "line_id"):
        # An opinion on the very use goes before the one on the whole shop.
        stands = latest.get((line_id, use_id)) or latest.get((line_id, None))
        if stands is not None and stands.opinion != Opinion.ACCEPT:
            wanted[use_id] = Verdict.BREACH if stands.opinion == Opinion.BREACH else Verdict.DISALLOWED
    under = SettlementUse.objects.filter(line__settlement=settlement, verdict=Verdict.UNDER)
    out = Transfer.objects.filter(code=Transfer.Code.DISALLOW, subject_kind="redemption")
    wanted |= {
        use: Verdict.UNDER
        for use, redemption in under.values_list("pk", "redemption")
        if not out.filter(campaign=settlement.campaign, subject_id=redemption).exists()
    }
    return {use: str(verdict) for use, verdict in wanted.items()}


# ---- money


def _actor(change: ChangeRequest) -> Actor:
    return Actor(ActorKind.STAFF, change.checker_id)


def propose_disallow(settlement: Settlement, *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for what the audit did not accept to be taken out; raises NO_OPINION when there is nothing."""
    _refuse_unless(settlement, State.FROZEN, State.AUDITED)
    wanted = refused_by_audit(settlement)
    if not wanted:
        raise errors.NO_OPINION()
    total = SettlementUse.objects.filter(pk__in=wanted).aggregate(s=Sum("face_fen"))["s"]
    return approval.propose(
        "disallow",
        settlement.campaign,
        {"settlement": settlement.pk, "uses": {str(use): verdict for use, verdict in wanted.items()}},
        summary=f"不予补贴 {len(wanted)} 笔，{yuan(total)} 元",
        reason=reason,
        maker=maker,
    )


@approval.executes("disallow")
def disallow(change: ChangeRequest) -> None:
    """Take uses out of what counts, and their money out of what is owed to the shop, use by use.

    Raises NO_OPINION when the opinions are no longer those of the request.
    """
    settlement = _locked(change.payload["settlement"], State.FROZEN, State.AUDITED)
    freezing.refuse_if_frozen(change.campaign_id, "不予补贴")
    wanted = refused_by_audit(settlement)
    if {str(use): verdict for use, verdict in wanted.items()} != change.payload["uses"]:
        raise errors.NO_OPINION()
    moves = []
    for use_id, verdict in sorted(change.payload["uses"].items(), key=lambda item: int(item[0])):
        use = SettlementUse.objects.select_related("redemption").get(pk=use_id, line__settlement=settlement)
        line = SettlementLine.objects.get(pk=use.line_id)
        if use.verdict == Verdict.COUNTS:
            use.verdict = verdict
            use.save(update_fields=["verdict"])
            line.counted, line.counted_fen = line.counted - 1, line.counted_fen - use.face_fen
            line.spend_fen -= use.redemption.amount_fen or 0
            line.save(update_fields=["counted", "counted_fen", "spend_fen"])
        debit, credit = Party(Account.PAYABLE, line.merchant_id), Party(Account.DISALLOWED, line.merchant_id)
        moves.append(
            Move(
                Transfer.Code.DISALLOW,
                debit,
                credit,
                use.face_fen,
                subject_kind="redemption",
                subject_id=use.redemption_id,
            )
        )
    ledger.post(change.campaign_id, moves, actor=_actor(change), at=clock.now(), change=change)
    settlement.sha256 = hashlib.sha256(as_bytes(settlement)).hexdigest()
    settlement.save(update_fields=["sha256"])


def due_at(campaign: Campaign) -> dt.datetime:
    """Return the first moment at which a settlement may be approved (plan, clause 8.2: 活动结束后一个月后)."""
    end: dt.datetime = campaign.rounds.aggregate(end=Max("closes_at"))["end"]
    return clock.local(end) + dt.timedelta(days=campaign.settle_after_days)


def propose_settle(settlement: Settlement, *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for the settlement to be approved as it stands, by its SHA-256."""
    _refuse_unless(settlement, State.AUDITED)
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
    settlement = _locked(change.payload["settlement"], State.AUDITED)
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
    _refuse_unless(settlement, State.APPROVED)
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
    settlement = _locked(change.payload["settlement"], State.APPROVED)
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
    ledger.post(change.campaign_id, moves, actor=_actor(change), at=now, change=change)
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
    ledger.post(change.campaign_id, [move], actor=_actor(change), at=clock.now(), change=change)


def summary(settlement: Settlement) -> dict[str, Any]:
    """Return the settlement's figures in fen: for the command, the page and the report of a rehearsal."""
    verdicts: dict[str, dict[str, int]] = {v.value: {"uses": 0, "fen": 0} for v in Verdict}
    rows = SettlementUse.objects.filter(line__settlement=settlement).values_list("verdict", "face_fen")
    for verdict, fen in rows:
        verdicts[verdict]["uses"] += 1
        verdicts[verdict]["fen"] += fen
    sums = settlement.lines.aggregate(
        counted_fen=Sum("counted_fen"), paid_fen=Sum("paid_fen"), clawed_back_fen=Sum("clawed_back_fen")
    )
    return {
        "state": settlement.state,
        "shops": settlement.lines.count(),
        **{key: value or 0 for key, value in sums.items()},
        "verdicts": verdicts,
        "sha256": settlement.sha256,
    }
