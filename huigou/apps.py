"""The project package as an app: staff accounts, the clock's row, system checks and database rights."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class HuigouConfig(AppConfig):
    name = "huigou"
    verbose_name = "平台"

    def ready(self) -> None:
        from huigou import checks, rights  # noqa: F401, PLC0415 (checks register themselves)

        post_migrate.connect(rights.grant_after_migrate, dispatch_uid="huigou.rights")
