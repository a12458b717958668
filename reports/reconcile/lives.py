"""Invariants on single rows: each coupon's life, each draw, each redemption, each approval."""

from __future__ import annotations

from collections.abc import Iterator

from coupons.approval import payload_hash
from coupons.models import ChangeRequest
from reports.reconcile.snapshot import AT_MOST, Finding, Snapshot, finding

_LIVES = """
WITH lives AS (
    SELECT t.coupon_id, count(*) AS n, max(t.step) AS top, min(t.amount_fen) AS lo, max(t.amount_fen) AS hi,
           sum(t.amount_fen) AS fen,
           count(*) FILTER (WHERE t.code = 'draw') AS births,
           count(*) FILTER (WHERE t.credit_kind IN ('pool', 'forfeited')) AS endings,
           (array_agg(t.credit_kind ORDER BY t.step DESC))[1] AS last
      FROM coupons_transfer t
     WHERE t.campaign_id = %(campaign)s AND {which}
     GROUP BY t.coupon_id
)
SELECT c.draw_id, c.state, c.steps, l.n, l.births, l.endings, l.last,
       coalesce(l.n, 0) - c.steps, l.top - c.steps, l.fen - l.n * c.face_fen,
       l.last <> CASE c.state WHEN 'used' THEN 'payable' WHEN 'expired' THEN 'pool' ELSE c.state END
  FROM coupons_coupon c JOIN coupons_round r ON r.id = c.round_id
  {join} JOIN lives l ON l.coupon_id = c.draw_id
 WHERE r.campaign_id = %(campaign)s
   AND (l.coupon_id IS NULL OR l.n <> c.steps OR l.top <> c.steps - 1 OR l.lo <> c.face_fen OR l.hi <> c.face_fen
        OR l.births <> 1 OR l.endings > 1
        OR l.last <> CASE c.state WHEN 'used' THEN 'payable' WHEN 'expired' THEN 'pool' ELSE c.state END)
 ORDER BY c.draw_id LIMIT %(limit)s
"""


_NEW = "t.coupon_id IN (SELECT n.coupon_id FROM coupons_transfer n WHERE n.xact >= %(since)s)"


def coupons_lived_once(s: Snapshot) -> Iterator[Finding]:
    """每张券一次生成，至多一次结束，账次连续，末笔流水与状态相符。"""
    # Looking only at what is new, a coupon without any transfer shows in the sums of states.
    # Two texts and no OR over both: with one the planner reads the whole table for the few.
    join, which = ("", _NEW) if s.since else ("LEFT", "t.coupon_id IS NOT NULL")
    sql = _LIVES.replace("{join}", join).replace("{which}", which)
    for coupon, state, steps, count, births, endings, last, *off in s.rows(sql):
        text = (
            f"消费券 {coupon}（{state}，{steps} 步）：流水 {count or 0} 笔，"
            f"生成 {births or 0} 次，结束 {endings or 0} 次，末笔转入 {last}"
        )
        # By how much it is off stays the same while the coupon lives on; its state and steps do not.
        yield finding("life", text, coupon, births, max((endings or 0) - 1, 0), *off)


_DECKS = """
SELECT d.id, d.next_ticket, d.size, count(w.id), coalesce(max(w.ticket) + 1, 0)
  FROM coupons_deck d JOIN coupons_round r ON r.id = d.round_id LEFT JOIN coupons_draw w ON w.deck_id = d.id
 WHERE r.campaign_id = %(campaign)s
 GROUP BY d.id HAVING d.next_ticket <> count(w.id) OR d.next_ticket <> coalesce(max(w.ticket) + 1, 0)
                   OR d.next_ticket > d.size
 ORDER BY d.id LIMIT %(limit)s
"""
_WINS = """
SELECT w.id, w.face_fen, c.face_fen FROM coupons_draw w
  JOIN coupons_deck d ON d.id = w.deck_id JOIN coupons_round r ON r.id = d.round_id
  LEFT JOIN coupons_coupon c ON c.draw_id = w.id
 WHERE r.campaign_id = %(campaign)s
   AND coalesce(c.face_fen, 0) <> CASE WHEN w.kind = 'void' THEN 0 ELSE w.face_fen END
 ORDER BY w.id LIMIT %(limit)s
"""


def draws_gave_what_they_show(s: Snapshot) -> Iterator[Finding]:
    """奖票连号，已抽张数与记录相符，中奖即有券。"""
    for deck, next_ticket, size, count, top in s.rows(_DECKS):
        text = f"奖票盒 {deck}：已抽 {next_ticket}/{size}，记录 {count} 条，末号 {top}"
        yield finding("deck", text, deck, next_ticket - count, next_ticket - top)
    for draw, shown, face in s.rows(_WINS):
        yield finding("win", f"抽奖 {draw} 显示面额 {shown} 分，消费券面额 {face} 分", draw, shown, face)


_SPENT = """
SELECT d.id, c.state, d.state,
       CASE WHEN d.state = 'used' AND (d.amount_fen IS NULL OR d.amount_fen < d.threshold_fen) THEN '未达门槛'
            WHEN d.face_fen <> c.face_fen OR d.threshold_fen <> c.threshold_fen
                 OR d.threshold_fen < g.multiplier * d.face_fen THEN '面额或门槛不符'
            WHEN d.category_id <> b.category_id OR m.campaign_id <> r.campaign_id THEN '品类或活动不符'
            WHEN o.merchant_id <> d.merchant_id OR k.outlet_id <> d.outlet_id THEN '店面或店员不符'
            WHEN k.bound_at > d.scanned_at OR k.unbound_at < d.scanned_at THEN '店员当时未绑定'
            WHEN d.scanned_at >= c.expires_at OR d.scanned_at < c.drawn_at THEN '扫码时间不在有效期内'
            WHEN h.person_id <> i.person_id THEN '持券人不符' END AS wrong
  FROM merchants_redemption d
  JOIN coupons_coupon c ON c.draw_id = d.coupon_id
  JOIN coupons_round r ON r.id = c.round_id
  JOIN coupons_campaign g ON g.id = r.campaign_id
  JOIN coupons_batch b ON b.id = c.batch_id
  JOIN merchants_merchant m ON m.id = d.merchant_id
  JOIN merchants_outlet o ON o.id = d.outlet_id
  JOIN merchants_clerk k ON k.id = d.clerk_id
  JOIN coupons_consumer h ON h.id = c.holder_id
  JOIN coupons_consumer i ON i.id = d.consumer_id
 WHERE r.campaign_id = %(campaign)s
"""
_SPENT_WRONG = f"SELECT id, wrong FROM ({_SPENT}) q WHERE wrong IS NOT NULL ORDER BY id LIMIT %(limit)s"  # noqa: S608
_STATE_PAIRS = """
SELECT c.draw_id, c.state, count(d.id) FILTER (WHERE d.state = c.state),
       count(d.id) FILTER (WHERE d.state IN ('pending', 'used', 'forfeited'))
  FROM coupons_coupon c JOIN coupons_round r ON r.id = c.round_id
  LEFT JOIN merchants_redemption d ON d.coupon_id = c.draw_id
 WHERE r.campaign_id = %(campaign)s
 GROUP BY c.draw_id
HAVING count(d.id) FILTER (WHERE d.state IN ('pending', 'used', 'forfeited'))
       <> CASE WHEN c.state IN ('pending', 'used', 'forfeited') THEN 1 ELSE 0 END
    OR (c.state IN ('pending', 'used', 'forfeited') AND count(d.id) FILTER (WHERE d.state = c.state) <> 1)
 ORDER BY c.draw_id LIMIT %(limit)s
"""


def spent_by_the_rules(s: Snapshot) -> Iterator[Finding]:
    """每笔核销达到门槛，品类、店面、店员、时间、持券人相符，且与券的状态一致。"""
    for number, wrong in s.rows(_SPENT_WRONG):
        yield finding("redemption", f"核销 {number}：{wrong}", number, wrong)
    for coupon, state, same, live in s.rows(_STATE_PAIRS):
        text = f"消费券 {coupon} 为 {state}，有效核销 {live} 条，其中同状态 {same} 条"
        yield finding("redemption_state", text, coupon, same, live)


_APPROVED = """
SELECT t.id, t.code, t.change_id, h.state
  FROM coupons_transfer t LEFT JOIN coupons_changerequest h ON h.id = t.change_id
 WHERE t.campaign_id = %(campaign)s AND t.xact >= %(since)s
   AND (t.change_id IS NOT NULL
        OR t.code IN ('fund', 'realloc', 'disallow', 'pay', 'clawback', 'return', 'carry', 'reverse'))
   AND (h.id IS NULL OR h.state <> 'approved' OR h.executed_at IS NULL OR h.campaign_id <> t.campaign_id
        OR h.maker_key = h.checker_key OR h.maker_department = h.checker_department OR h.verb <> t.code)
 ORDER BY t.id LIMIT %(limit)s
"""


def changes_were_approved(s: Snapshot) -> Iterator[Finding]:
    """须审批的资金变动都有两个部门两个人的批准，内容与散列相符。"""
    for transfer, code, change, state in s.rows(_APPROVED):
        yield finding("approval", f"流水 {transfer}（{code}）的审批 {change} 状态为 {state}", transfer, change, state)
    if s.since:
        return
    altered = (
        change
        for change in ChangeRequest.objects.filter(campaign=s.campaign, state="approved").order_by("pk")
        if payload_hash(change.payload) != change.payload_sha256
    )
    for change, _ in zip(altered, range(AT_MOST), strict=False):
        yield finding("payload", f"审批事项 {change.pk} 的内容与提出时的散列不符", change.pk)


_TOLD = """
SELECT c.draw_id, c.steps, count(e.id) FROM coupons_coupon c JOIN coupons_round r ON r.id = c.round_id
  LEFT JOIN coupons_event e ON e.coupon_id = c.draw_id
 WHERE r.campaign_id = %(campaign)s GROUP BY c.draw_id HAVING count(e.id) <> c.steps
 ORDER BY c.draw_id LIMIT %(limit)s
"""


def every_step_was_told(s: Snapshot) -> Iterator[Finding]:
    """每一步都有事件记录。"""
    for coupon, steps, events in s.rows(_TOLD):
        yield finding("event", f"消费券 {coupon}：{steps} 步，事件 {events} 条", coupon, steps - events)


# Looked at from the last seal on when only what is new is checked.
NEW_ROWS = [coupons_lived_once, changes_were_approved]
ALL_ROWS = [*NEW_ROWS, draws_gave_what_they_show, spent_by_the_rules, every_step_was_told]
