"""Invariants on sums: every account against another way to the same figure. Each check reads all of them."""

from __future__ import annotations

from collections.abc import Iterator

from coupons.models import Balance, ChangeRequest
from coupons.models.books import Account
from huigou.money import yuan
from reports.models import SettlementLine
from reports.reconcile.snapshot import Finding, Snapshot, finding

KINDS = dict(Account.choices)


def sums_to_zero(s: Snapshot) -> Iterator[Finding]:
    """各账户合计为零，流水金额为正。"""
    total = sum(s.balances.values())
    if total:
        yield finding("sum_not_zero", f"各账户合计应为零，现为 {yuan(total)} 元", total)
    for flow in s.flows:
        if flow.least_fen <= 0 or flow.debit == flow.credit:
            way = f"{KINDS[flow.debit.kind]} {flow.debit.key} → {KINDS[flow.credit.kind]} {flow.credit.key}"
            text = f"流水金额不为正或转出转入相同：{way}，最小一笔 {yuan(flow.least_fen)} 元"
            yield finding("bad_amount", text, flow.code, *flow.debit, *flow.credit, flow.least_fen)


def treasury_gave_what_was_approved(s: Snapshot) -> Iterator[Finding]:
    """财政拨款之外各账户合计等于批准拨入的资金，不超过资金总额。"""
    inside = sum(fen for party, fen in s.balances.items() if party.kind != Account.TREASURY)
    funds = ChangeRequest.objects.filter(campaign=s.campaign, verb="fund", executed_at__isnull=False)
    approved = sum(sum(change.payload["batches"].values()) for change in funds)
    if inside != approved:
        text = f"账内资金 {yuan(inside)} 元，批准拨入 {yuan(approved)} 元"
        yield finding("not_as_funded", text, inside - approved)
    if inside > s.campaign.budget_fen:
        text = f"账内资金 {yuan(inside)} 元超过资金总额 {yuan(s.campaign.budget_fen)} 元"
        yield finding("over_budget", text, inside - s.campaign.budget_fen)


def nothing_negative(s: Snapshot) -> Iterator[Finding]:
    """财政拨款之外没有负数账户。"""
    for party, fen in sorted(s.balances.items()):
        if fen < 0 and party.kind != Account.TREASURY:
            yield finding("negative", f"{KINDS[party.kind]} {party.key} 为 {yuan(fen)} 元", *party, fen)


def _differences(
    s: Snapshot,
    code: str,
    kind: str,
    booked: dict[int, int],
    other: dict[int, int],
    path: str,
    *,
    first: str = "流水合计",
) -> Iterator[Finding]:
    for key in sorted(booked.keys() | other.keys()):
        has, should = booked.get(key, 0), other.get(key, 0)
        if has != should:
            text = f"{KINDS[kind]} {key}：{first} {yuan(has)} 元，{path} {yuan(should)} 元"
            yield finding(code, text, kind, key, has - should)


def kept_balances_agree(s: Snapshot) -> Iterator[Finding]:
    """奖池余额行等于流水合计。"""
    kept = Balance.objects.filter(campaign=s.campaign, account_kind=Account.POOL)
    other = dict(kept.values_list("account_key", "amount_fen"))
    yield from _differences(s, "kept_balance", Account.POOL, s.of_kind(Account.POOL), other, "余额行")


STATES = """
SELECT c.state, c.batch_id, sum(c.face_fen)
  FROM coupons_coupon c JOIN coupons_round r ON r.id = c.round_id
 WHERE r.campaign_id = %(campaign)s GROUP BY c.state, c.batch_id
"""


def states_agree(s: Snapshot) -> Iterator[Finding]:
    """消费券状态乘面额等于未使用、已发送、放弃各账户。"""
    by_state: dict[str, dict[int, int]] = {}
    for state, batch, fen in s.rows(STATES):
        by_state.setdefault(state, {})[batch] = int(fen)
    given_up = s.total("forfeit", credit=Account.FORFEITED)
    for kind, state, booked in (
        (Account.HELD, "held", s.of_kind(Account.HELD)),
        (Account.PENDING, "pending", s.of_kind(Account.PENDING)),
        (Account.FORFEITED, "forfeited", given_up),
    ):
        yield from _differences(s, "states", kind, booked, by_state.get(state, {}), "消费券状态合计")


ROUNDS = """
SELECT a.id, CASE WHEN r.dealt_at IS NULL OR r.booked_at IS NOT NULL THEN 0
                  ELSE (a.count - coalesce(d.drawn, 0)) * b.face_fen END
  FROM coupons_allotment a
  JOIN coupons_round r ON r.id = a.round_id
  JOIN coupons_batch b ON b.id = a.batch_id
  LEFT JOIN (SELECT k.round_id, k.category_id, w.face_fen, count(*) AS drawn
               FROM coupons_draw w JOIN coupons_deck k ON k.id = w.deck_id
               JOIN coupons_round o ON o.id = k.round_id
              WHERE o.campaign_id = %(campaign)s AND w.face_fen > 0 AND o.booked_at IS NULL
              GROUP BY k.round_id, k.category_id, w.face_fen) d
    ON d.round_id = r.id AND d.category_id = b.category_id AND d.face_fen = b.face_fen
 WHERE r.campaign_id = %(campaign)s
"""


def rounds_agree(s: Snapshot) -> Iterator[Finding]:
    """本轮投放账户等于尚未抽出的奖票。"""
    undrawn = {key: int(fen) for key, fen in s.rows(ROUNDS) if fen}
    yield from _differences(s, "round", Account.ROUND, s.of_kind(Account.ROUND), undrawn, "未抽出奖票")


USED = """
SELECT d.merchant_id, sum(d.face_fen) FROM merchants_redemption d
  JOIN merchants_merchant m ON m.id = d.merchant_id
 WHERE m.campaign_id = %(campaign)s AND d.state = 'used' GROUP BY d.merchant_id
"""


def merchants_agree(s: Snapshot) -> Iterator[Finding]:
    """商家应付、已付、不予补贴合计等于已使用的核销。"""
    used = {key: int(fen) for key, fen in s.rows(USED)}
    owed = s.total("complete", credit=Account.PAYABLE)
    for key, fen in s.total("reverse", debit=Account.PAYABLE).items():
        owed[key] = owed.get(key, 0) - fen
    owed = {key: fen for key, fen in owed.items() if fen}
    yield from _differences(s, "merchant", Account.PAYABLE, owed, used, "已使用核销")


SETTLED = """
SELECT l.merchant_id, sum(u.face_fen) FROM reports_settlementuse u
  JOIN reports_settlementline l ON l.id = u.line_id JOIN reports_settlement t ON t.id = l.settlement_id
 WHERE t.campaign_id = %(campaign)s
   AND (u.verdict IN ('disallowed', 'breach')
        OR u.verdict = 'under' AND EXISTS (SELECT 1 FROM coupons_transfer x WHERE x.campaign_id = t.campaign_id
                                              AND x.code = 'disallow' AND x.subject_id = u.redemption_id))
 GROUP BY l.merchant_id
"""
COUNTED = """
SELECT l.merchant_id, sum(u.face_fen) FROM reports_settlementuse u
  JOIN reports_settlementline l ON l.id = u.line_id JOIN reports_settlement t ON t.id = l.settlement_id
 WHERE t.campaign_id = %(campaign)s AND u.verdict = 'counts' GROUP BY l.merchant_id
"""


def settlement_agrees(s: Snapshot) -> Iterator[Finding]:
    """结算的计入、付款、追回、不予补贴等于明细与流水。"""
    lines = list(SettlementLine.objects.filter(settlement__campaign=s.campaign).select_related("settlement"))
    counted = {line.merchant_id: line.counted_fen for line in lines if line.counted_fen}
    details = {key: int(fen) for key, fen in s.rows(COUNTED)}
    yield from _differences(s, "counted", Account.PAYABLE, counted, details, "结算明细", first="结算计入")
    if any(line.settlement.state in ("approved", "paid") for line in lines):
        owed = s.of_kind(Account.PAYABLE)
        rest = {line.merchant_id: line.counted_fen - line.paid_fen for line in lines}
        yield from _differences(s, "owed", Account.PAYABLE, owed, rest, "结算未付")
    paid = {line.merchant_id: line.paid_fen for line in lines if line.paid_fen}
    yield from _differences(s, "paid", Account.PAID, s.total("pay", credit=Account.PAID), paid, "结算付款")
    back = {line.merchant_id: line.clawed_back_fen for line in lines if line.clawed_back_fen}
    yield from _differences(s, "clawed", Account.PAID, s.total("clawback", debit=Account.PAID), back, "结算追回")
    refused = {key: int(fen) for key, fen in s.rows(SETTLED)}
    booked = s.total("disallow", credit=Account.DISALLOWED)
    yield from _differences(s, "disallowed", Account.DISALLOWED, booked, refused, "结算不予补贴")


def nothing_sealed_changed(s: Snapshot) -> Iterator[Finding]:
    """上次核对封存的流水没有变动。"""
    if s.seal is None:
        return
    if s.sealed.count != s.seal.transfers:
        text = f"封存时 {s.seal.transfers} 笔流水，现为 {s.sealed.count} 笔"
        yield finding("sealed_count", text, s.sealed.count - s.seal.transfers)
    if s.seal.digest and s.sealed_digest != s.seal.digest:
        text = f"已封存流水的逐笔校验和由 {s.seal.digest} 变为 {s.sealed_digest}"
        yield finding("sealed_digest", text, s.sealed_digest)
    for key in sorted(s.sealed.fen.keys() | s.seal.sums.keys()):
        off = s.sealed.fen.get(key, 0) - s.seal.sums.get(key, 0)
        if off:
            kind, number = key.split(":")
            yield finding("sealed_sum", f"{KINDS[kind]} {number} 的已封存流水变动了 {yuan(off)} 元", key, off)


EVERY_TIME = [
    sums_to_zero,
    treasury_gave_what_was_approved,
    nothing_negative,
    kept_balances_agree,
    states_agree,
    rounds_agree,
    merchants_agree,
    settlement_agrees,
    nothing_sealed_changed,
]
