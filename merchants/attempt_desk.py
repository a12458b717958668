"""The list of every try to scan or enter a coupon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse

from huigou.errors import Reason
from huigou.listing import Column, Kind, NameField, PickField, WordField, by_name, within
from merchants import errors
from merchants.desk.one_firm import FirmForm, OfOneFirm
from merchants.models import Attempt, Clerk

VERBS = {"scan": "扫码", "complete": "录入", "short": "数字码"}
_SENTENCES = {reason.code: reason.sentence for reason in vars(errors).values() if isinstance(reason, Reason)}


def outcome_words(code: str) -> str:
    """Return what came of a try, in the refusal's own words."""
    if code == "ok":
        return "成功"
    said = _SENTENCES.get(code, "").split("{")[0].strip("，： ")
    return f"未通过（{said}）" if said else f"未通过（{code}）"


def outcome_tone(attempt: Attempt) -> str:
    return "good" if attempt.outcome == "ok" else "bad"


class AttemptFilters(FirmForm):
    outlet = WordField("店面")
    clerk = NameField("员工姓名")
    verb = PickField("动作", list(VERBS.items()))
    outcome = PickField("结果", [("ok", "成功"), ("refused", "未通过")])


class Attempts(OfOneFirm):
    """核销尝试: who tried what where, refused ones too."""

    firm_at = "outlet__merchant"  # from a clerk

    code = "attempts"
    title = "核销尝试"
    nothing = "还没有核销：每次扫码、输码和录入都列在这里"
    Filters = AttemptFilters
    columns = (
        Column("时间", lambda a: a.at, Kind.MOMENT, width=20),
        Column("店面", lambda a: a.clerk.outlet.name if a.clerk else "", width=20),
        Column("员工姓名", lambda a: a.clerk.person.masked_name if a.clerk else "", width=10, of_person=True),
        Column("员工电话", lambda a: a.clerk.person.masked_phone if a.clerk else "", width=14, of_person=True),
        Column("动作", lambda a: VERBS.get(a.verb, a.verb), width=10),
        Column(
            "结果", lambda a: outcome_words(a.outcome), tone=lambda a: "good" if a.outcome == "ok" else "bad", width=30
        ),
        Column(
            "券号",
            lambda a: a.coupon_id,
            width=10,
            link=lambda a: reverse("admin:coupons_coupon_page", args=[a.coupon_id]),
        ),
    )

    def base(self) -> QuerySet[Any]:
        return Attempt.objects.select_related("clerk__outlet", "clerk__person").order_by("-pk")

    def narrow(self, rows: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        rows = rows.filter(within(cleaned, "at"))
        clerks = self.of_firm(Clerk.objects.all())
        if words := cleaned.get("outlet"):
            clerks = clerks.filter(Q(outlet__name__icontains=words) | Q(outlet__merchant__name__icontains=words))
        if kept := cleaned.get("clerk"):
            clerks = clerks.filter(by_name(kept, "person"))
        if cleaned.get("outlet") or cleaned.get("clerk") or cleaned.get("firm"):
            # Clerks are few: their numbers are found first, so that the long table is read by its index.
            rows = rows.filter(clerk__in=list(clerks.values_list("pk", flat=True)))
        if cleaned.get("verb"):
            rows = rows.filter(verb=cleaned["verb"])
        if cleaned.get("outcome") == "ok":
            rows = rows.filter(outcome="ok")
        elif cleaned.get("outcome"):
            rows = rows.exclude(outcome="ok")
        return rows
