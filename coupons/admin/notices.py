"""公告 and 宣传海报: what 融媒体中心 publishes and prints."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse

from coupons.desk import Notices
from coupons.models import Campaign, Category, Notice
from coupons.posters import POSTERS, poster_of
from huigou import clock, qr
from huigou.admin.deed import Deed, ReasonForm
from huigou.admin.desk import DeskAdmin, Link
from huigou.listing import Listing


class NoticeForm(forms.ModelForm):
    """What is announced and for how long."""

    class Meta:
        model = Notice
        fields = ["title", "body", "shown_from", "shown_until"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("shown_from"), cleaned.get("shown_until")
        for name, moment in (("shown_from", since), ("shown_until", until)):
            if moment and not clock.is_near(moment):  # every consumer's page reads it
                raise ValidationError({name: clock.NOT_NEAR})
        if since and until and until <= since:
            raise ValidationError({"shown_until": "结束展示须晚于开始展示"})
        return cleaned


def _is_shown(row: Notice) -> bool:
    return row.shown_until is None or row.shown_until > clock.now()


def _take_down(request: HttpRequest, row: Notice, data: dict[str, Any]) -> str:
    Notice.objects.filter(pk=row.pk).take_down(clock.now())
    return "公告已撤下"


class PosterForm(forms.Form):
    """Which poster, and for which category."""

    kind = forms.ChoiceField(label="海报", choices=[(p.code, p.title) for p in POSTERS])
    category = forms.ChoiceField(label="品类", required=False)
    words = forms.CharField(label="宣传语", required=False, max_length=40, help_text="不填则用默认的一句")

    def __init__(self, campaign: Campaign | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Category.objects.filter(campaign=campaign, is_active=True).values_list("code", "name")
        self.fields["category"].choices = [("", "全部…"), *rows]  # type: ignore[attr-defined]


class NoticeAdmin(DeskAdmin):
    """Announcements on the consumers' pages."""

    listing = Notices
    form = NoticeForm
    has_page = False
    note = "公告显示在买家首页；可定时开始和结束。"
    deeds = (
        Deed(
            "down",
            "撤下",
            "coupons.change_notice",
            _take_down,
            ReasonForm,
            offered=_is_shown,
            facts=lambda row: {"结束展示": str(row.shown_until or "")},
            say=lambda row: f"“{row.title}”立即从买家首页撤下，记录保留。",
            tone="danger",
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [path("posters/", wrap(self.posters_view), name="coupons_notice_posters"), *super().get_urls()]

    def links(self, request: HttpRequest, listing: Listing) -> list[Link]:
        found = super().links(request, listing)
        if request.user.has_perm("coupons.print_poster"):
            found.append(Link("海报", reverse("admin:coupons_notice_posters")))
        return found

    def save_model(self, request: HttpRequest, obj: Notice, form: Any, change: Any) -> None:
        if obj.campaign_id is None:
            obj.campaign = Campaign.objects.at_hand()
        super().save_model(request, obj, form, change)

    def posters_view(self, request: HttpRequest) -> HttpResponse:
        """Show the choice of posters, or one as a sheet to print."""
        if not request.user.has_perm("coupons.print_poster"):
            raise PermissionDenied
        campaign = Campaign.objects.current()
        form = PosterForm(campaign, request.GET or None)
        if campaign is not None and request.GET and form.is_valid():
            asked = form.cleaned_data
            category = Category.objects.filter(campaign=campaign, code=asked["category"]).first()
            poster = poster_of(asked["kind"], campaign, category, asked["words"])
            context = {
                "campaign": campaign,
                "poster": poster,
                "code": qr.drawn(qr.origin(request) + poster.path),
                "shown_at": (qr.origin(request) + poster.path).removeprefix("https://"),
                "back": request.path,
            }
            return TemplateResponse(request, "admin/desk/poster.html", context)
        context = {
            **self.admin_site.each_context(request),
            "title": "宣传海报",
            "is_fullwidth": "1",
            "form": form,
            "campaign": campaign,
            "back": self.address("changelist"),
        }
        return TemplateResponse(request, "admin/desk/posters.html", context)
