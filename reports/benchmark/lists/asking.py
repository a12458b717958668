"""Ask for every page, filter and search of the back office, and see what the database does for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory

from coupons.models import Campaign
from huigou import clock
from huigou.fields import mask_name
from huigou.models import Staff
from merchants.models import Clerk, Merchant, Outlet, Redemption
from reports import dashboard
from reports.benchmark.lists.deeds import RARE, READER
from reports.benchmark.lists.filling import NAME, PHONE

LIMIT_MS = 300  # at the database, for everything that one page asks
TIMES = 3  # each page is asked for so often; the middle one counts, and the worst is told


@dataclass(frozen=True)
class Page:
    """One page that somebody looks at."""

    title: str
    model: str  # app.model of its list, or "" for 首页
    filters: dict[str, Any]
    number: int = 1
    staff: str = "bench"  # whose department has the page


@dataclass(frozen=True)
class Answer:
    """What a page cost: milliseconds at the database (in the middle, and at worst), queries, and rows of its list."""

    title: str
    page: int
    rows: int
    db_ms: float
    worst_ms: float
    queries: int

    as_dict = asdict


def pages(campaign: Campaign) -> Iterator[Page]:
    """Yield what is asked for."""
    day = clock.local(campaign.rounds.get(number=3).opens_at).date().isoformat()
    span = {"since": day, "until": clock.local(campaign.rounds.get(number=5).closes_at).date().isoformat()}
    yield Page("首页", "", {})
    yield from _coupons(campaign, day, span)
    yield from _uses(campaign, day, span)
    consumers = "coupons.consumer"
    yield Page("买家管理", consumers, {})
    yield Page("买家管理 尾页", consumers, {}, 10**9)
    for title, filters in (
        ("位置", {"place": "declared"}),
        ("已解绑", {"bound": "unbound"}),
        ("日期+位置+绑定", {**span, "place": "inside", "bound": "bound"}),
        ("姓名", {"name": NAME}),
        ("手机号", {"phone": PHONE}),
        ("手机号后四位", {"phone": PHONE[-4:]}),
    ):
        yield Page(f"买家管理 {title}", consumers, filters)
    yield Page("商家管理", "merchants.merchant", {})
    yield Page("优惠券管理", "coupons.batch", {})
    yield Page("优惠券管理 品类", "coupons.batch", {"category": "fuel"})
    for group in ("merchant", "outlet", "category", "day", "hour", "round", "stat"):
        yield Page(f"商家统计 {group}", "reports.shopfigures", {"group": group})
    yield Page("商家统计 商家+日期+品类+轮次", "reports.shopfigures", {**span, "category": "fuel", "round": "4"})
    yield from _trail(day, span)


def _coupons(campaign: Campaign, day: str, span: dict[str, str]) -> Iterator[Page]:
    for title, number in (("", 1), ("第50,000页", 50_000), ("尾页", 10**9)):
        yield Page(f"优惠券领取 {title}".strip(), "coupons.coupon", {}, number)
    for title, filters in (
        ("一天", {"since": day, "until": day}),
        ("日期", span),
        ("品类", {"category": "dining"}),
        ("面额", {"face": "50000"}),
        ("轮次", {"round": "2"}),
        ("途径", {"channel": "station"}),
        *((f"状态 {state}", {"state": state}) for state in ("unused", "sent", "used", "lapsed", "forfeited")),
        ("品类+状态+日期", {"category": "fuel", "state": "used", **span}),
        (
            "品类+面额+轮次+途径+状态",
            {"category": "book", "face": "10000", "round": "3", "channel": "station", "state": "forfeited"},
        ),
        ("放弃+面额", {"state": "forfeited", "face": "50000"}),
    ):
        for where, number in (("", 1), (" 中间", -2), (" 尾页", 10**9)):
            yield Page(f"优惠券领取 {title}{where}", "coupons.coupon", filters, number)
    for title, filters in (
        ("姓名", {"name": NAME}),
        ("姓名+状态", {"name": NAME, "state": "used"}),
        ("手机号", {"phone": PHONE}),
        ("手机号后四位", {"phone": PHONE[-4:]}),
    ):
        yield Page(f"优惠券领取 {title}", "coupons.coupon", filters)


def _uses(campaign: Campaign, day: str, span: dict[str, str]) -> Iterator[Page]:
    uses = "merchants.redemption"
    for title, number in (("", 1), ("第50,000页", 50_000), ("尾页", 10**9)):
        yield Page(f"优惠券使用 {title}".strip(), uses, {}, number)
    shop = Merchant.objects.filter(campaign=campaign).order_by("pk").first()
    place = Outlet.objects.order_by("pk").last()
    for title, filters in (
        ("一天", {"since": day, "until": day}),
        ("日期", span),
        ("店面", {"outlet": "加油站1号"}),
        ("员工名称", {"clerk": clerk_filter()}),
        ("品类", {"category": "dining"}),
        ("面额", {"face": "50000"}),
        ("轮次", {"round": "2"}),
        ("统计状态", {"stat": "farm"}),
        ("商家", {"merchant": shop and shop.pk}),
        ("店面编号", {"place": place and place.pk}),
        ("品类+面额+轮次+店面+日期", {"category": "fuel", "face": "50000", "round": "4", "outlet": "总店", **span}),
    ):
        for where, number in (("", 1), (" 中间", -2), (" 尾页", 10**9)):
            yield Page(f"优惠券使用 {title}{where}", uses, filters, number)
    last4 = (
        Redemption.objects.finished().order_by("pk").select_related("consumer__person")[0].consumer.person.phone_last4
    )
    yield Page("优惠券使用 买家手机号后四位", uses, {"phone": last4})


def _trail(day: str, span: dict[str, str]) -> Iterator[Page]:
    for title, filters in (
        ("全部", {}),
        ("一天", {"since": day, "until": day}),
        ("日期", span),
        ("账号", {"staff": "audit"}),
        ("部门", {"department": "finance"}),
        ("动作", {"deed": "登录"}),
        ("动作（少见）", {"deed": "登记检查"}),
        ("对象", {"table": "商家"}),
        ("网段 /8", {"address": "10.0.0.0/8"}),
        ("网段（少见）", {"address": "172.16.0.0/12"}),
        (
            "动作+对象+部门+网段+日期",
            {"deed": "变更", "table": "商", "department": "audit", "address": "10.0.0.0/8", **span},
        ),
        ("内容 一词", {"words": "状态"}),
        ("内容 多字", {"words": "乾安火锅店"}),
        ("内容（少见）", {"words": RARE}),
        ("内容+网段+动作", {"words": "参加中", "address": "10.0.0.0/8", "deed": "变更"}),
    ):
        for where, number in (("", 1), (" 中间", -2), (" 尾页", 10**9)):
            yield Page(f"操作记录 {title}{where}", "reports.auditentry", filters, number, READER)
    yield Page("操作记录 编号", "reports.auditentry", {"row": "7"}, 1, READER)


def clerk_filter() -> str:
    """Return the filter of one clerk's name as the address holds it."""
    key = Clerk.objects.select_related("person").order_by("pk")[0].person.name_key
    return f"{bytes(key or b'').hex()}~{mask_name(NAME)}"


def ask(page: Page) -> Answer:
    """Ask for a page some times, rendered as the browser gets it."""
    number, times = page.number, []
    if number < 0:  # the middle of whatever there is
        number = max(1, _view(page, 1).context_data["page"].paginator.num_pages // -number)
    for _ in range(TIMES):
        queries: list[float] = []
        with connection.execute_wrapper(_stopwatch(queries)):
            shown = _view(page, number)
        times.append(sum(queries) * 1000)
    found = shown.context_data["page"] if page.model else None
    return Answer(
        page.title,
        found.number if found else 1,
        found.paginator.count if found else 0,
        round(median(times), 1),
        round(max(times), 1),
        len(queries),
    )


def _stopwatch(queries: list[float]) -> Callable[..., Any]:
    def timing(execute: Any, *given: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*given)
        finally:
            queries.append(time.perf_counter() - began)

    return timing


def _view(page: Page, number: int) -> Any:
    staff = Staff.objects.get(username=page.staff)  # anew, so that its rights are asked for as a request does
    if not page.model:
        return dashboard.state(clock.now(), staff)
    app, model = page.model.split(".")
    view: Any = admin.site._registry[apps.get_model(app, model)]
    kept = view.listing.open({k: str(v) for k, v in page.filters.items()}, clock.now()).query
    request = RequestFactory().get("/", HTTP_HOST="localhost", QUERY_STRING=f"{kept}&{urlencode({'p': number})}")
    request.user = staff
    return view.changelist_view(request).render()


def ask_all(campaign: Campaign) -> list[Answer]:
    """Return every page's cost."""
    return [ask(page) for page in pages(campaign)]


def timed(deed: Callable[[], Any]) -> float:
    """Return a deed's seconds."""
    began = time.perf_counter()
    deed()
    return time.perf_counter() - began
