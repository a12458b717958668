"""Text messages through every backend; the providers' servers stand on this machine and check the signatures."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from huigou import sms
from huigou.clock import SHANGHAI
from huigou.sms import aliyun, file, tencent
from tests.leafs.loopback import FakeAliyun, FakeGateway, FakeTencent, Loopback, said, serving
from tests.leafs.silence import everything_said

PHONE = "19900001234"
CODE = "483920"
SECRET = "acc3ss-s3cret-5544"
NINE = dt.datetime(2022, 6, 25, 9, 0, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
def account(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings.SMS_SIGN_NAME, settings.SMS_TEMPLATE_ID = "惠购乾城", "SMS_449739"
    settings.SMS_ACCESS_ID, settings.SMS_ACCESS_SECRET = "AKIDtest", SECRET
    settings.SMS_SDK_APP_ID, settings.SMS_REGION = "1400006666", "ap-guangzhou"
    settings.SMS_GATEWAY_TOKEN, settings.SMS_GATEWAY_BODY, settings.SMS_GATEWAY_OK = "bearer-t0ken-77", "", ""
    settings.SMS_TIMEOUT_S = 2


@pytest.fixture
def gateway(settings: Any) -> Iterator[FakeGateway]:
    with serving(FakeGateway("bearer-t0ken-77")) as server:
        settings.SMS_BACKEND, settings.SMS_GATEWAY_URL = "http", server.base + "/send"
        yield server


@pytest.fixture
def tencent_cloud(settings: Any) -> Iterator[FakeTencent]:
    with serving(FakeTencent("AKIDtest", SECRET)) as server:
        settings.SMS_BACKEND, settings.SMS_GATEWAY_URL = "tencent", server.base
        yield server


@pytest.fixture
def aliyun_cloud(settings: Any) -> Iterator[FakeAliyun]:
    with serving(FakeAliyun("AKIDtest", SECRET)) as server:
        settings.SMS_BACKEND, settings.SMS_GATEWAY_URL = "aliyun", server.base
        yield server


def message() -> sms.Sms:
    return sms.verification(PHONE, CODE, 5, reference="outbox-7")


def send() -> sms.Receipt:
    return sms.get_backend().send(message(), NINE)


def refused() -> sms.SmsError:
    with pytest.raises(sms.SmsError) as caught:
        send()
    return caught.value


def test_the_setting_names_the_backend_and_says_whether_it_costs_money(settings: Any) -> None:
    found = {}
    for name in ("console", "file", "http", "tencent", "aliyun"):
        settings.SMS_BACKEND = name
        found[sms.get_backend().name] = sms.is_real()
    assert found == {"console": False, "file": False, "http": True, "tencent": True, "aliyun": True}


def test_a_verification_message_reads_as_a_person_expects() -> None:
    assert message().signed_text == (
        "【惠购乾城】您的验证码是483920，5分钟内有效。工作人员不会向您索要验证码，请勿告诉他人。"
    )
    assert dict(message().params) == {"code": CODE, "minutes": "5"}


def test_the_console_shows_the_code_and_not_the_number(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SMS_BACKEND = "console"
    send()
    shown = capsys.readouterr().out
    assert shown == f"[短信 09:00:00] 199****1234 {message().signed_text}\n"


def test_the_file_keeps_messages_by_phone_without_holding_the_number(settings: Any, tmp_path: Any) -> None:
    settings.SMS_BACKEND, settings.SMS_FILE_DIR = "file", tmp_path / "sms"
    send()
    sms.get_backend().send(sms.verification(PHONE, "111111", 5), NINE)
    sms.get_backend().send(sms.verification("19900009999", "222222", 5), NINE)
    assert [line["params"]["code"] for line in file.messages_to(PHONE)] == [CODE, "111111"]
    assert [line["params"]["code"] for line in file.messages_to("19900009999")] == ["222222"]
    assert file.messages_to("19900005555") == []
    written = "".join(f"{path.name}{path.read_text()}" for path in (tmp_path / "sms").iterdir())
    assert PHONE not in written
    assert file.messages_to(PHONE)[0]["at"] == "2022-06-25T09:00:00+08:00"


def test_a_folder_that_cannot_be_written_is_a_plain_refusal(settings: Any, tmp_path: Any) -> None:
    (tmp_path / "taken").write_text("a file stands here")
    settings.SMS_BACKEND, settings.SMS_FILE_DIR = "file", tmp_path / "taken" / "sms"
    assert refused().code == "sms_down"


def test_the_plain_gateway_gets_its_document_and_its_token(gateway: FakeGateway) -> None:
    assert send() == sms.Receipt("http")
    assert gateway.taken == [
        {
            "phone": PHONE,
            "text": message().signed_text,
            "sign": "惠购乾城",
            "template": "SMS_449739",
            "params": {"code": CODE, "minutes": "5"},
            "reference": "outbox-7",
        }
    ]


def test_the_gateways_document_is_whatever_the_setting_says(gateway: FakeGateway, settings: Any) -> None:
    settings.SMS_GATEWAY_BODY = json.dumps(
        {"to": ["{phone_e164}"], "data": {"内容": "码{params.code}，{unknown}", "n": 1}, "id": "{reference}"}
    )
    send()
    assert gateway.taken == [
        {"to": ["+8619900001234"], "data": {"内容": "码483920，{unknown}", "n": 1}, "id": "outbox-7"}
    ]


def test_a_value_that_looks_like_a_placeholder_or_like_json_stays_a_value(gateway: FakeGateway, settings: Any) -> None:
    settings.SMS_GATEWAY_BODY = '{"text": "{params.shop}"}'
    sms.get_backend().send(sms.Sms(PHONE, "x", {"shop": '{phone}", "a": "{token}'}), NINE)
    assert gateway.taken == [{"text": '{phone}", "a": "{token}'}]


def test_what_counts_as_taken_is_a_setting(gateway: FakeGateway, settings: Any) -> None:
    settings.SMS_GATEWAY_OK = "result.status=ok"
    gateway.result = {"result": {"status": "ok"}}
    assert send() == sms.Receipt("http")
    gateway.result = {"result": {"status": "no money"}}
    error = refused()
    assert (error.code, error.provider_code, error.maybe_sent) == ("sms_rejected", "no money", False)
    gateway.result = {"other": 1}
    error = refused()
    assert (error.code, error.maybe_sent) == ("sms_down", True)


@pytest.mark.parametrize(
    ("status", "code", "maybe_sent"),
    [
        (429, "sms_busy", False),
        (401, "sms_misconfigured", False),
        (400, "sms_rejected", False),
        (502, "sms_down", True),
        (302, "sms_rejected", False),
    ],
)
def test_the_gateways_status_says_what_to_do(gateway: FakeGateway, status: int, code: str, maybe_sent: bool) -> None:  # noqa: FBT001
    gateway.instead.append(said({"msg": "no"}, status))
    error = refused()
    assert (error.code, error.maybe_sent) == (code, maybe_sent)


def test_a_gateway_set_up_wrongly_is_named(settings: Any) -> None:
    settings.SMS_BACKEND, settings.SMS_GATEWAY_URL = "http", ""
    settings.SMS_GATEWAY_BODY, settings.SMS_GATEWAY_OK = "[1]", "code"
    assert sms.problems() == [
        "SMS_BACKEND=http 需要设置 SMS_GATEWAY_URL",
        "SMS_GATEWAY_BODY 应为一个 JSON 对象",
        "SMS_GATEWAY_OK 应形如 code=0",
    ]
    assert refused().code == "sms_misconfigured"
    settings.SMS_BACKEND, settings.SMS_SDK_APP_ID = "tencent", ""
    assert sms.problems() == ["SMS_BACKEND=tencent 需要设置 SMS_SDK_APP_ID"]
    settings.SMS_BACKEND = "pigeon"
    assert sms.problems() == ["SMS_BACKEND 应为 console、file、http、tencent、aliyun 之一"]
    settings.SMS_BACKEND = "console"
    assert sms.problems() == []


def test_tencent_takes_our_signature_and_the_template_in_order(tencent_cloud: FakeTencent) -> None:
    assert send() == sms.Receipt("tencent", "5000:1")
    assert tencent_cloud.taken == [
        {
            "PhoneNumberSet": ["+8619900001234"],
            "SmsSdkAppId": "1400006666",
            "TemplateId": "SMS_449739",
            "SignName": "惠购乾城",
            "TemplateParamSet": [CODE, "5"],
            "SessionContext": "outbox-7",
        }
    ]


def test_tencents_signature_is_that_of_its_own_client() -> None:
    """The expected value was computed with tencentcloud-sdk-python-common 3.1.195."""
    body = (
        '{"PhoneNumberSet":["+8619900001234"],"SmsSdkAppId":"1400006666","TemplateId":"449739",'
        '"SignName":"惠购乾城","TemplateParamSet":["123456","5"],"SessionContext":"outbox-7"}'
    ).encode()
    found = tencent.authorization(
        "AKIDtest", "tcsecret", host="sms.tencentcloudapi.com", body=body, timestamp=1656118800
    )
    assert found == (
        "TC3-HMAC-SHA256 Credential=AKIDtest/2022-06-25/sms/tc3_request, SignedHeaders=content-type;host, "
        "Signature=ca3cabef4256eec196bc00164fb0c01ce11edb735cb75bf144850bccac8b64f1"
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("LimitExceeded.PhoneNumberThirtySecondLimit", "sms_busy"),
        ("FailedOperation.InsufficientBalanceInSmsPackage", "sms_misconfigured"),
        ("InvalidParameterValue.IncorrectPhoneNumber", "sms_bad_number"),
        ("InternalError.OtherError", "sms_down"),
        ("FailedOperation.ContainSensitiveWord", "sms_rejected"),
    ],
)
def test_tencents_refusals_are_told_apart(tencent_cloud: FakeTencent, status: str, code: str) -> None:
    tencent_cloud.status_code = status
    error = refused()
    assert (error.code, error.provider_code, error.maybe_sent) == (code, status, False)


def test_a_wrong_key_is_a_matter_for_the_operator(
    tencent_cloud: FakeTencent, aliyun_cloud: FakeAliyun, settings: Any
) -> None:
    settings.SMS_ACCESS_SECRET = "not-the-secret"
    for name, server in (("tencent", tencent_cloud), ("aliyun", aliyun_cloud)):
        settings.SMS_BACKEND, settings.SMS_GATEWAY_URL = name, server.base
        assert refused().code == "sms_misconfigured"
        assert server.taken == []


def test_aliyun_takes_our_signature_and_gets_the_number_in_the_body(aliyun_cloud: FakeAliyun) -> None:
    assert send() == sms.Receipt("aliyun", "900619746936498440^0")
    (form,) = aliyun_cloud.taken
    assert (form["PhoneNumbers"], form["TemplateParam"], form["Timestamp"], form["OutId"]) == (
        PHONE,
        '{"code":"483920","minutes":"5"}',
        "2022-06-25T01:00:00Z",
        "outbox-7",
    )
    assert [call["line"] for call in aliyun_cloud.seen] == ["POST / HTTP/1.1"]


def test_no_message_is_signed_twice_alike(aliyun_cloud: FakeAliyun) -> None:
    send()
    send()
    assert len(aliyun_cloud.nonces) == 2


@pytest.mark.parametrize(
    ("template_param", "expected"),
    [
        ('{"code":"123456","minutes":"5"}', "Ix6eXh3XV4MAxkDmmFIlIqLkcmM="),
        ('{"shop":"a b*c~d(火锅)+/&=!\'"}', "yZrT/gOxmLZa7Q2P3C4yhTCfJnQ="),
    ],
)
def test_aliyuns_signature_is_that_of_its_own_client(template_param: str, expected: str) -> None:
    """The expected values were computed with alibabacloud-tea-openapi 0.4.6."""
    params = {
        "AccessKeyId": "testid",
        "Action": "SendSms",
        "Format": "JSON",
        "OutId": "outbox-7",
        "PhoneNumbers": PHONE,
        "SignName": "惠购乾城",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
        "SignatureVersion": "1.0",
        "TemplateCode": "SMS_71390007",
        "TemplateParam": template_param,
        "Timestamp": "2022-06-25T01:00:00Z",
        "Version": "2017-05-25",
    }
    assert aliyun.signature(params, "testsecret") == expected


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("isv.BUSINESS_LIMIT_CONTROL", "sms_busy"),
        ("isv.MOBILE_NUMBER_ILLEGAL", "sms_bad_number"),
        ("isv.AMOUNT_NOT_ENOUGH", "sms_misconfigured"),
        ("isp.SYSTEM_ERROR", "sms_down"),
        ("isp.RAM_PERMISSION_DENY", "sms_misconfigured"),
        ("isv.BLACK_KEY_CONTROL_LIMIT", "sms_rejected"),
    ],
)
def test_aliyuns_refusals_are_told_apart(aliyun_cloud: FakeAliyun, status: str, code: str) -> None:
    aliyun_cloud.code = status
    error = refused()
    assert (error.code, error.provider_code) == (code, status)


@pytest.mark.parametrize("backend", ["http", "tencent", "aliyun"])
def test_a_slow_gateway_is_given_up_and_may_have_sent(settings: Any, backend: str) -> None:
    with serving(Loopback()) as server:
        settings.SMS_BACKEND, settings.SMS_GATEWAY_URL, settings.SMS_TIMEOUT_S = backend, server.base, 0.3
        server.delay_s = 1.0
        started = time.monotonic()
        error = refused()
        assert time.monotonic() - started < 0.9
        assert (error.code, error.provider_code, error.maybe_sent, error.retryable) == (
            "sms_down",
            "timeout",
            True,
            True,
        )


@pytest.mark.parametrize("backend", ["http", "tencent", "aliyun"])
def test_nobody_there_has_certainly_not_sent(settings: Any, backend: str) -> None:
    settings.SMS_BACKEND, settings.SMS_GATEWAY_URL = backend, "http://127.0.0.1:9/"
    error = refused()
    assert (error.code, error.maybe_sent) == ("sms_down", False)


@pytest.mark.parametrize("backend", ["tencent", "aliyun"])
@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b"[]", b'{"Response": 1, "Code": 5}', b'{"Response": {"SendStatusSet": []}}']
)
def test_an_answer_that_is_none_of_theirs_may_mean_sent(settings: Any, backend: str, body: bytes) -> None:
    with serving(Loopback()) as server:
        settings.SMS_BACKEND, settings.SMS_GATEWAY_URL = backend, server.base
        server.instead.append((200, body))
        error = refused()
        assert (error.code, error.maybe_sent) == ("sms_down", True)


def test_neither_number_nor_code_nor_key_is_ever_said(
    gateway: FakeGateway,
    tencent_cloud: FakeTencent,
    aliyun_cloud: FakeAliyun,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The providers' own words echo the request here, signature base and all."""
    caplog.set_level(logging.DEBUG)
    errors = []
    tencent_cloud.status_code, aliyun_cloud.code = "FailedOperation.ContainSensitiveWord", "isv.PARAM_LENGTH_LIMIT"
    settings.SMS_GATEWAY_OK = "code=0"
    gateway.result = {"code": 9, "msg": f"{PHONE} +86{PHONE} {CODE} bearer-t0ken-77 {message().signed_text}"}
    for backend, address in (("tencent", tencent_cloud.base), ("aliyun", aliyun_cloud.base), ("http", gateway.base)):
        settings.SMS_BACKEND, settings.SMS_ACCESS_SECRET, settings.SMS_TIMEOUT_S = backend, SECRET, 2
        settings.SMS_GATEWAY_URL = address
        errors.append(refused())
        settings.SMS_ACCESS_SECRET = "wr0ng-s3cret-99"
        if backend != "http":
            errors.append(refused())
        settings.SMS_GATEWAY_URL = "http://127.0.0.1:9/"
        errors.append(refused())
        settings.SMS_GATEWAY_URL = "nonsense"
        errors.append(refused())
    said_in_all = "\n".join(everything_said(error, caplog) for error in errors)
    assert "sms tencent outbox-7: sms_rejected" in said_in_all
    for private in (PHONE, CODE, SECRET, "wr0ng-s3cret-99", "bearer-t0ken-77"):
        assert private not in said_in_all
        assert private not in unquote(said_in_all)
    lines = [call["line"] for server in (gateway, tencent_cloud, aliyun_cloud) for call in server.seen]
    assert [line for line in lines if PHONE in line] == []


def test_a_message_does_not_print_what_it_holds() -> None:
    assert repr(message()) == "Sms(template_id='', reference='outbox-7')"
