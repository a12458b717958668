"""Where coupons are counted and shops are paid."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "reports"
    verbose_name = "统计与结算"

    def ready(self) -> None:
        # The executors of approved changes register themselves.
        from reports import reconcile, settlement  # noqa: F401
