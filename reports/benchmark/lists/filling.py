"""A county that has been at it for a month: rounds, shops and people by the models, millions of coupons by SQL.

Every row that the lists and their sums read is there as the verbs write it: draw, coupon, redemption and each transfer
of a coupon's life. Events are left out (no list reads them). Triggers, foreign keys and indexes are off while the rows
are written and on again, built anew, afterwards.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connections

from coupons.models import Allotment, Batch, Campaign, Category, Deck, Round
from huigou import clock
from huigou.fields import keyed_hash, normal_name, seal
from huigou.models import Department, Staff
from merchants.models import Merchant, Outlet
from reports.benchmark.lists import deeds

DRAWS_A_PERSON = 35  # seven rounds of five categories
STOCK = {  # annex 1's faces in yuan, roughly in its shares: of 1,024 coupons
    "lodging": {50: 200, 100: 100, 200: 50},
    "dining": {100: 24, 200: 12, 500: 6},
    "fuel": {50: 200, 100: 100, 200: 25, 500: 10},
    "farm": {20: 125, 50: 70, 100: 25},
    "book": {20: 52, 50: 20, 100: 5},
}
NAMES = {"lodging": "住宿", "dining": "餐饮", "fuel": "加油站", "farm": "农产品", "book": "书店"}
NAME, PHONE = "王小明", "19900001234"  # whom the searches look for
TABLES = ("coupons_draw", "coupons_coupon", "coupons_transfer", "merchants_redemption")


@dataclass(frozen=True)
class Size:
    """How much: draws in all, about a tenth of them used, and how many of the draws no fold has seen yet."""

    draws: int
    entries: int  # of the audit trail
    unswept: int = 20_000  # five seconds of a rush

    @property
    def people(self) -> int:
        return self.draws // DRAWS_A_PERSON + 1


def fill(size: Size, say: Callable[[str], object]) -> Campaign:
    """Fill an empty database; return the campaign."""
    say("活动、商家和买家")
    campaign = _campaign(size)
    _shops(campaign)
    _people(size)
    with _bare(say):
        for title, statement in _LIVES:
            say(title)
            _run(statement, _given(campaign, size))
    _run(
        "SELECT setval('coupons_draw_id_seq', %(draws)s), setval('merchants_redemption_id_seq', %(draws)s)",
        _given(campaign, size),
    )
    say("操作记录")
    deeds.fill(size.entries)
    say("VACUUM ANALYZE")
    _run("VACUUM (ANALYZE)", {})
    return campaign


def add_unswept(campaign: Campaign, size: Size) -> None:
    """Write a few more draws after the last fold, as a rush does between two."""
    given = {**_given(campaign, size), "first": size.draws, "last": size.draws + size.unswept}
    for _, statement in _LIVES[:1] + _LIVES[1:4]:
        _run(statement, given)


def _run(statement: str, given: dict[str, Any]) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET work_mem = '256MB'")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(statement, given or None)


def _given(campaign: Campaign, size: Size) -> dict[str, Any]:
    return {
        "campaign": campaign.pk,
        "draws": size.draws,
        "first": 0,
        "last": size.draws,
        "people": size.people,
        "now": clock.now(),
    }


# ---- the few rows


def _campaign(size: Size) -> Campaign:
    now = clock.now()
    today = clock.local(now).replace(hour=9, minute=0, second=0, microsecond=0)
    first = today - dt.timedelta(days=32)  # the seventh round is two days old
    campaign = Campaign.objects.create(
        name="惠购乾城", county="测速县", edition="测速", budget_fen=10**12, launched_at=first, place_policy="off"
    )
    for position, (code, faces) in enumerate(STOCK.items()):
        category = Category.objects.create(campaign=campaign, code=code, name=NAMES[code], position=position)
        for face, share in faces.items():
            planned = size.draws * share // 1024 + 1
            Batch.objects.create(
                category=category, face_fen=face * 100, name=f"{face}面额", planned=planned, created_at=first
            )
    for number in range(1, 8):
        opens_at = first + dt.timedelta(days=5 * (number - 1))
        closes_at = opens_at + dt.timedelta(days=4, hours=15)
        round_ = Round.objects.create(
            campaign=campaign, number=number, opens_at=opens_at, closes_at=closes_at,
            entry_until=closes_at + dt.timedelta(hours=24),
        )  # fmt: skip
        for batch in Batch.objects.filter(category__campaign=campaign):
            Allotment.objects.create(round=round_, batch=batch, count=batch.planned // 7)
        for category in Category.objects.filter(campaign=campaign):
            Deck.objects.create(
                round=round_, category=category, contents={}, stock=[], size=2**31 - 1, head=bytes(32),
                plan_hash=bytes(32), commitment=bytes(32),
            )  # fmt: skip
        booked_at = closes_at if number < 7 else None
        Round.objects.filter(pk=round_.pk).update(dealt_at=opens_at, booked_at=booked_at)  # its release is frozen now
    return campaign


def _shops(campaign: Campaign) -> None:
    """Five firms a category with two places each and two clerks a place: clerk numbers 1 to 100, by category."""
    now = clock.now()
    staff = Staff.objects.create(username="bench", department=Department.INDUSTRY, person_key="bench", is_staff=True)
    stats = list(Merchant.StatStatus.values)
    for category in Category.objects.filter(campaign=campaign).order_by("position"):
        for number in range(5):
            firm = Merchant.objects.create(
                campaign=campaign, name=f"乾安{category.name}{number + 1}号", state=Merchant.State.ACTIVE,
                stat_status=stats[number % len(stats)], joined_at=now, seq=category.position * 5 + number + 1,
            )  # fmt: skip
            firm.categories.set([category])
            for place in ("总店", "分店"):
                Outlet.objects.create(merchant=firm, name=f"{firm.name}{place}")
    _run(_CLERKS, {"staff": staff.pk, "now": now})


_CLERKS = """
WITH people AS (
    INSERT INTO coupons_person (phone_key, name_key, phone_last4, created_at)
    SELECT sha256(convert_to('clerk-' || o.id || '-' || n, 'UTF8')),
           sha256(convert_to('clerk-name-' || o.id || '-' || n, 'UTF8')), '0000', %(now)s
      FROM merchants_outlet o, generate_series(1, 2) n ORDER BY o.id, n RETURNING id
), codes AS (
    INSERT INTO merchants_bindingcode (outlet_id, code_hash, is_owner, issued_by_id, issued_at, expires_at, used_at)
    SELECT o.id, sha256(convert_to('code-' || o.id || '-' || n, 'UTF8')), false, %(staff)s, %(now)s, %(now)s, %(now)s
      FROM merchants_outlet o, generate_series(1, 2) n ORDER BY o.id, n RETURNING id, outlet_id
)
INSERT INTO merchants_clerk (person_id, outlet_id, code_id, openid, wechat_name, is_owner, session_version, bound_at)
SELECT p.id, c.outlet_id, c.id, '', '店员', false, 1, %(now)s
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM people) p
  JOIN (SELECT id, outlet_id, row_number() OVER (ORDER BY id) AS n FROM codes) c USING (n)
"""


def _people(size: Size) -> None:
    """Two thousand names, as a county has them; every 2,000th person is called 王小明, and one has the known number."""
    given = {
        "people": size.people,
        "now": clock.now(),
        "name": seal(NAME.encode(), "person"),
        "phone": seal(PHONE.encode(), "person"),
        "name_key": keyed_hash("name", normal_name(NAME)),
        "phone_key": keyed_hash("phone", PHONE),
    }
    _run(_PEOPLE, given)
    _run(_CONSUMERS, given)


_PEOPLE = """
INSERT INTO coupons_person (name, phone, phone_key, name_key, phone_last4, created_at)
SELECT %(name)s, %(phone)s, CASE i WHEN 1 THEN %(phone_key)s ELSE sha256(int8send(i)) END,
       CASE i %% 2000 WHEN 1 THEN %(name_key)s ELSE sha256(convert_to('name-' || i %% 2000, 'UTF8')) END,
       lpad(((i * 7919 + 1234 - 7919) %% 10000)::text, 4, '0'), %(now)s
  FROM generate_series(1, %(people)s::bigint) i
"""
_CONSUMERS = """
INSERT INTO coupons_consumer (person_id, phone_key, openid, wechat_name, place, consented_at, consent_version,
                              session_version, bound_at, unbound_at)
SELECT id, phone_key, '', '微信' || id, (ARRAY['inside', 'declared', 'inside', 'unasked', 'outside'])[1 + id %% 5],
       %(now)s, '1', 1, %(now)s - interval '33 days' * (1 - n::float8 / %(people)s),
       CASE n %% 50 WHEN 0 THEN %(now)s END
  FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM coupons_person WHERE phone IS NOT NULL) p ORDER BY n
"""

# ---- the many

_STAGE = """
DROP TABLE IF EXISTS bench_life;
CREATE UNLOGGED TABLE bench_life AS
WITH batches AS (
    SELECT b.id AS batch_id, b.face_fen, b.category_id, c.position,
           sum(b.planned) OVER (ORDER BY b.id) - b.planned AS low, sum(b.planned) OVER (ORDER BY b.id) AS high,
           sum(b.planned) OVER () AS every
      FROM coupons_batch b JOIN coupons_category c ON c.id = b.category_id WHERE c.campaign_id = %(campaign)s
), picks AS (
    SELECT n, b.* FROM generate_series(0, 1023) n JOIN batches b ON n * every / 1024 >= low AND n * every / 1024 < high
), holders AS (SELECT min(id) AS first FROM coupons_consumer)
SELECT g AS id, r.id AS round_id, r.number, p.batch_id, p.face_fen, p.category_id, d.id AS deck_id,
       h.first + (g * 7919) %% %(people)s AS holder_id,
       -- three in five within the round's first hour, the others until it ends, or until now
       r.opens_at + CASE WHEN at.part < 0.6 THEN interval '1 hour' * (at.part / 0.6)
                    ELSE interval '1 hour' + (least(r.closes_at, %(now)s) - r.opens_at - interval '2 hours')
                         * ((at.part - 0.6) / 0.4) END AS drawn_at,
       r.closes_at,
       CASE WHEN r.number = 7 THEN CASE WHEN %(first)s > 0 THEN 'held' WHEN g %% 5000 = 7 THEN 'pending'
                                        WHEN f.fate < 400 THEN 'used' ELSE 'held' END
            WHEN f.fate < 1110 THEN 'used' WHEN f.fate < 1130 THEN 'forfeited' ELSE 'expired' END AS state,
       1 + p.position * 20 + (hashint8extended(g, 3) & 1023) %% 20 AS clerk, (f.fate %% 97) / 97.0 AS later
  FROM generate_series(%(first)s::bigint + 1, %(last)s::bigint) g
  CROSS JOIN LATERAL (SELECT least(1 + (g - 1) * 7 / %(draws)s, 7) AS number) w
  JOIN coupons_round r ON r.number = w.number AND r.campaign_id = %(campaign)s
  CROSS JOIN LATERAL (SELECT least((g - 1) * 7.0 / %(draws)s - (w.number - 1), 1)::float8 AS part) at
  CROSS JOIN LATERAL (
      SELECT CASE WHEN %(first)s > 0 THEN 9999 ELSE (hashint8extended(g, 7) & 65535) %% 10000 END AS fate) f
  JOIN picks p ON p.n = (hashint8extended(g, 1) & 1023)
  JOIN coupons_deck d ON d.round_id = r.id AND d.category_id = p.category_id CROSS JOIN holders h
 ORDER BY g
"""
_DRAWS = """
INSERT INTO coupons_draw (id, deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn, entry_hash,
                          channel)
SELECT id, deck_id, id, face_fen, drawn_at, 'draw', holder_id, sha256(int8send(id)), 1, sha256(int8send(-id)),
       CASE WHEN id %% 33 = 0 THEN 'station' ELSE 'self' END FROM bench_life ORDER BY id
"""
_COUPONS = """
INSERT INTO coupons_coupon (draw_id, round_id, batch_id, holder_id, face_fen, threshold_fen, state, drawn_at,
                            expires_at, ended_at, steps)
SELECT id, round_id, batch_id, holder_id, face_fen, 3 * face_fen, state, drawn_at, closes_at,
       CASE WHEN state NOT IN ('held', 'pending') THEN closes_at END,
       CASE state WHEN 'held' THEN 1 WHEN 'used' THEN 3 WHEN 'forfeited' THEN 3 ELSE 2 END FROM bench_life ORDER BY id
"""
_TRANSFER = """
INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen, coupon_id,
                              step, subject_kind, subject_id, actor_kind, at)
"""
_BIRTHS = (
    _TRANSFER
    + """
SELECT %(campaign)s, 'draw', 'round', round_id, 'held', batch_id, face_fen, id, 0, 'round', round_id, 'consumer',
       drawn_at
  FROM bench_life ORDER BY id
"""
)
_REDEMPTIONS = """
INSERT INTO merchants_redemption (id, coupon_id, consumer_id, merchant_id, outlet_id, clerk_id, category_id, face_fen,
    threshold_fen, state, scanned_at, entry_until, amount_fen, kind, note, receipt_no, payment, completed_at, ended_at,
    is_second)
SELECT l.id, l.id, l.holder_id, o.merchant_id, o.id, k.id, l.category_id, l.face_fen, 3 * l.face_fen, l.state,
       s.scanned_at, l.closes_at + interval '1 day',
       CASE l.state WHEN 'used' THEN 3 * l.face_fen + l.id %% 20000 END, CASE l.state WHEN 'used' THEN '3' ELSE '' END,
       '', '', '', CASE l.state WHEN 'used' THEN s.scanned_at + interval '3 minutes' END,
       CASE l.state WHEN 'used' THEN s.scanned_at + interval '3 minutes' WHEN 'forfeited' THEN l.closes_at END, false
  FROM bench_life l
  JOIN (SELECT id, outlet_id, row_number() OVER (ORDER BY id) AS n FROM merchants_clerk) k ON k.n = l.clerk
  JOIN merchants_outlet o ON o.id = k.outlet_id
  CROSS JOIN LATERAL (SELECT l.drawn_at + (least(l.closes_at, %(now)s) - l.drawn_at) * l.later * 0.99 AS scanned_at) s
 WHERE l.state IN ('used', 'forfeited', 'pending') ORDER BY s.scanned_at
"""
_SCANS = (
    _TRANSFER
    + """
SELECT %(campaign)s, 'scan', 'held', b.batch_id, 'pending', b.batch_id, r.face_fen, r.coupon_id, 1, 'redemption', r.id,
       'clerk', r.scanned_at
  FROM merchants_redemption r JOIN coupons_coupon b ON b.draw_id = r.coupon_id ORDER BY r.scanned_at
"""
)
_ENTRIES = (
    _TRANSFER
    + """
SELECT %(campaign)s, 'complete', 'pending', b.batch_id, 'payable', r.merchant_id, r.face_fen, r.coupon_id, 2,
       'redemption', r.id, 'clerk', r.completed_at
  FROM merchants_redemption r JOIN coupons_coupon b ON b.draw_id = r.coupon_id WHERE r.state = 'used'
 ORDER BY r.completed_at
"""
)
_FORFEITS = (
    _TRANSFER
    + """
SELECT %(campaign)s, 'forfeit', 'pending', b.batch_id, 'forfeited', b.batch_id, r.face_fen, r.coupon_id, 2,
       'redemption', r.id, 'system', b.expires_at
  FROM merchants_redemption r JOIN coupons_coupon b ON b.draw_id = r.coupon_id WHERE r.state = 'forfeited'
"""
)
_EXPIRIES = (
    _TRANSFER
    + """
SELECT %(campaign)s, 'expire', 'held', batch_id, 'pool', batch_id, face_fen, id, 1, 'round', round_id, 'system',
       closes_at
  FROM bench_life WHERE state = 'expired' ORDER BY id
"""
)
_LIVES = [
    ("经历", _STAGE),
    ("抽奖记录", _DRAWS),
    ("消费券", _COUPONS),
    ("流水：抽中", _BIRTHS),
    ("核销", _REDEMPTIONS),
    ("流水：扫码", _SCANS),
    ("流水：核销", _ENTRIES),
    ("流水：放弃", _FORFEITS),
    ("流水：到期", _EXPIRIES),
    ("整理", "DROP TABLE bench_life"),
]


# ---- without what slows a million rows down


@contextmanager
def _bare(say: Callable[[str], object]) -> Iterator[None]:
    """Take triggers, foreign keys and indexes off the long tables, and put them back."""
    with connections["owner"].cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(_CONSTRAINTS, [list(TABLES), list(TABLES)])
        constraints = cursor.fetchall()
        for table, name, _, _ in constraints:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s)", [list(TABLES)])
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
    yield
    for name, definition in indexes:
        say(f"索引 {name}")
        _run(definition, {})
    with connections["owner"].cursor() as cursor:
        for table, name, kind, definition in reversed(constraints):
            # The rows just written are not looked at again; new ones are checked as ever.
            later = " NOT VALID" if kind == "f" else ""
            if kind != "f":
                say(f"约束 {name}")
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}{later}')
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


# Foreign keys first: they stand on the keys that go after them, and come back after those.
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE (conrelid::regclass::text = ANY(%s) AND contype IN ('f', 'p', 'u'))
    OR (confrelid::regclass::text = ANY(%s) AND contype = 'f')
 ORDER BY contype
"""
