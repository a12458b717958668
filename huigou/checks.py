"""System checks of our own: fail at start, not at 9:00. Each has an id and a hint."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, Warning, register
from django.db import connections

from huigou import sms, starting, wechat
from huigou.tables import APPEND_ONLY

HINTS = {
    "huigou.E006": "短信设置见 README 的 Settings 与 deploy/huigou.env.example",
    "huigou.E007": "微信设置见 README 的 Settings 与 deploy/huigou.env.example；不用微信则全部留空",
}
POSTGRES_OLDEST, POSTGRES_NEWEST = 15, 18


@register(Tags.security, deploy=True)
def site_is_public(app_configs: Any, **kwargs: Any) -> list[Any]:
    """Check what a deployment must have set."""
    found: list[Any] = []
    if not settings.SITE_URL.startswith("https://"):
        found.append(
            Error("SITE_URL 未设为 https 地址", hint="二维码与短信里的链接需要 SITE_URL=https://…", id="huigou.E001")
        )
    if settings.DEMO:
        found.append(Warning("DEMO 已打开：验证码会显示在页面上", hint="正式运行请设 DEMO=false", id="huigou.W001"))
    elif not settings.STAFF_TOTP:
        found.append(Error("工作人员登录没有第二步", hint="正式运行请勿设 STAFF_TOTP=false", id="huigou.E008"))
    named = ((sms.problems(), "huigou.E006"), (wechat.problems(), "huigou.E007"))
    found += [Error(text, hint=HINTS[code], id=code) for texts, code in named for text in texts]
    found += [Warning(text, hint=HINTS["huigou.E007"], id="huigou.W002") for text in wechat.gaps()]
    return found


@register(Tags.database)
def database_is_right(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[Any]:
    """Check the server's version, the durability of a commit, the web role's rights and the clock."""
    found: list[Any] = []
    for alias in databases or []:
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version_num')::int / 10000, current_setting('fsync'),"
                " current_setting('synchronous_commit')"
            )
            version, fsync, synchronous = cursor.fetchone()
            if not POSTGRES_OLDEST <= version <= POSTGRES_NEWEST:
                found.append(Error(f"PostgreSQL {version} 不受支持", hint="请使用 15 至 18", id="huigou.E002"))
            if fsync != "on" or synchronous == "off":
                found.append(Error("数据库未开启持久提交", hint="fsync=on, synchronous_commit=on", id="huigou.E003"))
            if alias == "default":
                found += _serving_checks(cursor)
    return found


def _serving_checks(cursor: Any) -> list[Any]:
    cursor.execute("SELECT to_regclass('coupons_transfer'), to_regclass('huigou_clockshift')")
    if None in cursor.fetchone():
        return []  # before the first migrate
    found: list[Any] = []
    cursor.execute("SELECT has_table_privilege('coupons_transfer', 'UPDATE')")
    if cursor.fetchone()[0] and settings.DATABASE_OWNER_URL == "":
        found.append(
            Error(
                "网站使用的数据库角色可以改写账目",
                hint=f"DATABASE_URL 须用只能增查 {', '.join(APPEND_ONLY)} 的角色，见 deploy/",
                id="huigou.E004",
            )
        )
    if starting.clock_is_shifted() and not settings.DEMO:
        found.append(Error("平台时钟被拨动", hint="以所有者角色把 huigou_clockshift 归零", id="huigou.E005"))
    return found
