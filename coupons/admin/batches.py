"""优惠券管理."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from coupons.desk import Batches
from coupons.models import Batch, Category
from huigou import clock
from huigou.admin.desk import DeskAdmin, Section
from huigou.money import parse_yuan, short_yuan

NOTHING_TO_ADD_TO = (
    "现有活动都已上线，方案已冻结，不能再添加优惠券。已上线的活动请用“品类调整”；"
    "新一期活动请先在“活动与方案”导入方案，上线前可以添加。"
)


class BatchForm(forms.ModelForm):
    """A batch before the campaign goes live; afterwards only its name can change."""

    face = forms.CharField(label="面额（元）", max_length=12, widget=UnfoldAdminTextInputWidget())

    class Meta:
        model = Batch
        fields = ["category", "name", "planned"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "face" in self.fields and self.instance.pk:
            self.fields["face"].initial = short_yuan(self.instance.face_fen)
        if "category" in self.fields:
            # What is live is frozen: a batch is added to a campaign that is still being prepared.
            self.fields["category"].queryset = Category.objects.filter(campaign__launched_at=None)  # type: ignore[attr-defined]
            self.fields["category"].label_from_instance = lambda c: f"{c.campaign} {c.name}"  # type: ignore[attr-defined]
            for shortcut in ("can_add_related", "can_change_related", "can_view_related"):  # categories have no form
                setattr(self.fields["category"].widget, shortcut, False)

    def clean_face(self) -> int:
        try:
            return parse_yuan(self.cleaned_data["face"], what="面额")
        except Exception as wrong:
            raise ValidationError("面额不正确，请填写元，最多两位小数") from wrong

    def save(self, commit: bool = True) -> Batch:  # noqa: FBT001, FBT002 (Django's signature)
        if "face" in self.cleaned_data:
            self.instance.face_fen = self.cleaned_data["face"]
        if self.instance.created_at is None:
            self.instance.created_at = clock.now()
        return super().save(commit)


class BatchAdmin(DeskAdmin):
    """What the plan gives: 券名, 面额, 总数量 and what became of them."""

    listing = Batches
    form = BatchForm
    fields = ("category", "face", "name", "planned")
    note = "总数量 = 领取数量 − 到期收回 + 未发。到期收回的券回到奖池，由以后的轮次再次投放。"

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Show the form, and say beforehand where nothing can be added."""
        if request.method == "GET" and not Category.objects.filter(campaign__launched_at=None).exists():
            messages.warning(request, NOTHING_TO_ADD_TO)
        return super().add_view(request, form_url, extra_context)

    def _is_live(self, obj: Batch | None) -> bool:
        return obj is not None and obj.category.campaign.launched_at is not None

    def get_fields(self, request: HttpRequest, obj: Batch | None = None) -> tuple[str, ...]:
        return ("category", "face_text", "name", "planned") if self._is_live(obj) else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Batch | None = None) -> tuple[str, ...]:
        return ("category", "face_text", "planned") if self._is_live(obj) else ()

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        if self._is_live(obj):
            # The plan is sealed once it is live; money moves by an approved 品类调整 only.
            return super().get_form(request, obj, form=forms.ModelForm, fields=("name",))
        return super().get_form(request, obj, **kwargs)

    def face_text(self, obj: Batch) -> str:
        return obj.face_text

    face_text.short_description = "面额（元）"  # type: ignore[attr-defined]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def sections(self, request: HttpRequest, row: Batch) -> list[Section]:
        allotments = row.allotments.select_related("round").order_by("round__number")
        return [
            Section(
                "优惠券",
                facts=[
                    ("券名", row.name),
                    ("面额（元）", row.face_text),
                    ("总数量", row.planned),
                    ("品类", row.category.name),
                    ("生成时间", row.created_at),
                ],
            ),
            Section(
                "各轮投放",
                headings=("轮次", "投放数量", "备奖时间"),
                rows=[(str(a.round), a.count, a.round.dealt_at) for a in allotments],
                empty="尚未备奖",
            ),
        ]
