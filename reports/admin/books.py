"""账目核对: the list of invariants on demand, every freeze with its findings, and the request that releases one."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from coupons.models import Campaign, Freeze
from huigou import clock
from huigou.admin.deed import Deed, ReasonForm
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin, Section
from huigou.money import yuan
from reports import reconcile
from reports.desk import Freezes
from reports.models import Seal
from reports.reconcile.sums import KINDS


def _propose_release(request: HttpRequest, row: Freeze, data: dict[str, Any]) -> str:
    reconcile.propose_release(row, maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return "已提交审批：由另一部门批准后解冻"


class FreezeAdmin(ReadOnlyMixin, DeskAdmin):
    """The books: checked now, and what was found before."""

    listing = Freezes
    list_template = "admin/desk/books.html"
    note = "系统每分钟核对一次，每天 1:30 全部核对。发现问题即冻结：暂停抽奖、扫码、备奖、调整和结算。"
    deeds = (
        Deed(
            "release",
            "提出解冻",
            "coupons.propose_unfreeze",
            _propose_release,
            ReasonForm,
            offered=lambda row: row.released_at is None,
            say=lambda row: (
                "解冻须写明各项问题已查明的理由，由另一部门的人批准。所列问题此后不再触发冻结，新问题仍会。"
            ),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("campaign", "change")

    def get_urls(self) -> list[Any]:
        check = require_POST(self.admin_site.admin_view(self.check_view))
        return [path("check/<int:campaign_id>/", check, name="coupons_freeze_check"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        campaigns = Campaign.objects.filter(launched_at__isnull=False).order_by("-launched_at")
        seals = {seal.campaign_id: seal for seal in Seal.objects.all()}
        frozen = set(Freeze.objects.filter(released_at=None).values_list("campaign_id", flat=True))
        books = [(campaign, seals.get(campaign.pk), campaign.pk in frozen) for campaign in campaigns]
        return super().changelist_view(request, {**(extra_context or {}), "books": books})

    def check_view(self, request: HttpRequest, campaign_id: int) -> HttpResponse:
        """Check the whole of a campaign's books now and show each invariant's outcome; red freezes."""
        if not request.user.has_perm("coupons.view_freeze"):
            raise PermissionDenied
        campaign = Campaign.objects.filter(pk=campaign_id, launched_at__isnull=False).first()
        if campaign is None:
            raise Http404
        report = reconcile.check(campaign)
        freeze = reconcile.freeze_if_red(campaign, report.findings)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{campaign} 账目核对",
            "is_fullwidth": "1",
            "back": ("账目核对", self.address("changelist")),
            "report": report,
            "freeze": self.address("page", freeze.pk) if freeze else "",
            "again": reverse("admin:coupons_freeze_check", args=[campaign.pk]),
            "checked_at": clock.local(report.checked_at),
            "sums": [(name, yuan(report.sums.get(kind, 0))) for kind, name in KINDS.items()],
            "inside": yuan(sum(fen for kind, fen in report.sums.items() if kind != "treasury")),
        }
        return TemplateResponse(request, "admin/desk/books_report.html", context)

    def page_title(self, row: Freeze) -> str:
        return f"{row.campaign} 账目冻结"

    def sections(self, request: HttpRequest, row: Freeze) -> list[Section]:
        return [
            Section(
                "已解冻" if row.released_at else "冻结中",
                facts=[
                    ("活动", str(row.campaign)),
                    ("冻结时间", row.frozen_at),
                    ("解冻时间", row.released_at),
                    ("解冻审批", str(row.change) if row.change else ""),
                ],
            ),
            Section(
                "核对问题",
                headings=("问题", "代码", "指纹"),
                rows=[(found["message"], found["code"], found["fingerprint"]) for found in row.findings],
            ),
        ]
