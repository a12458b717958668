"""本部门的工作: what waits for each department, each number counted by the list that it leads to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from coupons import desk, station_desk
from huigou import clock
from huigou.listing import Listing
from huigou.models import Department, Staff
from merchants import attempt_desk
from merchants import desk as shops
from reports import dashboard
from reports.trail import Trail

Params = Mapping[str, str]


@dataclass(frozen=True)
class Work:
    """One thing to look after: a list with some filters, whose count is the number; without a list, only the way."""

    title: str
    page: str  # the page's name in the back office
    right: str
    note: str = ""
    listing: type[Listing] | None = None
    params: Callable[[str], Params] = lambda today: {}
    waits: bool = False  # a number above zero asks for somebody


def _today(**more: str) -> Callable[[str], Params]:
    return lambda today: {"since": today, "until": today, **more}


def _with(**more: str) -> Callable[[str], Params]:
    return lambda today: more


APPROVALS = Work(
    "待审批事项", "coupons_changerequest_changelist", "coupons.view_changerequest", "一部门提出，另一部门审批",
    desk.Changes, _with(state="proposed"), waits=True,
)  # fmt: skip
NEW_COMPLAINTS = Work(
    "待受理投诉", "merchants_complaint_changelist", "merchants.view_complaint", "消费者从券的页面提交",
    shops.Complaints, _with(state="new"), waits=True,
)  # fmt: skip
OPEN_COMPLAINTS = Work(
    "处理中的投诉", "merchants_complaint_changelist", "merchants.view_complaint", "办结后投诉人可见结果",
    shops.Complaints, _with(state="working"), waits=True,
)  # fmt: skip
PENDING = Work(
    "已扫码待录入", "coupons_coupon_changelist", "coupons.view_coupon", "逾期未录入视为商家放弃补贴",
    shops.Coupons, _with(state="sent"), waits=True,
)  # fmt: skip
APPLIED = Work(
    "申请中的商家", "merchants_merchant_changelist", "merchants.view_merchant", "收承诺书后转为参加中",
    shops.Merchants, _with(state="applied"), waits=True,
)  # fmt: skip
SUSPENDED = Work(
    "暂停的商家", "merchants_merchant_changelist", "merchants.view_merchant", "状态和理由已公示",
    shops.Merchants, _with(state="suspended"),
)  # fmt: skip
BLACKLISTED = Work(
    "失信名单", "merchants_merchant_changelist", "merchants.view_merchant", "违约商家，退回政府补贴",
    shops.Merchants, _with(state="blacklisted"),
)  # fmt: skip
REVEALS = Work(
    "今天查看全号", "coupons_reveal_changelist", "coupons.view_reveal", "谁看了谁的号码、为何",
    desk.Reveals, _today(),
)  # fmt: skip
DEEDS = Work(
    "今天的操作", "reports_auditentry_changelist", "reports.view_auditentry", "工作人员的每一步", Trail, _today()
)
ASSISTS = Work(
    "今天代抽", "coupons_assist_changelist", "coupons.view_assist", "服务站办理，单独列出",
    station_desk.Assists, _today(),
)  # fmt: skip
REFUSED = Work(
    "今天未通过的核销", "merchants_attempt_changelist", "merchants.view_attempt", "旧码、他店、错号等",
    attempt_desk.Attempts, _today(outcome="refused"), waits=True,
)  # fmt: skip
EXCLUDED = Work(
    "排除名单", "coupons_exclusion_changelist", "coupons.view_exclusion", "在名单的号码不能抽奖",
    desk.Exclusions, _with(state="in"),
)  # fmt: skip
NOTICES = Work("公告", "coupons_notice_changelist", "coupons.view_notice", "显示在买家首页", desk.Notices)
CONSUMERS = Work(
    "买家", "coupons_consumer_changelist", "coupons.view_consumer", "已绑定", desk.Consumers, _with(bound="bound")
)
USES = Work("今天使用", "merchants_redemption_changelist", "merchants.view_redemption", "已录入", shops.Uses, _today())
ROUNDS = Work("轮次", "coupons_round_changelist", "coupons.view_round", "时间、投放与暂停", desk.Rounds)
ASSIST = Work("代抽", "coupons_assist_draw", "coupons.assist", "为在场群众抽奖、打印纸质券")
POSTERS = Work("宣传海报", "coupons_notice_posters", "coupons.print_poster", "带二维码，A4 打印")
FIGURES = Work("商家统计", "reports_shopfigures_changelist", "reports.view_shopfigures", "按商家、品类、日期")
STAFF = Work("工作人员", "huigou_staff_changelist", "huigou.view_staff", "一人一号，按部门授权")

D = Department
DESKS: dict[str, tuple[Work, ...]] = {
    D.INDUSTRY: (APPROVALS, PENDING, APPLIED, NEW_COMPLAINTS, ROUNDS, ASSISTS),
    D.FINANCE: (APPROVALS, USES, FIGURES),
    D.AUDIT: (USES, APPROVALS, REVEALS, DEEDS, EXCLUDED, FIGURES),
    D.DISCIPLINE: (DEEDS, REVEALS, EXCLUDED, ASSISTS, REFUSED, NEW_COMPLAINTS),
    D.MARKET: (NEW_COMPLAINTS, OPEN_COMPLAINTS, SUSPENDED, BLACKLISTED),
    D.POLICE: (REFUSED, CONSUMERS, USES),
    D.MEDIA: (NOTICES, POSTERS, FIGURES),
    D.LEADERS: (APPROVALS, NEW_COMPLAINTS, FIGURES, STAFF),
    D.OPERATOR: (ROUNDS, FIGURES, STAFF),
    D.STATION: (ASSIST, ASSISTS),
}


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the department's work to the index page, and the dashboard; unfold calls it."""
    if isinstance(request.user, Staff):
        context["work"] = work_of(request.user, clock.now())
        context["work_title"] = f"{request.user.get_department_display()}的工作"
    return dashboard.context(request, context)


def work_of(staff: Staff, now: dt.datetime) -> list[dict[str, Any]]:
    """Return what waits for somebody's department: title, number, note, address."""
    today = clock.local(now).date().isoformat()
    return [_shown(work, staff, today, now) for work in DESKS.get(staff.department, ()) if staff.has_perm(work.right)]


def _shown(work: Work, staff: Staff, today: str, now: dt.datetime) -> dict[str, Any]:
    params = dict(work.params(today))
    count = None
    if work.listing is not None:
        listing = work.listing.open(params, now)
        if isinstance(listing, station_desk.Assists):
            listing.staff = staff
        count = listing.count()
    query = f"?{urlencode(params)}" if params else ""
    return {
        "title": work.title,
        "count": count,
        "note": work.note,
        "href": reverse(f"admin:{work.page}") + query,
        "tone": "wait" if work.waits and count else "",
    }
