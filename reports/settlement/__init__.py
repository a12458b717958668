"""What the county owes each shop, from the uses to the payment (plan, clauses 6.4 and 8.2).

Every use counts or does not, for exactly one reason; 100 % of what counts is paid. States: collected, frozen, audited,
approved, paid. Not approved before ``settle_after_days`` after the end; gated by 审计局's opinion on every shop.
"""

from reports.settlement.auditing import disallow, finish_audit, give_opinion, propose_disallow, refused_by_audit
from reports.settlement.collecting import as_bytes, collect, freeze, summary, uses_of, verdict_of
from reports.settlement.paying import (
    claw_back,
    due_at,
    pay,
    propose_claw_back,
    propose_pay,
    propose_settle,
    refuse_unless_ledger_agrees,
    settle,
)

__all__ = [
    "as_bytes",
    "claw_back",
    "collect",
    "disallow",
    "due_at",
    "finish_audit",
    "freeze",
    "give_opinion",
    "pay",
    "propose_claw_back",
    "propose_disallow",
    "propose_pay",
    "propose_settle",
    "refuse_unless_ledger_agrees",
    "refused_by_audit",
    "settle",
    "summary",
    "uses_of",
    "verdict_of",
]
