"""The way in: password, second step, lock-out; and what the doors say when they stay shut."""

from __future__ import annotations

import re

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from huigou import second_step
from huigou.models import Department
from reports.models import AuditEntry
from tests import factories
from tests.office.scanning import english_in

pytestmark = pytest.mark.django_db
LOGIN, STEP = "/admin/login/", "/admin/second-step/"
PASSWORD = "invented-pass-1"


def enter(client: Client, who, password: str = PASSWORD):  # type: ignore[no-untyped-def]
    return client.post(LOGIN, {"username": who.username, "password": password})


@pytest.fixture
def strict(settings) -> None:  # type: ignore[no-untyped-def]
    settings.STAFF_TOTP = True


@pytest.fixture
def inside(strict, auditor) -> Client:  # type: ignore[no-untyped-def]
    """Somebody who gave the password and nothing else."""
    client = Client()
    assert enter(client, auditor).status_code == 302
    return client


def device_key(page: str) -> bytes:
    from base64 import b32decode

    text = re.search(r"<code>([A-Z2-7 ]+)</code>", page)[1].replace(" ", "")  # type: ignore[index]
    return b32decode(text + "=" * (-len(text) % 8))


def test_a_password_alone_opens_nothing(inside, county):
    for path in ("/admin/", "/admin/coupons/coupon/", "/admin/reports/auditentry/", "/admin/password_change/"):
        for answer in (inside.get(path), inside.post(path)):
            assert (answer.status_code, answer.url.split("?")[0]) == (302, STEP)
    assert inside.get(reverse("admin:reports_dashboard")).status_code == 302


def test_the_first_login_sets_up_the_app_and_the_token_opens_once(inside, auditor):
    page = inside.get(STEP + "?next=/admin/reports/auditentry/").content.decode()
    assert "用手机上的身份验证器" in page
    assert english_in(page, frozenset({"QR"})) == []
    key = device_key(page)
    wrong = f"{(totp(key) + 1) % 10**6:06d}"
    assert inside.post(STEP, {"token": wrong}).status_code == 422
    TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    token = f"{totp(key):06d}"
    done = inside.post(STEP, {"token": token, "next": "/admin/reports/auditentry/"})
    assert (done.status_code, done.url) == (302, "/admin/reports/auditentry/")
    assert inside.get("/admin/").status_code == 200
    deeds = list(AuditEntry.objects.order_by("pk").values_list("deed", flat=True))
    assert deeds == ["登录", "动态验证码错误", "绑定动态验证码"]
    # Another browser with the same password and the token that was used: shown no key any more, and not let in.
    thief = Client()
    enter(thief, auditor)
    page = thief.get(STEP).content.decode()
    assert "<code>" not in page
    assert thief.post(STEP, {"token": token}).status_code == 422
    assert thief.get("/admin/").status_code == 302


def test_wrong_tokens_are_slowed_down(inside, auditor):
    device = TOTPDevice.objects.create(user=auditor, confirmed=True, name="x")
    inside.post(STEP, {"token": f"{(totp(device.bin_key) + 7) % 10**6:06d}"})
    device.refresh_from_db()
    assert device.throttling_failure_count == 1
    device.throttling_failure_count = 10  # the pause doubles with each: long enough for the slowest machine
    device.save()
    answer = inside.post(STEP, {"token": f"{totp(device.bin_key):06d}"})
    assert (answer.status_code, "错误次数过多" in answer.content.decode()) == (422, True)


def test_a_lost_phone_is_reset_by_the_leading_groups_office_never_by_oneself(auditor, leaders, desk_of):
    for who in (auditor, leaders):
        TOTPDevice.objects.create(user=who, confirmed=True, name="x")
    desk = desk_of(leaders)

    def reset(who):  # type: ignore[no-untyped-def]
        path = reverse("admin:huigou_staff_rowdeed", args=[who.pk, "resettotp"])
        return desk.post(path, {"reason": "手机丢失"}).status_code

    assert (reset(auditor), second_step.device_of(auditor)) == (302, None)
    assert reset(leaders) == 422
    assert second_step.device_of(leaders) is not None
    assert AuditEntry.objects.get(deed="重置动态验证码").after == {"动态验证码": "未绑定"}


def test_five_wrong_passwords_lock_an_account_and_the_office_unlocks_it(auditor, desk_of):
    client = Client()
    answers = [enter(client, auditor, "wrong").status_code for _ in range(5)]
    assert answers[-1] == 429
    locked = enter(client, auditor)
    page = locked.content.decode()
    assert (locked.status_code, "账号已锁定" in page, english_in(page)) == (429, True, [])
    assert client.get("/admin/").status_code == 302
    kept = list(AuditEntry.objects.filter(staff=auditor).values_list("deed", flat=True))
    assert (kept.count("登录失败") >= 4, kept.count("账号锁定") >= 1) == (True, True)
    path = reverse("admin:huigou_staff_rowdeed", args=[auditor.pk, "unlock"])
    assert desk_of(Department.LEADERS).post(path, {"reason": "本人来电"}).status_code == 302
    assert enter(client, auditor).status_code == 302


def test_a_deployment_asks_for_the_second_step(settings):
    from huigou import checks

    settings.DEMO, settings.STAFF_TOTP, settings.SITE_URL = False, False, "https://huigou.example"
    assert "huigou.E008" in {found.id for found in checks.site_is_public(None)}
    assert django_settings.OTP_TOTP_ISSUER == "惠购乾城"


def test_the_doors_speak_chinese(desk_of, settings, county, rf):
    client = Client(raise_request_exception=False)
    pages = {
        "login": client.get(LOGIN),
        "wrong password": client.post(LOGIN, {"username": "nobody", "password": "x"}),
        "empty": client.post(LOGIN, {}),
        "404": desk_of("audit").get("/admin/no/such/page/"),
        "public 404": client.get("/m/no-such-page"),
        "403": desk_of("station").get(reverse("admin:coupons_coupon_changelist")),
        "password": desk_of("audit").get("/admin/password_change/"),
        "password, wrong": desk_of("audit").post("/admin/password_change/", {}),
        "password done": desk_of("audit").get("/admin/password_change/done/"),
        "csrf": Client(enforce_csrf_checks=True).post(LOGIN, {}),
        "apps": desk_of("industry").get("/admin/coupons/"),
        "delete": desk_of("industry").get(reverse("admin:coupons_round_delete", args=[county.rounds[0].pk])),
        "history": desk_of("audit").get(f"/admin/coupons/round/{county.rounds[0].pk}/history/", follow=True),
        "password of another": desk_of("leaders").get(
            reverse("admin:auth_user_password_change", args=[factories.a_staff("media").pk])
        ),
        "staff, empty": desk_of("leaders").post(reverse("admin:huigou_staff_add"), {}),
        "logged out": desk_of("audit").post("/admin/logout/", follow=True),
    }  # fmt: skip
    known = frozenset({"audit", "industry", "leaders", "station", "media", "nobody"})
    assert {name: english_in(page.content.decode(), known) for name, page in pages.items()} == {
        name: [] for name in pages
    }


def test_a_broken_page_says_so_in_chinese(desk_of, monkeypatch):
    from reports import worklist

    def breaks(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(worklist, "work_of", breaks)
    client = desk_of("audit")
    client.raise_request_exception = False
    page = client.get("/admin/")
    assert (page.status_code, english_in(page.content.decode())) == (500, [])
