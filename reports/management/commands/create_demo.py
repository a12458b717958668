"""Load the county's plan as a demonstration: funded, launched and dealt through the real approvals, and lived in.

Round 1 is re-dated so that it opened at the last 9:00. A second run finds its data and only prints the accounts again.
Refuses to run with a real SMS gateway or outside a demonstration.
"""

from __future__ import annotations

import os
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from coupons.models import Campaign
from coupons.plan.draft import PlanDraft
from coupons.plan.reading import read_plan
from huigou import clock, sms
from huigou.models import Department, Staff
from merchants import binding
from merchants.models import BindingCode, Merchant
from reports import demonstration
from reports.demonstration.bringing_up import PLAN, past, run_true_again

INVENTED_PEOPLE = (
    150  # draw some 400 of the round's 2,929 coupons in about ten seconds and leave the rest to the visitor
)
CODES_FOR = ("dining", "fuel", "book")  # one shop of each gets a one-time code for the visitor


class Command(BaseCommand):
    help = "装入演示数据：乾安县方案（第一轮改期到最近一个 9:00），由两个部门的演示人员审批，并有虚构人员的首日使用情况"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--people", type=int, default=INVENTED_PEOPLE, help="虚构的买家人数，0 为没有")

    def handle(self, *args: Any, people: int, **options: Any) -> None:
        if not settings.DEMO or sms.is_real():
            raise CommandError("只能在演示系统中运行（DEMO=true，且未接入真实短信）")
        draft = read_plan(PLAN)
        campaign = Campaign.objects.filter(name=draft.settings.name, edition=draft.settings.edition).first()
        password = _password()
        run_true_again()  # an earlier run may have been killed
        if campaign is None:
            campaign = self._create(draft, password, people)
        self._print(campaign, password)

    def _create(self, draft: PlanDraft, password: str, people: int) -> Campaign:
        self.stdout.write("装入乾安县方案 …")
        if not people:
            campaign, staff = demonstration.bring_up(draft, password, set_back=False)
        else:
            with past():
                present = clock.now()
                campaign, staff = demonstration.bring_up(draft, password, set_back=True)
                drawn = demonstration.play(campaign, staff, people, present)
            self.stdout.write(f"虚构买家 {people} 人，已抽 {drawn} 张券")
        _codes(campaign, staff[Department.INDUSTRY])
        return campaign

    def _print(self, campaign: Campaign, password: str) -> None:
        write = self.stdout.write
        write(f"\n演示系统（非官方网站）：{campaign.county} {campaign}")
        for line in _stage(campaign):
            write(line)
        write(f"后台账号（密码均为 {password}）：")
        for username, department, _ in demonstration.PEOPLE:
            write(f"  {username:<10} {department.label}")
        codes = BindingCode.objects.filter(used_at=None, revoked_at=None, expires_at__gt=clock.now())
        if rows := list(codes.select_related("outlet").order_by("pk")):
            write("商家绑定验证码（在 /shop/bind 使用，各一次）：")
        else:
            write("商家绑定验证码已用完：用 gongxin 登录后台，在 商家管理 中发放")
        for row in rows:
            write(f"  {binding.grouped(row.code or '')}  {row.outlet.name}")
        write("买家：打开 /m/bind，填任意姓名和 1990000 开头的手机号，验证码会显示在页面上")


def _stage(campaign: Campaign) -> list[str]:
    """Say where the demonstration stands: it is never re-dated, since its books and signed logs are of its days."""
    now = clock.now()
    if (current := campaign.rounds.open_at(now).first()) is not None:
        return [f"现在：第{current.number}轮可以抽奖，至{clock.spoken(current.closes_at, end=True)}"]
    following = campaign.rounds.filter(opens_at__gt=now).order_by("number").first()
    if following is not None:
        return [f"现在：轮次之间，第{following.number}轮将于{clock.spoken(following.opens_at)}开始"]
    return [
        "现在：这份演示数据的各轮均已结束，不能再抽奖、核销；查询、结算、导出和核验仍可演示",
        f"要从第一轮重新开始：按 Ctrl-C 停止，删除 {settings.VAR_DIR}（其中数据不再保留），再运行 make run",
    ]


def _password() -> str:
    """Return this installation's demo password, made once and kept beside the keys."""
    path = Path(settings.VAR_DIR) / "keys" / "demo_password"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(fd, "w") as out:
            out.write("demo-" + secrets.token_hex(4))
    return path.read_text().strip()


def _codes(campaign: Campaign, bureau: Staff) -> None:
    """Issue a visitor one code for a shop in good standing of each of three trades."""
    shops = Merchant.objects.taking_part().filter(campaign=campaign, letters__isnull=False).order_by("seq")
    for code in CODES_FOR:
        outlet = next((o for shop in shops.filter(categories__code=code) for o in shop.outlets.order_by("pk")), None)
        if outlet is not None:
            binding.issue_code(outlet, bureau, is_owner=True)
