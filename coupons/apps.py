"""Where a coupon is born and lapses."""

from django.apps import AppConfig


class CouponsConfig(AppConfig):
    name = "coupons"
    verbose_name = "消费券"
