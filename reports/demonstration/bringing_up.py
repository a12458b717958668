"""The county's plan, re-dated so that round 1 opened at the last 9:00, launched by people of two departments."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

import coupons
from coupons import approval, assisting, funding, lifecycle, publishing
from coupons.lifecycle.dealing import DEAL_AHEAD
from coupons.models import Campaign, Notice, Station
from coupons.plan.draft import PlanDraft, redate
from coupons.plan.linting import lint
from huigou import clock
from huigou.models import Department, Staff
from merchants import conduct
from merchants.listing import load_plan
from merchants.models import CommitmentLetter, Merchant

PLAN = Path(coupons.__file__).parent / "demo_plan"
REASON = "演示：以各格数字为准，问题已核对"
PEOPLE = (  # account, department, invented name
    ("gongxin", Department.INDUSTRY, "演示甲"),
    ("caizheng", Department.FINANCE, "演示乙"),
    ("shenji", Department.AUDIT, "演示丙"),
    ("jiwei", Department.DISCIPLINE, "演示丁"),
    ("shijian", Department.MARKET, "演示戊"),
    ("gongan", Department.POLICE, "演示己"),
    ("rongmei", Department.MEDIA, "演示庚"),
    ("lingdao", Department.LEADERS, "演示辛"),
    ("yunying", Department.OPERATOR, "演示壬"),
    ("cunzhan", Department.STATION, "演示癸"),
)
BEFORE_OPENING = dt.timedelta(days=3)
# The smallest PDF that a reader opens: a letter needs a scan, and this one says what it is.
LETTER = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj\n"
    b"4 0 obj<</Length 67>>stream\nBT /F1 20 Tf 70 740 Td (DEMONSTRATION: no signature, no seal) Tj ET\nendstream\n"
    b"endobj 5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def _trace() -> Path:
    return Path(settings.VAR_DIR) / "demo-clock-set-back"


@contextmanager
def past() -> Iterator[None]:
    """Let the demonstration set the clock back with ``clock.shift``, and let it run true again whatever happens.

    A run that is killed leaves a trace, by which the next one knows that the clock still stands in the past.
    """
    _trace().touch()
    try:
        yield
    finally:
        run_true_again()


def run_true_again() -> None:
    """Take back a set-back clock, if a demonstration left one."""
    if _trace().exists():
        clock.shift(using="owner")
        _trace().unlink(missing_ok=True)


def last_nine(now: dt.datetime) -> dt.date:
    """Return the day of the last 9:00: today from 9:00 on, else yesterday."""
    return now.date() if now.hour >= 9 else now.date() - dt.timedelta(days=1)


def bring_up(draft: PlanDraft, password: str, *, set_back: bool) -> tuple[Campaign, dict[str, Staff]]:
    """Load, fund and launch the plan with round 1 open; return the campaign and one member of each department.

    With ``set_back`` all of it happens in the days before the opening, so that the public page shows the commitments
    and the sealed decks from before 9:00; it takes the owner's right over the clock.
    """
    dated = redate(draft, last_nine(clock.now()))
    opens_at = dated.rounds[0].opens_at
    if set_back:
        clock.shift(frozen_at=opens_at - BEFORE_OPENING)
    with transaction.atomic():
        staff = _people(password)
        campaign = _launch(dated, staff[Department.INDUSTRY], staff[Department.FINANCE])
        _letters(campaign, staff[Department.INDUSTRY])
        _station(staff[Department.STATION])
        Notice.objects.create(
            campaign=campaign,
            title="惠购乾城第一期消费券开抽",
            body="每轮上午 9:00 开始抽奖，每个品类每轮最多抽取一张。抽中的券请在到期前到适用商家使用。",
            shown_from=clock.now(),
        )
    publishing.publish_all_commitments()
    if set_back:
        clock.shift(frozen_at=opens_at - DEAL_AHEAD)
    lifecycle.sweep()
    publishing.publish_heads()
    return campaign, staff


def _launch(dated: PlanDraft, bureau: Staff, finance: Staff) -> Campaign:
    accepted = {finding.code: REASON for finding in lint(dated)}
    campaign = load_plan(dated, accepted, accepted_by=str(bureau)).campaign
    campaign.boundary = json.loads((PLAN / "county.geojson").read_text())
    campaign.save(update_fields=["boundary"])
    for propose, reason in ((funding.propose_fund, "按方案拨入"), (funding.propose_launch, "方案已核对")):
        approval.approve(propose(campaign, maker=bureau, reason=reason).pk, finance, "同意")
    campaign.refresh_from_db()
    return campaign


def _people(password: str) -> dict[str, Staff]:
    staff: dict[str, Staff] = {}
    hashed = make_password(password)  # once: hashing is slow by design, and these are one password's ten accounts
    for username, department, name in PEOPLE:
        member = Staff.objects.filter(username=username).first() or Staff(username=username)
        member.department, member.first_name, member.person_key = department, name, f"demo-{username}"
        member.is_staff, member.is_superuser = True, False
        member.password = hashed
        member.save()
        staff[department] = member
    return staff


def _letters(campaign: Campaign, bureau: Staff) -> None:
    for merchant in Merchant.objects.taking_part().filter(campaign=campaign).order_by("seq"):
        letter(merchant, bureau)


def letter(merchant: Merchant, bureau: Staff) -> CommitmentLetter:
    """Record a letter of commitment, without which a shop gets no one-time code."""
    file = SimpleUploadedFile("letter.pdf", LETTER, "application/pdf")
    return conduct.record_letter(merchant, file, clock.now().date(), "演示件", bureau)


def _station(clerk: Staff) -> None:
    station, _ = Station.objects.get_or_create(name="演示村服务站", defaults={"address": "演示村"})
    assisting.assign(station, clerk)
