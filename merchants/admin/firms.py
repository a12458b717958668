"""商家管理: from the letter of commitment to the one-time code, and a firm's standing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from coupons.models import Campaign
from huigou import clock, qr
from huigou.admin.deed import Deed
from huigou.admin.desk import DeskAdmin, Link, Section
from huigou.listing import Listing
from huigou.masking import redacted
from merchants import binding, conduct
from merchants.admin import firm_page, importing, plan_desk
from merchants.desk import Merchants
from merchants.listing import open_first_outlet
from merchants.models import BindingCode, Merchant, Outlet


class StateForm(forms.Form):
    state = forms.ChoiceField(label="变更为", choices=Merchant.State.choices)
    reason = forms.CharField(
        label="理由", max_length=300, widget=forms.Textarea(attrs={"rows": 3}), help_text="公示在商家状态页"
    )


class LetterForm(forms.Form):
    file = forms.FileField(label="承诺书（PDF、JPG 或 PNG）")
    signed_on = forms.DateField(label="签订日期", widget=forms.DateInput(attrs={"type": "date"}))
    version = forms.CharField(label="版本", max_length=20, initial="第一版")


class CodeForm(forms.Form):
    outlet = forms.ModelChoiceField(label="店面", queryset=Outlet.objects.none(), empty_label=None)
    is_owner = forms.BooleanField(label="店主", required=False, help_text="店主可在手机上解绑本企业的店员")


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """Several files at once; each is looked at by the verb."""

    def __init__(self, **more: Any) -> None:
        super().__init__(widget=ManyFilesInput(attrs={"accept": "image/jpeg,image/png"}), **more)

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        return [super(ManyFilesField, self).clean(one, initial) for one in data or []]


class InspectForm(forms.Form):
    visited_on = forms.DateField(label="检查日期", widget=forms.DateInput(attrs={"type": "date"}))
    note = forms.CharField(label="检查情况", max_length=1000, widget=forms.Textarea(attrs={"rows": 4}))
    is_breach = forms.BooleanField(label="发现违约", required=False)
    photos = ManyFilesField(label="照片", required=False, help_text="JPG 或 PNG，最多 9 张，每张不超过 12 MB")


def _set_state(request: HttpRequest, row: Merchant, data: dict[str, Any]) -> str:
    merchant = conduct.set_state(row.pk, data["state"], data["reason"], request.user)  # type: ignore[arg-type]
    return f"{merchant.name}已变更为“{merchant.get_state_display()}”"


def _record_letter(request: HttpRequest, row: Merchant, data: dict[str, Any]) -> str:
    letter = conduct.record_letter(row, data["file"], data["signed_on"], data["version"], request.user)  # type: ignore[arg-type]
    return f"承诺书已登记（散列 {letter.sha256[:12]}…）"


def _own_outlets(form: forms.Form, request: HttpRequest, row: Merchant) -> None:
    form.fields["outlet"].queryset = row.outlets.filter(is_active=True)  # type: ignore[attr-defined]


class RevokeForm(forms.Form):
    code = forms.ModelChoiceField(label="验证码", queryset=BindingCode.objects.none(), empty_label=None)
    reason = forms.CharField(label="理由", max_length=200)


def _open_codes(row: Merchant) -> QuerySet[BindingCode]:
    rows = BindingCode.objects.filter(outlet__merchant=row, used_at=None, revoked_at=None)
    return rows.select_related("outlet").order_by("-pk")


def _offer_codes(form: forms.Form, request: HttpRequest, row: Merchant) -> None:
    form.fields["code"].queryset = _open_codes(row)  # type: ignore[attr-defined]


def _revoke(request: HttpRequest, row: Merchant, data: dict[str, Any]) -> str:
    conduct.revoke_code(data["code"].pk)
    return "验证码已作废"


class TextForm(forms.Form):
    code = forms.ModelChoiceField(label="验证码", queryset=BindingCode.objects.none(), empty_label=None)


def _offer_texts(form: forms.Form, request: HttpRequest, row: Merchant) -> None:
    field: Any = form.fields["code"]
    field.queryset = _open_codes(row).select_related("outlet__merchant__contact")
    field.label_from_instance = lambda code: f"{code.outlet.name} → {_masked(code) or '没有登记手机号'}"


def _masked(code: BindingCode) -> str:
    return redacted(binding.mobile_of(code.outlet))


def _text(request: HttpRequest, row: Merchant, data: dict[str, Any]) -> str:
    code = data["code"]
    message = binding.text_code(code.pk)
    data["note"] = f"验证码 {code.pk} 发往 {_masked(code)}，消息 {message.pk}"
    return f"已提交短信：{code.outlet.name}，{_masked(code)}。送出与否见“绑定验证码”一栏"


def _issue(request: HttpRequest, row: Merchant, data: dict[str, Any]) -> HttpResponse:
    binding.issue_code(data["outlet"], request.user, is_owner=data["is_owner"])  # type: ignore[arg-type]
    newest = BindingCode.objects.filter(outlet=data["outlet"]).latest("pk")
    return HttpResponseRedirect(reverse("admin:merchants_merchant_code", args=[row.pk, newest.pk]))


def _inspect(request: HttpRequest, row: Merchant, data: dict[str, Any]) -> str:
    conduct.inspect(
        row,
        request.user,  # type: ignore[arg-type]
        data["visited_on"],
        data["note"],
        is_breach=data["is_breach"],
        photos=data["photos"],
    )
    return "检查记录已登记"


def _standing(row: Merchant) -> dict[str, Any]:
    return {"状态": row.get_state_display(), "说明": row.state_reason}


class MerchantForm(forms.ModelForm):
    """A firm's own particulars; its standing changes by 状态变更 with a reason."""

    class Meta:
        model = Merchant
        fields = ["name", "categories", "stat_status", "address", "phone", "offer", "is_collective", "seq"]


class MerchantAdmin(DeskAdmin):
    """Firms of the campaign, their places, people, letters, codes and standing."""

    listing = Merchants
    form = MerchantForm
    note = "登记承诺书后方可发放验证码；暂停、失信名单即时公示。"
    deeds = (
        Deed("letter", "登记承诺书", "merchants.record_letter", _record_letter, LetterForm, on_row=False),
        Deed(
            "code",
            "发放验证码",
            "merchants.issue_code",
            _issue,
            CodeForm,
            prepare=_own_outlets,
            on_row=False,
            say=lambda row: "验证码只能使用一次，14 天内有效，绑定到所选店面。",
        ),
        Deed(
            "revoke",
            "作废验证码",
            "merchants.issue_code",
            _revoke,
            RevokeForm,
            prepare=_offer_codes,
            offered=lambda row: _open_codes(row).exists(),
            on_row=False,
            tone="danger",
        ),
        Deed(
            "textcode",
            "短信发送验证码",
            "merchants.issue_code",
            _text,
            TextForm,
            prepare=_offer_texts,
            offered=lambda row: _open_codes(row).exists(),
            on_row=False,
            say=lambda row: (
                "发到店面登记的手机号（没有则发到联系人、企业联系电话）。"
                f"同一验证码最多 {binding.CODE_TEXTS_MOST} 次，同一手机号每分钟 1 条。"
            ),
        ),
        Deed("inspect", "登记检查", "merchants.add_inspection", _inspect, InspectForm, on_row=False),
        Deed(
            "state",
            "状态变更",
            "merchants.sanction",
            _set_state,
            StateForm,
            facts=_standing,
            tone="danger",
            say=lambda row: f"{row.name}，当前：{row.get_state_display()}。",
        ),
    )

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("plan/", wrap(self.plan_view), name="merchants_merchant_plan"),
            path("plan/<str:token>/", wrap(self.plan_review_view), name="merchants_merchant_plan_review"),
            path("import/", wrap(self.import_view), name="merchants_merchant_import"),
            path("<int:merchant_id>/code/<int:code_id>/", wrap(self.code_view), name="merchants_merchant_code"),
            path("<int:merchant_id>/letter/<int:letter_id>/", wrap(self.letter_view), name="merchants_merchant_letter"),
            *super().get_urls(),
        ]

    def links(self, request: HttpRequest, listing: Listing) -> list[Link]:
        found = super().links(request, listing)
        if request.user.has_perm("merchants.import_merchant"):
            found.append(Link("导入", reverse("admin:merchants_merchant_import")))
        if request.user.has_perm("merchants.view_outlet"):
            found.append(Link("店面", reverse("admin:merchants_outlet_changelist")))
        return found

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "categories":
            campaign = Campaign.objects.at_hand()
            kwargs["queryset"] = campaign.category_set.all() if campaign else db_field.related_model.objects.none()
            kwargs["widget"] = forms.CheckboxSelectMultiple()
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Merchant, form: Any, change: Any) -> None:
        if not change:
            obj.campaign, obj.joined_at = Campaign.objects.at_hand(), clock.now()
        super().save_model(request, obj, form, change)
        if not change:
            open_first_outlet(obj)

    def sections(self, request: HttpRequest, row: Merchant) -> list[Section]:
        return firm_page.sections(request, row)

    def plan_view(self, request: HttpRequest) -> HttpResponse:
        """Hand in a plan's workbooks."""
        return plan_desk.hand_in(request, self.admin_site.each_context(request))

    def plan_review_view(self, request: HttpRequest, token: str) -> HttpResponse:
        """Sign off a plan's findings and load it."""
        return plan_desk.review(request, self.admin_site.each_context(request), token)

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Import shops from a workbook, with a preview."""
        return importing.show(request, self.admin_site.each_context(request), Campaign.objects.at_hand())

    def code_view(self, request: HttpRequest, merchant_id: int, code_id: int) -> HttpResponse:
        """Show a one-time code on a sheet to print, as long as it is unused."""
        if not request.user.has_perm("merchants.issue_code"):
            raise PermissionDenied
        rows = BindingCode.objects.select_related("outlet__merchant__campaign")
        code = rows.filter(pk=code_id, outlet__merchant_id=merchant_id).first()
        if code is None or code.code is None or code.used_at or code.revoked_at:
            raise Http404
        conduct.refuse_without_letter(code.outlet.merchant)
        plain, bind_at = str(code.code), qr.origin(request) + reverse("shop-bind")
        context = {
            **self.admin_site.each_context(request),
            "title": "商家绑定验证码",
            "code": code,
            "shown": binding.grouped(plain),
            "letter": code.outlet.merchant.letters.order_by("-pk").first(),
            "bind_at": bind_at.removeprefix("https://"),
            "qr": qr.drawn(bind_at),
            "back": self.address("page", merchant_id),
        }
        response = TemplateResponse(request, "admin/desk/code.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def letter_view(self, request: HttpRequest, merchant_id: int, letter_id: int) -> HttpResponse:
        """Hand out a letter of commitment as a file, never inside a page."""
        if not request.user.has_perm("merchants.view_letter"):
            raise PermissionDenied
        merchant = self.subject_row(request, str(merchant_id))
        letter = merchant.letters.filter(pk=letter_id).first()
        if letter is None:
            raise Http404
        return FileResponse(letter.file.open("rb"), as_attachment=True, filename=letter.file.name.rsplit("/", 1)[-1])
