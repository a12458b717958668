"""Addresses of merchants: clerks' pages, consumers' pages that need both sides, and what their scripts call."""

from django.urls import path

from merchants.api.redemptions import CompleteRedemption, RecallRedemption, ScanPhoto, Scans
from merchants.views import binding, entry, problem, scan, shops, wechat

urlpatterns = [
    path("m/merchants", shops.merchants, name="m-merchants"),
    path("m/problem", problem.problem, name="m-problem"),
    path("shop/", scan.scan, name="shop-home"),
    path("shop/scan", scan.scan, name="shop-scan"),
    path("shop/bind", binding.bind, name="shop-bind"),
    path("shop/wechat", wechat.leave, name="shop-wechat"),
    path("shop/wechat/back", wechat.back, name="shop-wechat-back"),
    path("shop/c/<slug:token>", scan.coupon, name="shop-coupon"),
    path("shop/clerks", binding.clerks, name="shop-clerks"),
    path("shop/me", binding.me, name="shop-me"),
    path("shop/redemptions", entry.redemptions, name="shop-redemptions"),
    path("shop/redemptions/<int:redemption_id>", entry.entry, name="shop-entry"),
    path("shop/redemptions/<int:redemption_id>/done", entry.done, name="shop-done"),
    path("shop/redemptions/<int:redemption_id>/recall", entry.recall, name="shop-recall"),
    path("api/v1/scans", Scans.as_view(), name="api-scans"),
    path("api/v1/scans/photo", ScanPhoto.as_view(), name="api-scan-photo"),
    path("api/v1/redemptions/<int:redemption_id>/complete", CompleteRedemption.as_view(), name="api-complete"),
    path("api/v1/redemptions/<int:redemption_id>/recall", RecallRedemption.as_view(), name="api-recall"),
]
