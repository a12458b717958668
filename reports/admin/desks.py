"""商家统计, 导出记录, 操作记录."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

from huigou import deeds
from huigou.admin.deed import Deed
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin, Section
from huigou.errors import BAD_INPUT, FORBIDDEN
from huigou.listing import Column, DaysForm, Kind, Listing, PickField, within
from reports import exports
from reports.export_tasks import run_export
from reports.figures import ShopFigures
from reports.models import ExportJob
from reports.trail import Trail
from reports.views.dashboard import figures_json
from reports.views.files import download, progress_json


class ShopFiguresAdmin(ReadOnlyMixin, DeskAdmin):
    """What was spent per shop, place, category, day, hour, round or statistical status."""

    listing = ShopFigures
    has_page = False
    note = "统计已录入（已使用）的消费券，按确认时间归日；点击名称逐层细看，点击张数查看明细。"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("reports.view_shopfigures")

    def get_urls(self) -> list[Any]:
        mine = [path("dashboard.json", self.admin_site.admin_view(figures_json), name="reports_dashboard")]
        return mine + super().get_urls()


class AskForm(forms.Form):
    """Whether with persons, and then why."""

    persons = forms.BooleanField(
        label="含完整姓名和手机号", required=False, help_text="须有权限并写明理由；导出会登记在操作记录"
    )
    reason = forms.CharField(label="理由", max_length=200, required=False)


STATE_TONES = {"waiting": "wait", "running": "wait", "ready": "good", "failed": "bad"}
TITLES = {code: listing.title for code, listing in exports.LISTS.items()}


class JobFilters(DaysForm):
    kind = PickField("内容", list(TITLES.items()))
    state = PickField("状态", ExportJob.State.choices)


class Jobs(Listing):
    """导出记录: every export with its filter, its hash and who took it."""

    code = "jobs"
    title = "导出记录"
    Filters = JobFilters
    columns = (
        Column("编号", lambda j: j.pk, width=8, link=lambda j: reverse("admin:reports_exportjob_page", args=[j.pk])),
        Column("内容", lambda j: TITLES.get(j.kind, j.kind), width=14),
        Column("导出人", lambda j: str(j.staff) if j.staff else "系统", width=18),
        Column("申请时间", lambda j: j.asked_at, Kind.MOMENT, width=20),
        Column("行数", lambda j: j.rows_done, Kind.COUNT, width=10),
        Column("个人信息", lambda j: "完整" if exports.PERSONS in j.filters else "已隐去", width=10),
        Column("状态", lambda j: j.get_state_display(), tone=lambda j: STATE_TONES[j.state], width=8),
        Column("行散列", lambda j: f"{j.rows_sha256[:16]}…" if j.rows_sha256 else "", width=20),
    )

    def base(self) -> QuerySet[Any]:
        return ExportJob.objects.select_related("staff").order_by("-pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "asked_at"))
        for name in ("kind", "state"):
            if cleaned.get(name):
                rows = rows.filter(**{name: cleaned[name]})
        return rows


def _ask(request: HttpRequest, row: Any, data: dict[str, Any]) -> HttpResponse:
    kind = request.GET.get("kind", "")
    if kind not in exports.LISTS:
        raise BAD_INPUT(what="导出内容")
    if not _may_list(request, kind):
        raise FORBIDDEN()
    if data["persons"] and not request.user.has_perm("reports.export_persons"):
        raise FORBIDDEN()
    staff: Any = request.user
    job = exports.ask(kind, request.GET.dict(), staff, persons=data["persons"], reason=data["reason"])
    # After the commit, so that the worker finds it. Without a broker the minutely sweep takes it up.
    transaction.on_commit(lambda: run_export.delay(job_id=job.pk), robust=True)
    return HttpResponseRedirect(reverse("admin:reports_exportjob_page", args=[job.pk]))


# Whose page a list is: an export shows nothing that its page would not.
PAGES = {
    "figures": "reports.view_shopfigures",
    "uses": "merchants.view_redemption",
    "coupons": "coupons.view_coupon",
    "consumers": "coupons.view_consumer",
    "merchants": "merchants.view_merchant",
    "batches": "coupons.view_batch",
    "changes": "coupons.view_changerequest",
    "rounds": "coupons.view_round",
    "categories": "coupons.view_category",
    "notices": "coupons.view_notice",
    "stations": "coupons.view_station",
    "assists": "coupons.view_assist",
    "reveals": "coupons.view_reveal",
    "clerks": "merchants.view_clerk",
    "complaints": "merchants.view_complaint",
    "inspections": "merchants.view_inspection",
    "attempts": "merchants.view_attempt",
    "exclusions": "coupons.view_exclusion",
    "campaigns": "coupons.view_campaign",
    "outlets": "merchants.view_outlet",
    "freezes": "coupons.view_freeze",
    "settlements": "reports.view_settlement",
    "lines": "reports.view_settlementline",
    "staff": "huigou.view_staff",
    "trail": "reports.view_auditentry",
}


def _may_list(request: HttpRequest, kind: str) -> bool:
    return kind in PAGES and request.user.has_perm(PAGES[kind])


def _drop_persons(form: forms.Form, request: HttpRequest, row: Any) -> None:
    listing = exports.LISTS.get(request.GET.get("kind", ""))
    has_persons = listing is not None and any(column.full for column in listing.columns)
    if not has_persons or not request.user.has_perm("reports.export_persons"):
        form.fields["persons"] = forms.BooleanField(required=False, widget=forms.HiddenInput())
        form.fields["reason"] = forms.CharField(required=False, widget=forms.HiddenInput())


def persons_words(job: ExportJob) -> str:
    """Return whether an export holds persons, and why."""
    return f"完整姓名和手机号，理由：{job.filters[exports.PERSONS]}" if exports.PERSONS in job.filters else "已隐去"


class ExportJobAdmin(ReadOnlyMixin, DeskAdmin):
    """Exports: asked for from any list, written by a worker, kept with their record."""

    listing = Jobs
    exports = False
    deeds = (
        Deed(
            "ask",
            "导出 Excel",
            "reports.add_exportjob",
            _ask,
            AskForm,
            prepare=_drop_persons,
            for_list=True,
            button="开始导出",
            say=lambda _: "按当前筛选条件导出全部记录，后台生成，完成后可下载；不受翻页影响。",
        ),
    )

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:job_id>/progress.json", wrap(self.progress_view), name="reports_exportjob_progress"),
            path("<int:job_id>/file.xlsx", wrap(self.file_view), name="reports_exportjob_file"),
            *super().get_urls(),
        ]

    def list_deeds(self, request: HttpRequest) -> list[Deed]:
        return []  # an export begins at the list that it is about

    def _mine(self, request: HttpRequest, job_id: Any) -> ExportJob:
        job = ExportJob.objects.select_related("staff").filter(pk=job_id).first()
        if job is None:
            raise Http404
        if job.staff_id != request.user.pk and not (
            _may_list(request, job.kind)
            and (exports.PERSONS not in job.filters or request.user.has_perm("reports.export_persons"))
        ):
            raise PermissionDenied
        return job

    def progress_view(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """Say how far an export is."""
        return progress_json(self._mine(request, job_id))

    def file_view(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """Hand out the workbook; a download that broke off goes on where it stopped. Taking one leaves a trace."""
        job = self._mine(request, job_id)
        answer = download(request, job)
        if answer.status_code == 200 or answer.headers.get("Content-Range", "").startswith("bytes 0-"):
            deeds.announce(request, "下载导出", "导出记录", job.pk, note=str(job.filters.get(exports.PERSONS, "")))
        return answer

    def page_title(self, row: ExportJob) -> str:
        return f"导出 {row.pk} {TITLES.get(row.kind, row.kind)}"

    def sections(self, request: HttpRequest, row: ExportJob) -> list[Section]:
        self._mine(request, row.pk)
        listing = exports.LISTS[row.kind].open(row.filters, row.asked_at)
        done, total = exports.progress(row)
        is_over = row.state in (ExportJob.State.READY, ExportJob.State.FAILED)
        return [
            Section(
                row.get_state_display(),
                template="admin/desk/export.html",
                extra={
                    "job": row,
                    "done": done,
                    "total": total,
                    "is_over": is_over,
                    "progress": reverse("admin:reports_exportjob_progress", args=[row.pk]),
                    "file": reverse("admin:reports_exportjob_file", args=[row.pk]),
                    "size": row.file.size if row.file and row.file.storage.exists(row.file.name) else None,
                },
            ),
            Section(
                "记录",
                facts=[
                    ("内容", TITLES.get(row.kind, row.kind)),
                    *(listing.spoken() or [("筛选条件", "全部")]),
                    ("个人信息", persons_words(row)),
                    ("导出人", str(row.staff) if row.staff else "系统"),
                    ("申请时间", row.asked_at),
                    ("完成时间", row.finished_at),
                    ("行数", row.rows_done if is_over else ""),
                    ("行内容 SHA-256", row.rows_sha256),
                ],
            ),
        ]


class AuditEntryAdmin(ReadOnlyMixin, DeskAdmin):
    """Everything that staff did; 纪委 and 审计 search it."""

    listing = Trail
    has_page = False
    note = "只增不改；不含个人信息。"
