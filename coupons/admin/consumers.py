"""买家管理, 排除名单, and who looked at whose number."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest

from coupons import consumers
from coupons.admin.people import reveal_deed
from coupons.desk import Consumers, Exclusions, Reveals
from coupons.models import Consumer, Coupon, Exclusion
from huigou import clock
from huigou.admin.deed import Deed, ReasonForm
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin, Section
from huigou.money import short_yuan


class ConsumerAdmin(ReadOnlyMixin, DeskAdmin):
    """Who is bound; masked, with the coupons of each."""

    listing = Consumers
    deeds = (reveal_deed(lambda row: row.person),)

    def page_title(self, row: Consumer) -> str:
        return f"买家 {row.person.masked_name} {row.person.masked_phone}"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("person")

    def sections(self, request: HttpRequest, row: Consumer) -> list[Section]:
        now = clock.now()
        held = Coupon.objects.held_by(row).select_related("batch__category", "round").order_by("-pk")[:200]
        return [
            Section(
                "绑定",
                facts=[
                    ("姓名", row.person.masked_name),
                    ("手机号", row.person.masked_phone),
                    ("微信名", row.wechat_name),
                    ("位置核对", row.get_place_display()),
                    ("核对时间", row.place_at),
                    ("同意书版本", row.consent_version),
                    ("绑定时间", row.bound_at),
                    ("解绑时间", row.unbound_at),
                ],
            ),
            Section(
                "消费券",
                headings=("轮次", "品类", "面额（元）", "使用情况", "领取时间", "到期时间"),
                rows=[
                    (
                        str(c.round),
                        c.batch.category.name,
                        short_yuan(c.face_fen),
                        "已过期" if c.state == "held" and c.expires_at <= now else c.get_state_display(),
                        c.drawn_at,
                        c.expires_at,
                    )
                    for c in held
                ],
                empty="尚未领取",
            ),
        ]


class ExcludeForm(forms.Form):
    phone = forms.CharField(label="手机号", max_length=20, widget=forms.TextInput(attrs={"inputmode": "numeric"}))
    source = forms.ChoiceField(label="来源", choices=Exclusion.Source.choices)
    reason = forms.CharField(label="说明", max_length=200)


def _exclude(request: HttpRequest, row: Any, data: dict[str, Any]) -> str:
    consumers.exclude(data["phone"], data["source"], data["reason"])
    return "已加入排除名单"


def _remove(request: HttpRequest, row: Exclusion, data: dict[str, Any]) -> str:
    consumers.readmit(row.pk)
    return "已移出排除名单"


class ExclusionAdmin(ReadOnlyMixin, DeskAdmin):
    """Numbers that may not draw. Only keyed hashes are kept; a number is looked up by typing it."""

    listing = Exclusions
    has_page = False
    note = "名单只存号码的加密散列：输入完整手机号可查是否在名单。员工绑定后自动加入。"
    deeds = (
        Deed("add", "加入排除名单", "coupons.add_exclusion", _exclude, ExcludeForm, for_list=True, button="添加"),
        Deed(
            "remove",
            "移出排除名单",
            "coupons.remove_exclusion",
            _remove,
            ReasonForm,
            offered=lambda row: row.removed_at is None,
            facts=lambda row: {"状态": "已移出" if row.removed_at else "在名单"},
            button="移出",
            tone="danger",
        ),
    )


class RevealAdmin(ReadOnlyMixin, DeskAdmin):
    """Who looked at a full number."""

    listing = Reveals
    has_page = False
