"""Import of shops: a workbook, a preview with each row's mistakes, then all of it or nothing."""

from __future__ import annotations

from typing import Any

import tablib
from django import forms
from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from coupons.models import Campaign
from huigou import deeds
from huigou.errors import Refusal
from huigou.excel_reading import read_sheets
from merchants.resources import HEADINGS, MerchantResource

MAX_BYTES = 2 * 1024 * 1024
MAX_ROWS = 2_000  # a county's shops are some hundreds
# As annex 2 prints them. A trade stands on its first row only.
ALSO_CALLED = {"categories": ["行业类别", "行业"], "name": ["商家名称"], "address": ["地址"], "phone": ["电话"]}
KEPT_S = 1_800  # a preview is confirmed within half an hour
SALT = "import-merchants"


class FileForm(forms.Form):
    file = forms.FileField(label="工作簿（.xlsx）", help_text="首行为列名：" + "、".join(HEADINGS.values()))


def _rows(content: bytes, name: str) -> list[list[str]]:
    """Return heading and rows of a workbook's first sheet as text; raises what the reader refuses."""
    sheets = read_sheets(content, name)
    if not sheets:
        raise forms.ValidationError("工作簿中没有工作表")
    table = [[cell.text.strip() for cell in row] for row in sheets[0].rows]
    return [row for row in table if any(row)]


def _dataset(content: bytes, name: str) -> tablib.Dataset:
    """Return the rows under their headings, in our order; annex 2 as printed is taken too, its trade filled down."""
    rows = _rows(content, name)
    at, places = next(((n, found) for n, row in enumerate(rows[:10]) if (found := _places(row))), (0, {}))
    for key in ("name", "categories"):
        if key not in places:
            raise forms.ValidationError(f"没有找到“{HEADINGS[key]}”这一列，请核对列名")
    body = rows[at + 1 :]
    if len(body) > MAX_ROWS:
        raise forms.ValidationError(f"超过 {MAX_ROWS} 行，请分批导入")
    is_filled_down = rows[at][places["categories"]] != HEADINGS["categories"]
    dataset, trade = tablib.Dataset(headers=list(HEADINGS.values())), ""
    for row in body:
        values = {key: row[place] if place < len(row) else "" for key, place in places.items()}
        if is_filled_down:
            trade = values["categories"] = values["categories"] or trade
        dataset.append([values.get(key, "") for key in HEADINGS])
    return dataset


def _places(row: list[str]) -> dict[str, int]:
    """Return {key: place} of a heading row, nothing for a row that names no firm."""
    named = {key: [HEADINGS[key], *ALSO_CALLED.get(key, [])] for key in HEADINGS}
    found = {key: row.index(n) for key, names in named.items() for n in reversed(names) if n in row}
    return found if "name" in found else {}


def show(request: HttpRequest, context: dict[str, Any], campaign: Campaign | None) -> HttpResponse:
    """Show the form, then the preview, then import."""
    if not request.user.has_perm("merchants.import_merchant"):
        raise PermissionDenied
    is_upload = request.method == "POST" and "kept" not in request.POST
    form, preview, kept = FileForm(request.POST, request.FILES) if is_upload else FileForm(), [], ""
    errors, refused = 0, []
    if request.method == "POST" and campaign is not None:
        try:
            dataset, kept, is_confirmed = _asked(request, form)
            if dataset is not None:
                result = MerchantResource(campaign).import_data(
                    dataset, dry_run=not is_confirmed, use_transactions=True
                )
                preview, errors = _preview(result, dataset)
                if is_confirmed and not errors:
                    deeds.announce(request, "导入商家", "商家", after={"行数": len(preview)})
                    messages.success(request, f"已导入 {len(preview)} 家企业")
                    return HttpResponseRedirect(reverse("admin:merchants_merchant_changelist"))
        except (forms.ValidationError, Refusal) as refusal:
            refused = getattr(refusal, "messages", [str(refusal)])
    page = {
        **context,
        "title": "导入商家",
        "is_fullwidth": "1",
        "form": form,
        "preview": preview,
        "kept": kept,
        "bad": errors,
        "refused": refused,
    }
    return TemplateResponse(request, "admin/desk/import.html", page)


def _asked(request: HttpRequest, form: FileForm) -> tuple[tablib.Dataset | None, str, bool]:
    if kept := request.POST.get("kept"):
        try:
            rows = signing.loads(kept, salt=SALT, max_age=KEPT_S, serializer=signing.JSONSerializer)
        except signing.BadSignature as stale:
            raise forms.ValidationError("预览已过期，请重新上传") from stale
        return tablib.Dataset(*rows, headers=list(HEADINGS.values())), kept, True
    if not form.is_valid():
        return None, "", False
    file = form.cleaned_data["file"]
    if (file.size or 0) > MAX_BYTES:
        raise forms.ValidationError("文件超过 2 MB")
    dataset = _dataset(file.read(), file.name)
    kept = signing.dumps([list(row) for row in dataset], salt=SALT, compress=True)
    return dataset, kept, False


ACTIONS = {"new": "新增", "update": "更新", "skip": "不变"}


def _preview(result: Any, dataset: tablib.Dataset) -> tuple[list[dict[str, Any]], int]:
    rows, bad = [], 0
    for number, (row, values) in enumerate(zip(result.rows, dataset, strict=False), start=1):
        said = [_sentence(error.error) for error in row.errors]
        if row.validation_error:
            said += list(row.validation_error.messages)
        bad += bool(said)
        rows.append(
            {"number": number, "values": values, "errors": said, "action": ACTIONS.get(row.import_type, "有误")}
        )
    for base in result.base_errors:
        bad += 1
        rows.insert(0, {"number": "", "values": [], "errors": [_sentence(base.error)], "action": "有误"})
    return rows, bad


def _sentence(error: Exception) -> str:
    messages_ = getattr(error, "messages", None)
    text = "；".join(messages_) if messages_ else str(error)
    return text if any("一" <= ch <= "鿿" for ch in text) else "这一行不能读取，请核对各列内容"
