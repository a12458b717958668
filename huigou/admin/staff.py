"""Staff accounts: one natural person, one account."""

from __future__ import annotations

from typing import Any

from axes.utils import reset as reset_lockout
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from huigou import second_step
from huigou.admin.deed import Deed, ReasonForm
from huigou.admin.desk import DeskAdmin, Section
from huigou.errors import FORBIDDEN
from huigou.models import Staff
from huigou.roles import CHANGES, RIGHTS, may
from huigou.staff_list import StaffList


def _reset(request: HttpRequest, row: Staff, data: dict[str, Any]) -> str:
    if row.pk == request.user.pk:
        raise FORBIDDEN()
    second_step.reset(row)
    return "动态验证码已重置，该人员下次登录时重新绑定"


def _unlock(request: HttpRequest, row: Staff, data: dict[str, Any]) -> str:
    reset_lockout(username=row.username)
    return "已解锁，可以重新登录"


class StaffAdmin(DeskAdmin, UserAdmin):
    """Accounts are appointed by the leading group's office; each one names a natural person and a department."""

    listing = StaffList
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    deeds = (
        Deed(
            "resettotp",
            "重置动态验证码",
            "huigou.change_staff",
            _reset,
            ReasonForm,
            offered=lambda row: second_step.device_of(row) is not None,
            facts=lambda row: {"动态验证码": "已绑定" if second_step.device_of(row) else "未绑定"},
            on_row=False,
            tone="danger",
            say=lambda row: f"{row}的手机丢失或更换时使用；本人不能重置自己的。",
        ),
        Deed(
            "unlock",
            "解锁登录",
            "huigou.change_staff",
            _unlock,
            ReasonForm,
            on_row=False,
            say=lambda row: f"{row}因密码连续输错被锁定时使用，平时半小时后自动解锁。",
        ),
    )
    note = "一人一号：自然人标识（工号）不得重复。权限随部门而定，见账号页。"
    fieldsets = (
        (None, {"fields": ("username",)}),
        ("人员", {"fields": ("first_name", "department", "person_key")}),
        ("状态", {"fields": ("is_active", "is_staff")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2")}),
        ("人员", {"fields": ("first_name", "department", "person_key", "is_staff")}),
    )
    readonly_fields = ()
    filter_horizontal = ()

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        if "first_name" in form.base_fields:
            form.base_fields["first_name"].label = "姓名"
        form.base_fields.pop("usable_password", None)
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return (
                (None, {"fields": ("username", "password1", "password2")}),
                ("人员", {"fields": ("first_name", "department", "person_key", "is_staff")}),
            )
        return self.fieldsets

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # deeds point to their people: an account is switched off, never deleted

    def sections(self, request: HttpRequest, row: Staff) -> list[Section]:
        rights = [(right.title,) for code, right in RIGHTS.items() if may(row.department, code)]
        steps = [
            (
                step.title,
                "可提出" if row.department in step.makers else "",
                "可审批" if row.department in step.checkers else "",
            )
            for step in CHANGES.values()
            if row.department in step.makers | step.checkers
        ]
        return [
            Section(
                "账号",
                facts=[
                    ("账号", row.username),
                    ("姓名", row.first_name),
                    ("部门", row.get_department_display()),
                    ("在用", row.is_active),
                    ("最近登录", row.last_login),
                    ("动态验证码", "已绑定" if second_step.device_of(row) else "未绑定"),
                ],
            ),
            Section("本部门可办理的审批事项", headings=("事项", "提出", "审批"), rows=steps, empty="不参与审批"),
            Section("本部门的页面与操作", headings=("权限",), rows=rights),
        ]
