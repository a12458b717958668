"""审计局's word on each shop or use, and what it does not accept taken out of what is owed."""

from __future__ import annotations

import hashlib

from django.db import transaction
from django.db.models import Sum

from coupons import approval, ledger
from coupons.ledger import Move, Party
from coupons.lifecycle import freezing
from coupons.models import ChangeRequest, Transfer
from coupons.models.books import Account
from huigou import clock
from huigou.errors import BAD_INPUT, FORBIDDEN
from huigou.models import Department, Staff
from huigou.money import yuan
from reports import errors
from reports.models import AuditOpinion, Settlement, SettlementLine, SettlementUse
from reports.settlement.collecting import as_bytes
from reports.settlement.states import State, actor_of, locked, refuse_unless

Verdict = SettlementUse.Verdict
Opinion = AuditOpinion.Opinion
NAMED = 5  # shops named in a refusal


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
        locked(line.settlement_id, State.FROZEN)
        return AuditOpinion.objects.create(
            line=line, use=use, opinion=opinion, text=text.strip(), auditor=auditor, at=clock.now()
        )


def finish_audit(settlement: Settlement, *, auditor: Staff) -> Settlement:
    """Close the audit once every shop has an opinion, as a whole or on each of its uses. Raises AUDIT_MISSING."""
    if auditor.department != Department.AUDIT:
        raise FORBIDDEN()
    with transaction.atomic():
        settlement = locked(settlement.pk, State.FROZEN)
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


def propose_disallow(settlement: Settlement, *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for what the audit did not accept to be taken out; raises NO_OPINION when there is nothing."""
    refuse_unless(settlement, State.FROZEN, State.AUDITED)
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
    settlement = locked(change.payload["settlement"], State.FROZEN, State.AUDITED)
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
    ledger.post(change.campaign_id, moves, actor=actor_of(change), at=clock.now(), change=change)
    settlement.sha256 = hashlib.sha256(as_bytes(settlement)).hexdigest()
    settlement.save(update_fields=["sha256"])
