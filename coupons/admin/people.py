"""Looking at a full name and number: with a right, a reason, and a row that stays."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from coupons import consumers
from huigou.admin.deed import Deed, ReasonForm


def reveal_deed(person_of: Any) -> Deed:
    """Return the deed 查看全号 for rows that lead to a person."""

    def run(request: HttpRequest, row: Any, data: dict[str, Any]) -> HttpResponse:
        name, phone = consumers.reveal(person_of(row), request.user, data["reason"])
        shown = TemplateResponse(request, "admin/desk/revealed.html", {"name": name, "phone": phone})
        shown.headers["Cache-Control"] = "no-store"
        return shown.render()

    return Deed(
        code="reveal",
        title="查看完整姓名和手机号",
        button="查看全号",
        right="coupons.reveal_person",
        run=run,
        form=ReasonForm,
        say=lambda _: "查看完整号码会留下记录：谁、何时、为何。请写明理由。",
        on_row=False,
    )
