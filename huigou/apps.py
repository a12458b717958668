"""The project package as an app: staff accounts, the clock's row, system checks and database rights."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class HuigouConfig(AppConfig):
    name = "huigou"
    verbose_name = "平台"

    def ready(self) -> None:
        # Without the Celery app, the web would queue to a broker that nobody named; checks register themselves.
        from huigou import celery, checks, rights  # noqa: F401

        post_migrate.connect(rights.grant_after_migrate, dispatch_uid="huigou.rights")
