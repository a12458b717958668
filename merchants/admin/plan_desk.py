"""The plan desk: hand in four workbooks, see every row with what is wrong in it, sign off, load all or nothing."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from coupons.plan.linting import FATAL, Finding, lint
from coupons.plan.reading import find_sheets, read_draft
from coupons.plan.tables import PlanError
from coupons.plan.wording import named_trades
from coupons.resources import Preview, preview_plan
from huigou import deeds
from huigou.errors import Refusal
from huigou.money import yuan
from merchants.listing import load_plan

BOOKS = {"settings": "活动设置", "times": "活动时间", "annex1": "附件1", "annex2": "附件2"}
MAX_BOOK_BYTES = 8 * 1024 * 1024
KEEP_FOLDERS = 20  # plans handed in and not loaded


class BooksForm(forms.Form):
    """The plan folder's four workbooks."""

    settings = forms.FileField(label="活动设置.xlsx")
    times = forms.FileField(label="活动时间.xlsx")
    annex1 = forms.FileField(label="附件1（投放分配表）")
    annex2 = forms.FileField(label="附件2（企业名单）")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in BOOKS:
            book = cleaned.get(name)
            if book and (book.size or 0) > MAX_BOOK_BYTES:
                self.add_error(name, "文件超过 8 MB，不是方案工作簿")
        return cleaned


def _home() -> Path:
    return Path(settings.MEDIA_ROOT) / "plans"


def _folder(token: str) -> Path:
    folder = _home() / token
    if not re.fullmatch(r"[0-9a-f]{32}", token) or not folder.is_dir():
        raise Http404
    return folder


def _keep(books: dict[str, UploadedFile]) -> str:
    token = secrets.token_hex(16)
    folder = _home() / token
    folder.mkdir(parents=True)
    for name, prefix in BOOKS.items():
        with (folder / f"{prefix}.xlsx").open("wb") as out:
            for block in books[name].chunks():
                out.write(block)
    for old in sorted(_home().iterdir(), key=lambda path: path.stat().st_mtime)[:-KEEP_FOLDERS]:
        shutil.rmtree(old, ignore_errors=True)
    return token


def _refuse_others(request: HttpRequest) -> None:
    if not request.user.has_perm("coupons.import_plan"):
        raise PermissionDenied


def hand_in(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Take the workbooks; where a cell cannot be read every row is shown with what is wrong in it, nothing is kept."""
    _refuse_others(request)
    form = BooksForm(request.POST or None, request.FILES or None)
    problems: list[Any] = []
    previews: list[Preview] = []
    if request.method == "POST" and form.is_valid():
        token = _keep(form.cleaned_data)
        try:
            sheets = find_sheets(_folder(token))
            try:
                read_draft(sheets, named_trades(_folder(token)))
            except PlanError as unreadable:
                previews, _ = preview_plan(sheets, unreadable.problems, [])
                raise
        except Refusal as refusal:
            problems = getattr(refusal, "problems", [])
            form.add_error(
                None, str(refusal) if not problems else f"工作簿有 {len(problems)} 处不能读取，未导入任何内容"
            )
            shutil.rmtree(_folder(token), ignore_errors=True)
        else:
            return HttpResponseRedirect(reverse("admin:merchants_merchant_plan_review", args=[token]))
    page = {
        **context,
        "title": "导入方案",
        "is_fullwidth": "1",
        "form": form,
        "problems": problems,
        "previews": previews,
    }
    return TemplateResponse(request, "admin/desk/plan_hand_in.html", page)


def review(request: HttpRequest, context: dict[str, Any], token: str) -> HttpResponse:
    """Show each row with what must be signed off in it; load the plan once every finding has a reason."""
    _refuse_others(request)
    folder = _folder(token)
    sheets = find_sheets(folder)
    draft = read_draft(sheets, named_trades(folder))
    findings = lint(draft)
    previews, elsewhere = preview_plan(sheets, [], findings)
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    reasons = {code: request.POST.get(f"reason_{code}", "").strip() for code in groups}
    refused = ""
    if request.method == "POST":
        try:
            loaded = load_plan(draft, reasons, accepted_by=str(request.user))
        except Refusal as refusal:
            refused = str(refusal)
        else:
            deeds.announce(
                request,
                "导入方案",
                "活动",
                loaded.campaign.pk,
                after={"方案版本": loaded.campaign.plan_version, "张": loaded.coupons, "分": loaded.fen},
                note="；".join(f"{code}：{reason}" for code, reason in reasons.items()),
            )
            messages.success(
                request, f"已导入 {loaded.campaign}：{loaded.coupons} 张，{yuan(loaded.fen)} 元。请申请拨入资金和上线"
            )
            shutil.rmtree(folder, ignore_errors=True)
            return HttpResponseRedirect(reverse("admin:coupons_campaign_page", args=[loaded.campaign.pk]))
    page = {
        **context,
        "title": "方案核对",
        "is_fullwidth": "1",
        "draft": draft,
        "total": yuan(draft.fen),
        "groups": [(code, rows, reasons[code], code in FATAL) for code, rows in groups.items()],
        "has_fatal": any(code in FATAL for code in groups),
        "refused": refused,
        "previews": previews,
        "elsewhere": elsewhere,
    }
    return TemplateResponse(request, "admin/desk/plan_review.html", page)
