"""A firm's own page: its particulars, and the way to everything that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from huigou import clock
from huigou.admin.desk import Section
from huigou.money import yuan
from huigou.templatetags.desk import shown_fact
from merchants import binding
from merchants.models import BindingCode, Inspection, Merchant, Redemption

# Sections of apps further down, which know firms while firms do not know them: a firm's settlement.
MORE: list[Callable[[HttpRequest, Merchant], Section | None]] = []


def sections(request: HttpRequest, row: Merchant) -> list[Section]:
    """Return the parts of a firm's page that this member of staff may see."""
    found = [_facts(request, row), _elsewhere(request, row), _outlets(request, row), _letters(request, row)]
    found.append(_codes(request, row))
    found.append(_standing(row))
    if request.user.has_perm("merchants.view_inspection"):
        found.append(_inspections(row))
    if request.user.has_perm("merchants.view_complaint"):
        found.append(_complaints(row))
    return found + [section for more in MORE if (section := more(request, row))]


def link(href: str, text: Any) -> Any:
    """Return a link as the page's tables show it."""
    return format_html('<a class="link" href="{}">{}</a>', href, text)


def _facts(request: HttpRequest, row: Merchant) -> Section:
    used = Redemption.objects.counted().filter(merchant=row)
    spent = used.values_list("face_fen", "amount_fen")
    uses = f"{reverse('admin:merchants_redemption_changelist')}?merchant={row.pk}"
    may = request.user.has_perm("merchants.view_redemption")
    return Section(
        row.name,
        facts=[
            ("状态", row.get_state_display()),
            ("状态说明", row.state_reason),
            ("品类", "、".join(c.name for c in row.categories.all())),
            ("统计状态", row.get_stat_status_display()),
            ("企业地址", row.address),
            ("联系电话", row.phone),
            ("企业让利", row.offer),
            ("集体名录", row.is_collective),
            ("加入时间", row.joined_at),
            ("使用（张）", link(uses, len(spent)) if may else len(spent)),
            ("消费券金额（元）", yuan(sum(face for face, _ in spent))),
            ("消费金额（元）", yuan(sum(amount or 0 for _, amount in spent))),
        ],
    )


# Where else a firm appears: label, right, page, and the filters that narrow its list to the firm.
ELSEWHERE: tuple[tuple[str, str, str, Callable[[Merchant], dict[str, Any]]], ...] = (
    (
        "优惠券使用",
        "merchants.view_redemption",
        "merchants_redemption",
        lambda row: {"merchant": row.pk, "campaign": row.campaign_id},
    ),
    (
        "商家统计",
        "reports.view_shopfigures",
        "reports_shopfigures",
        lambda row: {"group": "outlet", "shop": row.pk, "campaign": row.campaign_id},
    ),
    (
        "店员绑定与解绑",
        "merchants.view_clerk",
        "merchants_clerk",
        lambda row: {"firm": row.pk, "campaign": row.campaign_id},
    ),
    ("核销尝试", "merchants.view_attempt", "merchants_attempt", lambda row: {"firm": row.pk}),
    (
        "投诉处理",
        "merchants.view_complaint",
        "merchants_complaint",
        lambda row: {"firm": row.pk, "campaign": row.campaign_id},
    ),
    (
        "检查记录",
        "merchants.view_inspection",
        "merchants_inspection",
        lambda row: {"firm": row.pk, "campaign": row.campaign_id},
    ),
    (
        "操作记录",
        "reports.view_auditentry",
        "reports_auditentry",
        lambda row: {"table": str(Merchant._meta.verbose_name), "row": row.pk},
    ),
)


def _elsewhere(request: HttpRequest, row: Merchant) -> Section:
    facts = [
        (label, link(f"{reverse(f'admin:{page}_changelist')}?{urlencode(filters(row))}", "查看"))
        for label, right, page, filters in ELSEWHERE
        if request.user.has_perm(right)
    ]
    return Section("本店的全部记录", facts=[*facts, ("公示（适用商家）", link(reverse("m-merchants"), "查看"))])


def _outlets(request: HttpRequest, row: Merchant) -> Section:
    add = f"{reverse('admin:merchants_outlet_add')}?merchant={row.pk}"
    may, sees = (request.user.has_perm(right) for right in ("merchants.change_outlet", "merchants.view_clerk"))
    rows: list[tuple[Any, ...]] = []
    for outlet in row.outlets.order_by("pk"):
        clerks = [c for c in outlet.clerks.select_related("person").order_by("pk") if c.unbound_at is None]
        people = "、".join(f"{c.person.masked_name} {c.person.masked_phone}" for c in clerks)
        change = reverse("admin:merchants_outlet_change", args=[outlet.pk])
        rows.append(
            (
                link(reverse("admin:merchants_outlet_page", args=[outlet.pk]), outlet.name),
                outlet.address,
                outlet.phone,
                outlet.is_active,
                people if sees else f"{len(clerks)} 人",
                link(change, "更新") if may else "",
            )
        )
    if request.user.has_perm("merchants.add_outlet"):
        rows.append((link(add, "添加店面"), " ", " ", " ", " ", " "))
    return Section("店面与员工", headings=("店面", "地址", "电话", "营业", "已绑定员工", "操作"), rows=rows)


def _letters(request: HttpRequest, row: Merchant) -> Section:
    may = request.user.has_perm("merchants.view_letter")
    return Section(
        "信用承诺书",
        headings=("版本", "签订日期", "登记人", "登记时间", "文件散列", "文件"),
        rows=[
            (
                x.version,
                x.signed_on,
                str(x.recorded_by),
                x.recorded_at,
                f"{x.sha256[:16]}…",
                link(reverse("admin:merchants_merchant_letter", args=[row.pk, x.pk]), "打开") if may else "",
            )
            for x in row.letters.select_related("recorded_by").order_by("-pk")
        ],
        empty="尚未提交，不能发放验证码",
    )


def _codes(request: HttpRequest, row: Merchant) -> Section:
    now = clock.now()
    codes = BindingCode.objects.filter(outlet__merchant=row).select_related("outlet", "issued_by").order_by("-pk")
    texts: dict[str, list[str]] = {}
    for text in binding.texts_of(code.pk for code in codes):
        texts.setdefault(text.about_key.rpartition("-")[0], []).append(text.get_state_display())
    rows = []
    for code in codes:
        is_open = not code.used_at and not code.revoked_at and code.expires_at > now
        state = "已使用" if code.used_at else "已作废" if code.revoked_at else "有效" if is_open else "已失效"
        href = reverse("admin:merchants_merchant_code", args=[row.pk, code.pk])
        printable = is_open and request.user.has_perm("merchants.issue_code")
        rows.append(
            (
                code.outlet.name,
                "店主" if code.is_owner else "店员",
                str(code.issued_by),
                code.issued_at,
                code.expires_at,
                state,
                "、".join(texts.get(f"{binding.TEXT_KEY}-{code.pk}", [])),
                link(href, "打印") if printable else "",
            )
        )
    return Section(
        "绑定验证码",
        headings=("店面", "身份", "发放人", "发放时间", "失效时间", "状态", "短信", "操作"),
        rows=rows,
        empty="尚未发放",
    )


def _standing(row: Merchant) -> Section:
    return Section(
        "状态变更",
        headings=("时间", "变更为", "理由", "经办人"),
        rows=[
            (s.at, s.get_state_display(), s.reason, str(s.staff))
            for s in row.sanctions.select_related("staff").order_by("-pk")
        ],
    )


def _inspections(row: Merchant) -> Section:
    def page(visit: Inspection) -> str:
        return reverse("admin:merchants_inspection_page", args=[visit.pk])

    visits = row.inspections.select_related("inspector").prefetch_related("photos").order_by("-pk")
    return Section(
        "检查记录",
        headings=("日期", "检查人", "情况", "违约", "照片"),
        rows=[
            (
                link(page(i), shown_fact(i.visited_on)),
                str(i.inspector),
                i.finding,
                i.is_breach,
                f"{len(i.photos.all())} 张",
            )
            for i in visits
        ],
    )


def _complaints(row: Merchant) -> Section:
    return Section(
        "投诉",
        headings=("编号", "时间", "内容", "状态", "处理结果"),
        rows=[
            (
                link(reverse("admin:merchants_complaint_page", args=[c.pk]), c.pk),
                c.made_at,
                c.text,
                c.get_state_display(),
                c.answer,
            )
            for c in row.complaints.order_by("-pk")
        ],
    )
