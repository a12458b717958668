"""代抽: the station's page to draw for a person present, its list, and the coupon on paper."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from coupons import assisting, codes, consumers
from coupons import errors as reasons
from coupons.models import Assist, Campaign, Category, Coupon, Deck
from coupons.station_desk import Assists, outcome_words
from huigou import clock, deeds, qr
from huigou.admin.deed import Deed
from huigou.admin.desk import DeskAdmin, Link, ReadOnlyMixin, Section
from huigou.errors import Reason, Refusal
from huigou.listing import Listing
from huigou.money import short_yuan

RIGHT = "coupons.assist"
FIELD_OF = {"bad_name": "name", "bad_phone": "phone", "bad_code": "code", "code_tries": "code", "assist_name": "name"}
_SENTENCES = {reason.code: reason.sentence for reason in vars(reasons).values() if isinstance(reason, Reason)}


class AssistForm(forms.Form):
    """Who is present and what for."""

    name = forms.CharField(label="姓名", max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    phone = forms.CharField(
        label="手机号", max_length=30, widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"})
    )
    category = forms.ChoiceField(label="品类", widget=forms.RadioSelect())
    code = forms.CharField(
        label="短信验证码",
        max_length=10,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        help_text="发到本人手机，请本人念出 6 位数字",
    )
    card_seen = forms.BooleanField(
        label="已当面核验身份证件",
        required=False,
        help_text="手机不在身边、以前绑定过的，可不填验证码；姓名须与登记一致",
    )
    consents = forms.BooleanField(label="本人在场，已说明用途并同意", required=False)
    key = forms.UUIDField(widget=forms.HiddenInput())


def _choices(campaign: Campaign | None) -> list[tuple[str, str]]:
    round_ = campaign.rounds.open_at(clock.now()).first() if campaign else None
    left = dict(Deck.objects.filter(round=round_).values_list("category_id", "pk")) if round_ else {}
    decks = {deck.pk: deck for deck in Deck.objects.filter(pk__in=left.values())}
    found = []
    for category in Category.objects.filter(campaign=campaign, is_active=True):
        deck = decks.get(left.get(category.pk, 0))
        found.append((category.code, f"{category.name}（剩 {deck.left:,} 张）" if deck else category.name))
    return found


class PrintForm(forms.Form):
    reason = forms.CharField(label="重新打印的理由", max_length=200, help_text="旧的纸质券随即作废")


class CallForm(forms.Form):
    reason = forms.CharField(label="哪家店来电", max_length=200, help_text="核对来电说出的券号和持券人后再确认")


def _ask_reason(form: forms.Form, request: HttpRequest, row: Assist) -> None:
    coupon = assisting.coupon_of(row)
    if coupon is None or not assisting.newest_print(coupon.pk):
        form.fields.pop("reason")


def _coupon(row: Assist) -> Coupon:
    coupon = assisting.coupon_of(row)
    if coupon is None:
        raise reasons.NOT_PRINTABLE()
    return coupon


def _print(request: HttpRequest, row: Assist, data: dict[str, Any]) -> HttpResponse:
    assisting.print_paper(_coupon(row).pk, request.user, data.get("reason", ""))  # type: ignore[arg-type]
    return HttpResponseRedirect(reverse("admin:coupons_assist_paper", args=[row.pk]))


def _confirm(request: HttpRequest, row: Assist, data: dict[str, Any]) -> HttpResponse:
    code = assisting.confirm(_coupon(row).pk, request.user)  # type: ignore[arg-type]
    shown = TemplateResponse(request, "admin/desk/confirmed.html", {"code": f"{code[:3]} {code[3:]}"})
    shown.headers["Cache-Control"] = "no-store"
    return shown.render()


def _is_printable(row: Assist) -> bool:
    coupon = assisting.coupon_of(row)
    return coupon is not None and coupon.state == Coupon.State.HELD and coupon.expires_at > clock.now()


def _is_printed(row: Assist) -> bool:
    coupon = assisting.coupon_of(row)
    return _is_printable(row) and coupon is not None and assisting.newest_print(coupon.pk) > 0


class VouchForm(forms.Form):
    phone = forms.CharField(
        label="本人已绑定的手机号", max_length=20, widget=forms.TextInput(attrs={"inputmode": "numeric"})
    )
    reason = forms.CharField(label="核实情况", max_length=200, help_text="如：本村村民，已当面核验证件")


def _vouch(request: HttpRequest, row: Any, data: dict[str, Any]) -> str:
    consumer = consumers.vouch_place(data["phone"], request.user)  # type: ignore[arg-type]
    return f"已证明 {consumer.person.masked_name} {consumer.person.masked_phone} 在县域内"


class AssistAdmin(ReadOnlyMixin, DeskAdmin):
    """Turns at the stations, apart from what people drew themselves."""

    listing = Assists
    note = "服务站为在场群众代抽：同一奖票盒、同样的次数限制。未办成的也在此列。"
    deeds = (
        Deed(
            "vouch",
            "证明所在地",
            RIGHT,
            _vouch,
            VouchForm,
            for_list=True,
            say=lambda _: "手机不能定位的群众在站内当面核实后，由本站证明其在县域内，本人即可自己抽奖。",
        ),
        Deed(
            "paper",
            "打印纸质券",
            RIGHT,
            _print,
            PrintForm,
            prepare=_ask_reason,
            offered=_is_printable,
            on_row=False,
            say=lambda _: "纸质券上没有手机号；核销时须持券人说出手机号后四位，或由本站电话确认。",
        ),
        Deed(
            "confirm",
            "确认持券人",
            RIGHT,
            _confirm,
            CallForm,
            offered=_is_printed,
            on_row=False,
            say=lambda _: "持券人记不清手机号后四位时，由店员来电，本站核对后告知 6 位确认码，半小时内有效一次。",
        ),
    )

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("draw/", wrap(self.draw_view), name="coupons_assist_draw"),
            path("<int:assist_id>/paper/", wrap(self.paper_view), name="coupons_assist_paper"),
            *super().get_urls(),
        ]

    def open_listing(self, request: HttpRequest, asked: Any) -> Listing:
        made = super().open_listing(request, asked)
        made.staff = request.user  # type: ignore[attr-defined]
        return made

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = assisting.seen_by(request.user)  # type: ignore[arg-type]
        return rows.select_related("station", "staff", "consumer__person", "category", "round", "draw")

    def links(self, request: HttpRequest, listing: Listing) -> list[Link]:
        if request.user.has_perm(RIGHT):
            return [Link("代抽", reverse("admin:coupons_assist_draw"), is_main=True)]
        return []

    def page_title(self, row: Assist) -> str:
        return f"代抽 {row.pk}"

    # ---- the draw

    def draw_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form, send the code, or draw; only a POST does anything."""
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        campaign = Campaign.objects.current()
        form = AssistForm(request.POST or None, initial={"key": uuid.uuid4()})
        form.fields["category"].choices = _choices(campaign)  # type: ignore[attr-defined]
        refusal, demo_code, sent, status = None, None, False, 200
        try:
            station = assisting.station_of(request.user)  # type: ignore[arg-type]
            if request.method == "POST" and campaign is not None:
                if request.POST.get("do") == "send":
                    sent, demo_code = True, self._send(request)
                elif form.is_valid():
                    return self._drawn(request, form.cleaned_data, campaign)
        except Refusal as refused:
            refusal, status = refused, refused.status
            if (field := FIELD_OF.get(refused.code)) and form.is_bound and form.is_valid():
                form.add_error(field, str(refused))
                refusal = None
        if sent and not refusal:
            form.errors.clear()
        context = {
            **self.admin_site.each_context(request),
            "title": "代抽",
            "is_fullwidth": "1",
            "form": form,
            "station": station if refusal is None or refusal.code != "no_station" else None,
            "campaign": campaign,
            "refusal": refusal,
            "sent": sent,
            "demo_code": demo_code,
            "back": self.address("changelist"),
        }
        response = TemplateResponse(request, "admin/desk/assist.html", context, status=status)
        response.headers["Cache-Control"] = "no-store"
        return response

    @staticmethod
    def _send(request: HttpRequest) -> str | None:
        address = request.META.get("REMOTE_ADDR", "")
        return consumers.send_code(
            request.POST.get("phone", ""),
            assisting.SMS_PURPOSE,
            address=address,
            instead="以前绑定过的可改为当面核验身份证件",
        )

    def _drawn(self, request: HttpRequest, data: dict[str, Any], campaign: Campaign) -> HttpResponse:
        who = assisting.Present(data["name"], data["phone"], data["code"], data["card_seen"], data["consents"])
        consumer, proof = assisting.identify(who, request.user, campaign)  # type: ignore[arg-type]
        try:
            assist = assisting.draw_for(request.user, consumer, data["category"], proof, data["key"])  # type: ignore[arg-type]
        except Refusal as refusal:
            row = Assist.objects.filter(key=data["key"]).first()
            deeds.announce(request, "代抽", "代抽记录", row.pk if row else "", after={"结果": refusal.code})
            raise
        after = {"品类": assist.category.name, "结果": outcome_words(assist), "核验方式": assist.get_proof_display()}
        deeds.announce(request, "代抽", "代抽记录", assist.pk, after=after)
        return HttpResponseRedirect(self.address("page", assist.pk))

    # ---- one turn

    def sections(self, request: HttpRequest, row: Assist) -> list[Section]:
        coupon = assisting.coupon_of(row)
        return [
            Section("结果", template="admin/desk/assist_result.html", extra=self._result(row, coupon)),
            Section(
                "办理",
                facts=[
                    ("服务站", row.station.name),
                    ("经办人", str(row.staff)),
                    ("办理时间", row.asked_at),
                    ("姓名", row.consumer.person.masked_name),
                    ("手机号", row.consumer.person.masked_phone),
                    ("核验方式", row.get_proof_display()),
                    ("轮次", str(row.round) if row.round else ""),
                    ("品类", row.category.name),
                    ("奖票号", row.draw.ticket if row.draw else ""),
                ],
            ),
            Section(
                "纸质券",
                headings=("次", "打印时间", "打印人", "理由"),
                rows=[(p.serial, p.at, str(p.staff), p.reason) for p in self._prints(coupon)],
                empty="尚未打印",
            ),
        ]

    @staticmethod
    def _prints(coupon: Coupon | None) -> Any:
        return coupon.prints.select_related("staff").order_by("-serial") if coupon else []

    @staticmethod
    def _result(row: Assist, coupon: Coupon | None) -> dict[str, Any]:
        refused = row.outcome not in ("", Assist.DRAWN, Assist.REGISTERED)
        sentence = _SENTENCES.get(row.outcome, "").split("{")[0].strip("，：已于 ") if refused else ""
        return {
            "words": outcome_words(row),
            "category": row.category.name,
            "coupon": coupon,
            "face": short_yuan(coupon.face_fen) if coupon else "",
            "threshold": short_yuan(coupon.threshold_fen) if coupon else "",
            "ends": clock.spoken(coupon.expires_at, end=True) if coupon else "",
            "why": sentence or row.outcome if refused else "",
            "again": reverse("admin:coupons_assist_draw"),
        }

    # ---- paper

    def paper_view(self, request: HttpRequest, assist_id: int) -> HttpResponse:
        """Show the newest print of a coupon as a sheet; printing itself was recorded by the deed."""
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        row = self.subject_row(request, str(assist_id))
        coupon = assisting.coupon_of(row)
        serial = assisting.newest_print(coupon.pk) if coupon else 0
        if coupon is None or not serial or not _is_printable(row):
            raise Http404
        link = qr.origin(request) + reverse("shop-coupon", args=[codes.paper_token(coupon.pk, serial)])
        context = {
            "campaign": coupon.round.campaign,
            "station": row.station,
            "coupon": coupon,
            "category": coupon.batch.category,
            "holder": coupon.holder.person.masked_name,
            "face": short_yuan(coupon.face_fen),
            "threshold": short_yuan(coupon.threshold_fen),
            "serial": serial,
            "code": qr.drawn(link),
            "back": self.address("page", row.pk),
        }
        response = TemplateResponse(request, "admin/desk/paper.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response
