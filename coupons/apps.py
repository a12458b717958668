"""Where a coupon is born and lapses."""

from django.apps import AppConfig


class CouponsConfig(AppConfig):
    name = "coupons"
    verbose_name = "消费券"

    def ready(self) -> None:
        # The executors of approved changes register themselves.
        from coupons import closing, custody, funding  # noqa: F401
        from coupons.plan import reallocate  # noqa: F401
