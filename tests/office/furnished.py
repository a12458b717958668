"""A county with one row of everything, so that every page of the back office has something to show."""

from __future__ import annotations

import datetime as dt
import io
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern, URLResolver
from PIL import Image

import coupons
from coupons import assisting, consumers, drawing, funding, lifecycle
from coupons.assisting import Present
from coupons.consumers import verifying
from coupons.models import Freeze, Notice, Station
from huigou import clock
from huigou.models import Department
from merchants import binding, complaints, conduct
from merchants.models import Merchant
from reports import exports
from reports.models import Settlement, SettlementLine
from tests import factories
from tests.redemption.ground import drawn_here

PLAN = Path(coupons.__file__).parent / "demo_plan"
TOKEN = "0" * 32


def picture(kind: str = "JPEG") -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "white").save(out, kind)
    return SimpleUploadedFile(f"photo.{kind.lower()}", out.getvalue())


def letter() -> SimpleUploadedFile:
    return SimpleUploadedFile("letter.pdf", b"%PDF-1.4 invented letter of commitment")


@dataclass
class Office:
    """The rows by model label, for the addresses of their pages."""

    county: factories.County
    rows: dict[str, Any] = field(default_factory=dict)


def furnish(media: Path) -> Office:
    """Make one of everything through the real verbs; the clock stands at 9:05 of the first day."""
    opened = factories.FIRST_OPENING
    with mock.patch.object(drawing, "draw", drawn_here):
        county = factories.a_county({("dining", 100): 20, ("fuel", 200): 10}, opens_at=opened, edition="第一期")
        lifecycle.deal(county.rounds[0].pk)
        office = Office(county)
        _shops(office)
        _people(office)
        _desks(office)
    (media / "plans").mkdir(parents=True, exist_ok=True)
    shutil.copytree(PLAN, media / "plans" / TOKEN, dirs_exist_ok=True)
    return office


def _shops(office: Office) -> None:
    bureau, market = factories.a_staff(Department.INDUSTRY), factories.a_staff(Department.MARKET)
    shop = factories.a_merchant(office.county, name="乾安火锅店", address="乾安县宇宙大路", phone="0436-8220000")
    outlet = shop.outlets.get()
    rows = office.rows
    rows["merchants.Merchant"], rows["merchants.Outlet"] = shop, outlet
    rows["letter"] = conduct.record_letter(shop, letter(), clock.now().date(), "第一版", bureau)
    binding.issue_code(outlet, bureau)
    rows["code"] = outlet.codes.get()
    rows["merchants.Clerk"] = factories.a_clerk(outlet)
    rows["merchants.Inspection"] = conduct.inspect(
        shop, market, clock.now().date(), "价格标签齐全", is_breach=False, photos=[picture()]
    )
    rows["photo"] = rows["merchants.Inspection"].photos.get()
    conduct.set_state(
        factories.a_merchant(office.county, name="虚构小吃部").pk, Merchant.State.SUSPENDED, "停业整顿", market
    )


def _people(office: Office) -> None:
    county, rows, clerk = office.county, office.rows, office.rows["merchants.Clerk"]
    wang, zhao = factories.a_consumer("王小明", wechat_name="王=1+1🐟<b>"), factories.a_consumer("赵生")
    used = factories.used(factories.drawn(county, wang), clerk)
    pending = factories.drawn(county, zhao)
    factories.scanned(pending, clerk)
    rows["coupons.Consumer"], rows["coupons.Coupon"], rows["merchants.Redemption"] = wang, pending, used
    rows["merchants.Attempt"] = clerk.attempt_set.first()
    rows["merchants.Complaint"] = complaints.file(wang, clerk.outlet.merchant_id, "加价", used.coupon_id)
    villager = factories.a_staff(Department.STATION)
    station = Station.objects.create(name="让字村服务站", address="让字村村部")
    assisting.assign(station, villager)
    with mock.patch.object(verifying.secrets, "randbelow", return_value=123456):
        consumers.send_code("19900007788", assisting.SMS_PURPOSE)
    who = Present("孙大爷", "19900007788", "123456", consents=True)
    consumer, proof = assisting.identify(who, villager, county.campaign)
    assist = assisting.draw_for(villager, consumer, "dining", proof, uuid.uuid4())
    assisting.print_paper(assist.draw_id or 0, villager)
    rows["coupons.Station"], rows["coupons.Assist"] = station, assist


def _desks(office: Office) -> None:
    county, rows, now = office.county, office.rows, clock.now()
    bureau, auditor = factories.a_staff(Department.INDUSTRY), factories.a_staff(Department.AUDIT)
    consumers.exclude("19900006666", "staff", "本局人员")
    from coupons.models import Exclusion, Reveal
    from huigou import deeds
    from reports import trail
    from reports.models import AuditEntry

    consumers.reveal(rows["coupons.Consumer"].person, auditor, "核对消费")
    trail.keep(deed=deeds.Done(bureau, "127.0.0.1", "撤回", "消费券", "1", note="试"))
    rows["coupons.Exclusion"], rows["coupons.Reveal"] = Exclusion.objects.latest("pk"), Reveal.objects.latest("pk")
    rows["reports.AuditEntry"] = AuditEntry.objects.latest("pk")
    rows["coupons.Notice"] = Notice.objects.create(
        campaign=county.campaign, title="开抽公告", body="每轮上午 9:00 开抽", shown_from=now - dt.timedelta(hours=1)
    )
    counts = {batch.pk: 3 for batch in county.batches.values()}
    rows["coupons.ChangeRequest"] = funding.propose_release(county.rounds[1], counts, maker=bureau, reason="调整")
    rows["coupons.Campaign"], rows["coupons.Round"] = county.campaign, county.rounds[1]
    rows["coupons.Category"], rows["coupons.Batch"] = county.categories["dining"], county.batches["dining", 100]
    job = exports.ask("uses", {}, auditor)
    # Writing one needs a snapshot of its own, which no test inside a transaction can take.
    job.state, job.finished_at = job.State.READY, now
    job.file = SimpleUploadedFile("uses.xlsx", b"an invented workbook")
    job.save()
    rows["reports.ExportJob"] = job
    _money(office)
    rows["huigou.Staff"] = factories.a_staff(Department.MEDIA)
    rows["reports.ShopFigures"] = None


def _money(office: Office) -> None:
    rows, campaign, now = office.rows, office.county.campaign, clock.now()
    made = Settlement.objects.create(campaign=campaign, built_at=now)
    rows["reports.Settlement"] = made
    rows["reports.SettlementLine"] = SettlementLine.objects.create(
        settlement=made, merchant=rows["merchants.Merchant"], uses=1, counted=1, counted_fen=10_000, spend_fen=30_000
    )
    rows["reports.Reallocation"] = rows["reports.Closing"] = campaign
    found = {"code": "1", "message": "试：合计不符", "fingerprint": "0" * 16}
    rows["coupons.Freeze"] = Freeze.objects.create(campaign=campaign, findings=[found], frozen_at=now)


# ---- every address of the back office


def addresses() -> dict[str, str]:
    """Return {pattern: name} of everything under /admin/, as the site itself lists it."""

    def walk(patterns: Any, before: str = "") -> Any:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, before + str(pattern.pattern))
            elif isinstance(pattern, URLPattern):
                yield before + str(pattern.pattern), pattern.name or ""

    return dict(walk(admin.site.urls[0]))
