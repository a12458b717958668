"""The back office's look and its menu, as django-unfold reads them (settings.UNFOLD)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.html import format_html


def _may(right: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(right)


# Pages that stand under the address of one entry and belong to another: a plan is read where firms are known.
_BELONGS = [(reverse_lazy("admin:merchants_merchant_plan"), reverse_lazy("admin:coupons_campaign_changelist"))]


def _is_here(link: Any) -> Callable[[HttpRequest], bool]:
    """Mark the entry that leads nearest to the page: the theme's own rule marks 公告 on the posters' page too."""
    return lambda request: str(link) == _nearest(request)


def _nearest(request: HttpRequest) -> str:
    """Return the menu's address that leads nearest to the page; looked for once per page, each entry asks."""
    found: str | None = getattr(request, "_nearest_entry", None)
    if found is None:
        index = str(reverse_lazy("admin:index"))
        entries = {str(item["link"]): str(item["link"]) for part in MENU for item in part["items"]}
        entries |= {str(page): str(entry) for page, entry in _BELONGS}
        leading = [start for start in entries if start != index and request.path.startswith(start)]
        nearest = max(leading, key=len, default=index if request.path == index else "")
        found = entries.get(nearest, "")
        request._nearest_entry = found  # type: ignore[attr-defined]
    return found


def _item(title: str, icon: str, name: str, right: str = "") -> dict[str, Any]:
    link = reverse_lazy(f"admin:{name}")
    item: dict[str, Any] = {"title": title, "icon": icon, "link": link, "active": _is_here(link)}
    if right:
        item["permission"] = _may(right)
    return item


def _page(title: str, icon: str, model: str) -> dict[str, Any]:
    app, name = model.split(".")
    return _item(title, icon, f"{app}_{name}_changelist", f"{app}.view_{name}")


def css(_: HttpRequest) -> str:
    return static("huigou/css/desk.css")


def script(_: HttpRequest) -> str:
    return static("huigou/js/desk.js")


def favicon(_: HttpRequest) -> str:
    return static("huigou/img/favicon.svg")


MENU: list[dict[str, Any]] = [
    {"items": [_item("首页", "home", "index")]},
    {
        # The old system's six menus, in its order.
        "title": "消费券",
        "items": [
            _page("商家统计", "bar_chart", "reports.shopfigures"),
            _page("优惠券使用", "receipt_long", "merchants.redemption"),
            _page("优惠券领取", "redeem", "coupons.coupon"),
            _page("买家管理", "groups", "coupons.consumer"),
            _page("商家管理", "storefront", "merchants.merchant"),
            _page("优惠券管理", "confirmation_number", "coupons.batch"),
        ],
    },
    {
        "title": "方案与审批",
        "separator": True,
        "items": [
            _page("审批事项", "approval", "coupons.changerequest"),
            _page("活动与方案", "description", "coupons.campaign"),
            _page("轮次", "event_repeat", "coupons.round"),
            _page("品类", "category", "coupons.category"),
            _page("品类调整", "swap_horiz", "reports.reallocation"),
            _page("公告", "campaign", "coupons.notice"),
            _item("宣传海报", "print", "coupons_notice_posters", "coupons.print_poster"),
            _page("村级服务站", "cottage", "coupons.station"),
            _page("代抽记录", "volunteer_activism", "coupons.assist"),
        ],
    },
    {
        "title": "资金与结算",
        "separator": True,
        "items": [
            _page("账目核对", "balance", "coupons.freeze"),
            _page("商家结算", "payments", "reports.settlement"),
            _page("活动结账", "task_alt", "reports.closing"),
        ],
    },
    {
        "title": "监督",
        "separator": True,
        "items": [
            _page("投诉处理", "support_agent", "merchants.complaint"),
            _page("检查记录", "fact_check", "merchants.inspection"),
            _page("员工", "badge", "merchants.clerk"),
            _page("核销尝试", "gpp_maybe", "merchants.attempt"),
            _page("排除名单", "person_off", "coupons.exclusion"),
            _page("查看记录", "visibility", "coupons.reveal"),
            _page("操作记录", "history", "reports.auditentry"),
            _page("导出记录", "download", "reports.exportjob"),
            _page("工作人员", "manage_accounts", "huigou.staff"),
        ],
    },
]


def _drawn(item: dict[str, Any]) -> dict[str, Any]:
    """Draw an entry's icon within its title: the theme's own is read out by its English name before the entry's."""
    icon = '<span class="material-symbols-outlined md-18 mr-3 w-[18px]" aria-hidden="true">{}</span>{}'
    drawn = {key: value for key, value in item.items() if key != "icon"}
    return drawn | {"title": format_html(icon, item["icon"], item["title"])}


NAVIGATION = [{**part, "items": [_drawn(item) for item in part["items"]]} for part in MENU]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "惠购乾城后台",
    "SITE_HEADER": "惠购乾城",
    "SITE_SUBHEADER": "消费券管理后台",
    "SITE_SYMBOL": "redeem",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": favicon}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "THEME": "light",
    "BORDER_RADIUS": "8px",
    "STYLES": [css],
    "SCRIPTS": [script],
    "DASHBOARD_CALLBACK": "reports.worklist.context",
    "COLORS": {
        "base": {
            "50": "#faf8f5",
            "100": "#f3efe9",
            "200": "#e6dfd5",
            "300": "#d3c8ba",
            "400": "#7a6e60",
            "500": "#766a5d",
            "600": "#5a4f45",
            "700": "#453c34",
            "800": "#2f2923",
            "900": "#221d19",
            "950": "#171310",
        },
        "primary": {
            "50": "#fdf3f1",
            "100": "#fbe4e0",
            "200": "#f6c8c1",
            "300": "#ec9f94",
            "400": "#dd6b5c",
            "500": "#c73f30",
            "600": "#b1221a",
            "700": "#951b15",
            "800": "#7a1813",
            "900": "#651714",
            "950": "#380906",
        },
    },
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": NAVIGATION},
}
