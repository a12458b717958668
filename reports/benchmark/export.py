"""A great many uses, written in bulk and true to the books, and the export of all of them in a process of its own."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connections

from coupons.models import Campaign, Deck
from huigou import clock
from huigou.fields import seal
from reports import exports
from reports.benchmark import county, processes
from reports.models import ExportJob

SHOPS = 40
PEOPLE = 50_000

# The kernel's own count of the process alone: getrusage would begin with the parent's, which it was forked from.
WORKER = """
import json, sys, django
django.setup()
def now(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
idle = now("VmRSS:")
from reports import exports
done = exports.run(int(sys.argv[1]))
print(json.dumps({"done": done, "idle_kb": idle, "peak_kb": now("VmHWM:")}))
"""


@dataclass(frozen=True)
class Figures:
    """What the export of so many rows took; memory is the process's resident peak, Django and all."""

    rows: int
    sheets: int
    seconds: float
    rows_per_s: int
    idle_mb: int
    peak_mb: int
    file_mb: int
    rows_sha256: str
    books: str
    against_the_books: str

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def uses(count: int) -> Campaign:
    """Return a campaign in which ``count`` coupons were drawn, scanned and entered, every fen of it in the books."""
    people = county.some_consumers(min(PEOPLE, count))
    campaign = county.a_campaign("export", {"dining": count}, clock.now() - dt.timedelta(hours=1))
    deck = county.deck_id(campaign, "dining")
    county.draw_history(deck, count, people)
    found = Deck.objects.select_related("round", "category").get(pk=deck)
    given: dict[str, Any] = {"campaign": campaign.pk, "round": found.round_id, "category": found.category_id}
    given |= {"name": seal("李店员".encode(), "person"), "phone": seal(b"19900000001", "person"), "shops": SHOPS}
    with connections["owner"].cursor() as cursor:
        for table in ("coupons_coupon", "coupons_transfer", "coupons_event", "merchants_redemption"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in _SHOPS + _USES:
            cursor.execute(statement, given)
        for table in ("coupons_coupon", "coupons_transfer", "coupons_event", "merchants_redemption"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        cursor.execute("VACUUM ANALYZE")
    return campaign


_SHOPS = (
    """INSERT INTO merchants_merchant (campaign_id, name, address, phone, stat_status, state, state_reason, offer,
         is_collective, seq, joined_at)
       SELECT %(campaign)s, '测速商家' || i, '', '', 'listed', 'active', '', '', false, i, now()
         FROM generate_series(1, %(shops)s) i""",
    """INSERT INTO merchants_merchant_categories (merchant_id, category_id)
       SELECT id, %(category)s FROM merchants_merchant WHERE campaign_id = %(campaign)s""",
    """INSERT INTO merchants_outlet (merchant_id, name, address, phone, hours, is_active, datum)
       SELECT id, name || '总店', '', '', '', true, 'GCJ-02' FROM merchants_merchant
        WHERE campaign_id = %(campaign)s""",
    """INSERT INTO merchants_bindingcode (outlet_id, code_hash, is_owner, issued_by_id, issued_at, expires_at, used_at)
       SELECT o.id, sha256(convert_to('bench-code-' || o.id, 'UTF8')), true, (SELECT min(id) FROM huigou_staff),
              now() - interval '2 hours', now(), now() - interval '2 hours'
         FROM merchants_outlet o JOIN merchants_merchant m ON m.id = o.merchant_id AND m.campaign_id = %(campaign)s""",
    """INSERT INTO coupons_person (name, phone, phone_key, phone_last4, created_at)
       SELECT %(name)s, %(phone)s, sha256(convert_to('bench-clerk-' || i, 'UTF8')), '0001', now()
         FROM generate_series(1, %(shops)s) i""",
    """INSERT INTO merchants_clerk (person_id, outlet_id, code_id, openid, wechat_name, is_owner, session_version,
         bound_at)
       SELECT p.id, c.outlet_id, c.id, '', '测速店员', true, 1, now() - interval '2 hours'
         FROM (SELECT id, outlet_id, row_number() OVER (ORDER BY id) n FROM merchants_bindingcode) c
         JOIN (SELECT id, row_number() OVER (ORDER BY id) n FROM coupons_person WHERE phone_last4 = '0001') p
           USING (n)""",
)
# Each coupon goes to one clerk, a second after its draw, for three and a half times its face.
_USES = (
    """CREATE TEMPORARY TABLE bench_use AS
       SELECT c.draw_id, c.holder_id, c.batch_id, c.face_fen, c.threshold_fen, c.drawn_at + interval '1 second' AS at,
              k.id AS clerk_id, k.outlet_id, o.merchant_id
         FROM coupons_coupon c
         JOIN (SELECT id, outlet_id, row_number() OVER (ORDER BY id) - 1 AS n FROM merchants_clerk) k
           ON k.n = c.draw_id %% %(shops)s
         JOIN merchants_outlet o ON o.id = k.outlet_id
        WHERE c.round_id = %(round)s""",
    """INSERT INTO merchants_redemption (coupon_id, consumer_id, merchant_id, outlet_id, clerk_id, category_id,
         face_fen, threshold_fen, state, scanned_at, entry_until, amount_fen, kind, note, receipt_no, payment,
         completed_at, ended_at, is_second)
       SELECT draw_id, holder_id, merchant_id, outlet_id, clerk_id, %(category)s, face_fen, threshold_fen, 'used', at,
              at + interval '6 days', face_fen * 7 / 2, 1 + draw_id %% 9, '消费券' || face_fen / 100 || '元，店内收款',
              'XP' || draw_id, '', at + interval '1 minute', at + interval '1 minute', false
         FROM bench_use ORDER BY draw_id""",
    """INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,
         coupon_id, step, subject_kind, subject_id, actor_kind, actor_id, at)
       SELECT %(campaign)s, t.code, t.debit_kind, b.batch_id, t.credit_kind,
              CASE t.code WHEN 'scan' THEN b.batch_id ELSE b.merchant_id END, b.face_fen, b.draw_id, t.step,
              'redemption', r.id, 'clerk', b.clerk_id, b.at + t.after
         FROM bench_use b JOIN merchants_redemption r ON r.coupon_id = b.draw_id,
              (VALUES ('scan', 'held', 'pending', 1, interval '0'),
                      ('complete', 'pending', 'payable', 2, interval '1 minute'))
                AS t (code, debit_kind, credit_kind, step, after)""",
    """INSERT INTO coupons_event (verb, coupon_id, actor_kind, actor_id, at, note)
       SELECT t.verb, b.draw_id, 'clerk', b.clerk_id, b.at + t.after, ''
         FROM bench_use b, (VALUES ('scan', interval '0'), ('complete', interval '1 minute')) AS t (verb, after)""",
    """UPDATE coupons_coupon SET state = 'used', steps = 3, ended_at = b.at + interval '1 minute'
         FROM bench_use b WHERE b.draw_id = coupons_coupon.draw_id""",
    "DROP TABLE bench_use",
)


def measure(campaign: Campaign) -> tuple[Figures, ExportJob]:
    """Export all uses in a process of its own, as a worker does, and return what it took; raises BenchmarkError."""
    job = exports.ask("uses", {"campaign": str(campaign.pk)}, None)
    begun = time.perf_counter()
    environment = {**processes.environment(), "MEDIA_ROOT": os.environ.get("MEDIA_ROOT", "")}
    environment = {key: value for key, value in environment.items() if value}
    child = subprocess.run(
        [sys.executable, "-c", WORKER, str(job.pk)], env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - begun
    job.refresh_from_db()
    if child.returncode or job.state != ExportJob.State.READY:
        raise processes.BenchmarkError(f"the export failed: {job.error} {child.stderr[-500:]}")
    said = json.loads(child.stdout.splitlines()[-1])
    cover, sheets = _cover(job)
    return (
        Figures(
            rows=job.rows_done,
            sheets=sheets,
            seconds=round(seconds, 1),
            rows_per_s=round(job.rows_done / seconds),
            idle_mb=said["idle_kb"] // 1024,
            peak_mb=said["peak_kb"] // 1024,
            file_mb=job.file.size // 2**20,
            rows_sha256=job.rows_sha256,
            books=cover["账目状态"],
            against_the_books=cover["与账目核对"],
        ),
        job,
    )


def _cover(job: ExportJob) -> tuple[dict[str, str], int]:
    from openpyxl import load_workbook

    book = load_workbook(job.file.path, read_only=True)
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        return {str(row[0]): str(row[1] or "") for row in rows}, len(book.worksheets) - 1
    finally:
        book.close()
