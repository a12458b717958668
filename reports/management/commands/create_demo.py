"""Load the county's plan as a demonstration: funded, launched and dealt through the real approvals.

Round 1 is re-dated so that it opened at the last 9:00. A second run finds its data and only prints the accounts again.
Refuses to run with a real SMS gateway or outside a demonstration.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

import coupons
from coupons import approval, funding, lifecycle, publishing
from coupons.models import Campaign, Notice, Station, StationClerk
from coupons.plan.draft import redate
from coupons.plan.linting import lint
from coupons.plan.reading import read_plan
from huigou import clock, sms
from huigou.models import Department, Staff
from merchants import binding
from merchants.listing import load_plan
from merchants.models import BindingCode, CommitmentLetter, Outlet

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
CODES_FOR = ("dining", "fuel", "book")  # one shop of each gets a letter and a one-time code


class Command(BaseCommand):
    help = "装入演示数据：乾安县方案（第一轮改期到最近一个 9:00），由两个部门的演示人员审批"

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO or sms.is_real():
            raise CommandError("只能在演示系统中运行（DEMO=true，且未接入真实短信）")
        draft = read_plan(PLAN)
        campaign = Campaign.objects.filter(name=draft.settings.name, edition=draft.settings.edition).first()
        if campaign is None:
            self.stdout.write("装入乾安县方案 …")
            campaign = self._create(draft)
        password = _password()
        self._print(campaign, password)

    def _create(self, draft: Any) -> Campaign:
        now = clock.now()
        first_day = now.date() if now.hour >= 9 else now.date() - dt.timedelta(days=1)
        with transaction.atomic():
            staff = _people()
            accepted = {finding.code: REASON for finding in lint(draft)}
            bureau, finance = staff[Department.INDUSTRY], staff[Department.FINANCE]
            campaign = load_plan(redate(draft, first_day), accepted, accepted_by=str(bureau)).campaign
            campaign.boundary = json.loads((PLAN / "county.geojson").read_text())
            campaign.save(update_fields=["boundary"])
            for propose, reason in ((funding.propose_fund, "按方案拨入"), (funding.propose_launch, "方案已核对")):
                approval.approve(propose(campaign, maker=bureau, reason=reason).pk, finance, "同意")
            _shops(campaign, bureau)
            _station(staff[Department.STATION])
            Notice.objects.create(
                campaign=campaign,
                title="惠购乾城第一期消费券开抽",
                body="每轮上午 9:00 开始抽奖，每个品类每轮最多抽取一张。抽中的券请在到期前到适用商家使用。",
                shown_from=now,
            )
        lifecycle.sweep()
        publishing.publish_heads()
        return campaign

    def _print(self, campaign: Campaign, password: str) -> None:
        write = self.stdout.write
        write(f"\n演示系统（非官方网站）：{campaign.county} {campaign}")
        write(f"后台账号（密码均为 {password}）：")
        for username, department, _ in PEOPLE:
            write(f"  {username:<10} {department.label}")
        codes = BindingCode.objects.filter(used_at=None, revoked_at=None).select_related("outlet").order_by("pk")
        if codes:
            write("商家绑定验证码（在 /shop/bind 使用，各一次）：")
        for row in codes:
            code = row.code or ""
            write(f"  {'-'.join(code[i : i + 4] for i in range(0, len(code), 4))}  {row.outlet.name}")
        write("买家：打开 /m/bind，填任意姓名和 1990000 开头的手机号，验证码会显示在页面上")


def _password() -> str:
    """Return this installation's demo password, made once and kept beside the keys."""
    path = Path(settings.VAR_DIR) / "keys" / "demo_password"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(fd, "w") as out:
            out.write("demo-" + secrets.token_hex(4))
    return path.read_text().strip()


def _people() -> dict[str, Staff]:
    password, staff = _password(), {}
    for username, department, name in PEOPLE:
        member = Staff.objects.filter(username=username).first() or Staff(username=username)
        member.department, member.first_name, member.person_key = department, name, f"demo-{username}"
        member.is_staff, member.is_superuser = True, False
        member.set_password(password)
        member.save()
        staff[department] = member
    return staff


def _shops(campaign: Campaign, bureau: Staff) -> None:
    outlets = Outlet.objects.filter(merchant__campaign=campaign).order_by("merchant__seq")
    for code in CODES_FOR:
        outlet = outlets.filter(merchant__categories__code=code).first()
        if outlet is None:
            continue
        text = f"信用承诺书（演示件，无签章）\n{outlet.merchant.name}\n".encode()
        CommitmentLetter.objects.create(
            merchant=outlet.merchant,
            file=ContentFile(text, name=f"letter-{outlet.merchant_id}.txt"),
            sha256=hashlib.sha256(text).hexdigest(),
            signed_on=clock.now().date(),
            recorded_by=bureau,
            recorded_at=clock.now(),
        )
        binding.issue_code(outlet, bureau, is_owner=True)


def _station(clerk: Staff) -> None:
    station, _ = Station.objects.get_or_create(name="演示村服务站", defaults={"address": "演示村"})
    StationClerk.objects.get_or_create(staff=clerk, defaults={"station": station})
