"""Addresses of coupons."""

urlpatterns: list = []
