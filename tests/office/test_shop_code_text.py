"""The one-time code goes to the shop's registered number by SMS: allowed, limited, masked, kept in the trail."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from coupons import outbox
from coupons.models import OutboxMessage
from huigou import clock
from huigou.models import Department
from merchants import binding, conduct
from merchants.models import BindingCode, Merchant
from reports.models import AuditEntry
from tests import factories
from tests.leafs.loopback import FakeGateway, serving
from tests.office.furnished import letter
from tests.redemption.ground import outcome

pytestmark = pytest.mark.django_db
PHONE = "19900003456"
MORNING = dt.datetime(2022, 6, 24, 8, tzinfo=clock.SHANGHAI)


@pytest.fixture
def gateway(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGateway]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings.SMS_GATEWAY_TOKEN, settings.SMS_GATEWAY_BODY, settings.SMS_GATEWAY_OK = "t0ken", "", ""
    settings.SMS_TEMPLATE_ID, settings.SMS_TEMPLATE_SHOP_ID = "", ""
    with serving(FakeGateway("t0ken")) as server:
        settings.SMS_BACKEND, settings.SMS_GATEWAY_URL = "http", server.base + "/send"
        yield server


@pytest.fixture
def firm(county, at) -> Merchant:  # type: ignore[no-untyped-def]
    at(MORNING)
    shop = factories.a_merchant(county, name="虚构饭庄", phone="0438-0000123")
    shop.outlets.update(phone="199 0000 3456")
    return shop


@pytest.fixture
def code(firm, bureau, settings, tmp_path) -> BindingCode:  # type: ignore[no-untyped-def]
    settings.MEDIA_ROOT = tmp_path
    conduct.record_letter(firm, letter(), MORNING.date(), "第一版", bureau)
    binding.issue_code(firm.outlets.get(), bureau)
    return BindingCode.objects.get()


def at_desk(desk: Any, firm: Merchant, **data: Any) -> Any:
    return desk.post(reverse("admin:merchants_merchant_rowdeed", args=[firm.pk, "textcode"]), data)


def test_the_code_reaches_the_shops_number_and_the_trail_says_so_without_the_number(
    firm, code, desk_of, bureau, gateway
):
    desk = desk_of(bureau)
    page = reverse("admin:merchants_merchant_page", args=[firm.pk])
    dialog = desk.get(reverse("admin:merchants_merchant_rowdeed", args=[firm.pk, "textcode"])).content.decode()
    assert "虚构饭庄 → 199****3456" in dialog
    assert PHONE not in dialog
    assert at_desk(desk, firm, code=code.pk).status_code == 302
    message = OutboxMessage.objects.get()
    assert PHONE.encode() not in bytes(message.sealed_to) + bytes(message.sealed_body)
    assert outbox.send(message.pk)
    sent = gateway.taken[0]
    plain = "-".join(code.code[i : i + 4] for i in range(0, 12, 4))
    assert (sent["phone"], sent["params"]) == (PHONE, {"shop": "虚构饭庄", "code": plain, "days": "14"})
    assert sent["text"] == (
        f"【惠购乾城】虚构饭庄的商家绑定验证码是{plain}，14天内有效，只能使用一次，请勿告诉店外人员。"
    )
    assert binding.outlet_of(plain) == firm.outlets.get()  # and it binds
    entry = AuditEntry.objects.get(deed="短信发送验证码")
    assert (entry.note, entry.staff) == (f"验证码 {code.pk} 发往 199****3456，消息 {message.pk}", bureau)
    message.refresh_from_db()
    assert (message.state, message.sealed_to, message.sealed_body) == ("sent", None, None)
    assert '<td data-label="短信">已发</td>' in desk.get(page).content.decode()


def test_nobody_else_sends_it(firm, code, desk_of):
    for department in set(Department) - {Department.INDUSTRY}:
        assert at_desk(desk_of(department), firm, code=code.pk).status_code == 403, department
    assert not OutboxMessage.objects.exists()


def test_a_phone_gets_one_a_minute_and_a_code_three_texts(code, at):
    said = []
    for seconds in (0, 30, 60, 120, 180):
        at(MORNING + dt.timedelta(seconds=seconds))
        said.append(outcome(lambda: binding.text_code(code.pk)))
    assert said == ["ok", "desk_sms_too_soon", "ok", "ok", "code_texts"]
    assert OutboxMessage.objects.count() == 3


def test_the_days_budget_counts_it(code, settings):
    settings.SMS_DAILY_BUDGET = 0
    assert outcome(lambda: binding.text_code(code.pk)) == "desk_sms_budget"


def test_what_is_over_has_no_number_or_no_template_is_not_sent(code, firm, settings, at):
    settings.SMS_TEMPLATE_ID = "SMS_1"
    assert outcome(lambda: binding.text_code(code.pk)) == "shop_template"
    settings.SMS_TEMPLATE_SHOP_ID = "SMS_2"
    firm.outlets.update(phone="0438-1")
    assert outcome(lambda: binding.text_code(code.pk)) == "no_mobile"
    Merchant.objects.filter(pk=firm.pk).update(phone="19900003457")  # the firm's own then
    assert outcome(lambda: binding.text_code(code.pk)) == "ok"
    at(MORNING + binding.CODE_LIFE)
    assert outcome(lambda: binding.text_code(code.pk)) == "code_not_open"
    assert outcome(lambda: binding.text_code(code.pk + 1)) == "code_not_open"
    assert OutboxMessage.objects.count() == 1


def test_a_code_sent_opens_nothing_else(code):
    """What counts against a phone's limits is no code that a form would take."""
    binding.text_code(code.pk)
    assert outcome(lambda: binding.consumers.use_code(PHONE, "shop_code", "000000")) == "bad_code"
