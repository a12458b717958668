"""审批事项: what one department asks for, another decides. Only by POST, and the verbs refuse once more."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.http import HttpRequest

from coupons import approval
from coupons.desk import Changes
from coupons.models import ChangeRequest
from huigou.admin.deed import Deed, PlainForm
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin, Section
from huigou.models import Staff
from huigou.roles import CHANGES


class NoteForm(forms.Form):
    note = forms.CharField(label="审批意见", max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 3}))


class RejectForm(forms.Form):
    note = forms.CharField(label="驳回理由", max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


def _open(change: ChangeRequest) -> bool:
    return change.state == ChangeRequest.State.PROPOSED


def _checks(staff: Staff, change: ChangeRequest) -> bool:
    return approval.may_decide(change, staff)


def _made(staff: Staff, change: ChangeRequest) -> bool:
    return change.maker_id == staff.pk


def _facts(change: ChangeRequest) -> dict[str, Any]:
    return {"状态": change.get_state_display(), "事项": change.verb, "内容散列": change.payload_sha256}


def _say(change: ChangeRequest) -> str:
    return f"{CHANGES[change.verb].title}：{change.summary}\n理由：{change.reason}"


def _approve(request: HttpRequest, change: ChangeRequest, data: dict[str, Any]) -> str:
    approval.approve(change.pk, request.user, data["note"])
    return "已批准并执行"


def _reject(request: HttpRequest, change: ChangeRequest, data: dict[str, Any]) -> str:
    approval.reject(change.pk, request.user, data["note"])
    return "已驳回"


def _withdraw(request: HttpRequest, change: ChangeRequest, data: dict[str, Any]) -> str:
    approval.withdraw(change.pk, request.user)
    return "已撤销，可更正后重新提出"


class ChangeRequestAdmin(ReadOnlyMixin, DeskAdmin):
    """Requests and their decisions; none is ever edited or deleted."""

    listing = Changes
    note = "每一事项由一个部门提出、另一部门审批，内容逐字固定；批准即执行。"
    deeds = (
        Deed(
            "approve",
            "批准",
            "coupons.decide_change",
            _approve,
            NoteForm,
            offered=_open,
            offered_to=_checks,
            facts=_facts,
            say=_say,
        ),
        Deed(
            "reject",
            "驳回",
            "coupons.decide_change",
            _reject,
            RejectForm,
            offered=_open,
            offered_to=_checks,
            facts=_facts,
            say=_say,
            tone="danger",
        ),
        Deed(
            "withdraw",
            "撤销",
            "coupons.propose_change",
            _withdraw,
            PlainForm,
            offered=_open,
            offered_to=_made,
            facts=_facts,
            say=_say,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("maker", "checker", "campaign")

    def page_title(self, row: ChangeRequest) -> str:
        return f"审批事项 {row.pk}"

    def sections(self, request: HttpRequest, row: ChangeRequest) -> list[Section]:
        step = CHANGES.get(row.verb)
        return [
            Section(
                step.title if step else row.verb,
                facts=[
                    ("活动", str(row.campaign)),
                    ("状态", row.get_state_display()),
                    ("摘要", row.summary),
                    ("理由", row.reason),
                    ("经办", str(row.maker)),
                    ("提出时间", row.made_at),
                    ("审批", str(row.checker) if row.checker else ""),
                    ("决定时间", row.decided_at),
                    ("审批意见", row.decision_note),
                    ("执行时间", row.executed_at),
                ],
            ),
            Section(
                "内容（逐字固定）",
                template="admin/desk/payload.html",
                extra={
                    "text": json.dumps(row.payload, ensure_ascii=False, indent=2, sort_keys=True),
                    "sha256": row.payload_sha256,
                },
            ),
        ]
