"""Where coupons are counted and shops are paid."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "reports"
    verbose_name = "统计与结算"

    def ready(self) -> None:
        from axes.signals import user_locked_out
        from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

        from huigou import deeds

        # The executors of approved changes register themselves, and so do the tasks.
        from reports import export_tasks, reconcile, settlement, trail  # noqa: F401

        deeds.done.connect(trail.keep, dispatch_uid="reports.trail")
        user_logged_in.connect(trail.keep_login, dispatch_uid="reports.trail.in")
        user_logged_out.connect(trail.keep_logout, dispatch_uid="reports.trail.out")
        user_login_failed.connect(trail.keep_failed_login, dispatch_uid="reports.trail.failed")
        user_locked_out.connect(trail.keep_lockout, dispatch_uid="reports.trail.locked")
