"""Addresses of coupons: consumers' pages and what their scripts call."""

from django.urls import path

from coupons.api.codes import Challenge, SmsCodes
from coupons.api.coupons import CouponState
from coupons.api.draws import CreateDraw
from coupons.api.home import HomeState
from coupons.api.queue import QueuePlace
from coupons.api.registrations import CreateRegistration
from coupons.api.wechat import WechatConfig
from coupons.views import bind, coupons, draw, home, notices, privacy, public, register, rules, waiting, wechat

urlpatterns = [
    path("m/", home.home, name="m-home"),
    path("m/bind", bind.bind, name="m-bind"),
    path("m/wechat", wechat.leave, name="m-wechat"),
    path("m/wechat/back", wechat.back, name="m-wechat-back"),
    path("m/wechat/subscribe/<slug:kind>", wechat.subscribe, name="m-wechat-subscribe"),
    path("m/wechat/subscribed", wechat.subscribed, name="m-wechat-subscribed"),
    path("MP_verify_<slug:word>.txt", wechat.verification),
    path("m/place", bind.place, name="m-place"),
    path("m/draw/<slug:category>", draw.draw, name="m-draw"),
    path("m/register/<slug:category>", register.register, name="m-register"),
    path("m/wait", waiting.wait, name="m-wait"),
    path("m/coupons", coupons.coupons, name="m-coupons"),
    path("m/coupons/<int:coupon_id>", coupons.coupon, name="m-coupon"),
    path("m/notices", notices.notices, name="m-notices"),
    path("m/notices/<int:notice_id>", notices.notice, name="m-notice"),
    path("m/rules", rules.rules, name="m-rules"),
    path("m/privacy", privacy.privacy, name="m-privacy"),
    path("api/v1/home", HomeState.as_view(), name="api-home"),
    path("api/v1/wechat-config", WechatConfig.as_view(), name="api-wechat-config"),
    path("api/v1/challenge", Challenge.as_view(), name="api-challenge"),
    path("api/v1/sms-codes", SmsCodes.as_view(), name="api-sms-codes"),
    path("api/v1/queue", QueuePlace.as_view(), name="api-queue"),
    path("api/v1/registrations", CreateRegistration.as_view(), name="api-registrations"),
    path("api/v1/draws", CreateDraw.as_view(), name="api-draws"),
    path("api/v1/coupons/<int:coupon_id>/live", CouponState.as_view(), name="api-coupon-live"),
    path("public/", public.rounds, name="public"),
    path("public/rounds/<int:number>/", public.round_page, name="public-round"),
    path("public/rounds/<int:number>/round.json", public.document, name="public-document"),
    path("public/heads", public.heads, name="public-heads"),
    path("public/verify", public.verify, name="public-verify"),
]
