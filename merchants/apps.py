"""Where a coupon is spent."""

from django.apps import AppConfig


class MerchantsConfig(AppConfig):
    name = "merchants"
    verbose_name = "商家"

    def ready(self) -> None:
        # The executor of an approved reversal registers itself.
        from merchants import reversal  # noqa: F401
