"""What a production must have, what it refuses to start with, and what its logs look like."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO

import pytest
import redis
from django.core import checks
from django.test import Client
from django.urls import reverse
from granian.utils.proxies import wrap_wsgi_with_proxy_headers

from huigou import clock, logs, masking, middleware, pacing, starting
from huigou.errors import Refusal
from tests.serving import ROOT

PHONE = "19900004321"


# ---- what check --deploy names


def named(settings) -> list[str]:
    """Return the ids of what the deployment's own checks find, but for what every test settings lack."""
    found = checks.run_checks(include_deployment_checks=True, tags=[checks.Tags.security])
    return sorted(f"{each.id} {each.msg}" for each in found if str(each.id).startswith("huigou."))


@pytest.fixture
def deployed(settings):
    settings.SITE_URL, settings.DEMO, settings.STAFF_TOTP = "https://hg.invalid", False, True
    settings.SMS_BACKEND, settings.SMS_GATEWAY_URL = "http", "https://sms.invalid/send"
    return settings


def test_a_complete_deployment_without_wechat_is_not_nagged(deployed):
    assert named(deployed) == []


def test_missing_pieces_of_sms_are_named(deployed):
    deployed.SMS_BACKEND, deployed.SMS_ACCESS_ID, deployed.SMS_ACCESS_SECRET = "tencent", "", "x"
    deployed.SMS_SDK_APP_ID = deployed.SMS_TEMPLATE_ID = ""
    assert named(deployed) == [
        "huigou.E006 SMS_BACKEND=tencent 需要设置 SMS_ACCESS_ID",
        "huigou.E006 SMS_BACKEND=tencent 需要设置 SMS_SDK_APP_ID",
        "huigou.E006 SMS_BACKEND=tencent 需要设置 SMS_TEMPLATE_ID",
    ]


def test_half_a_wechat_account_is_an_error_and_what_it_cannot_do_a_warning(deployed):
    deployed.WECHAT_APP_ID = "wx0"
    assert named(deployed) == ["huigou.E007 WECHAT_APP_ID 与 WECHAT_APP_SECRET 必须同时设置或同时留空"]
    deployed.WECHAT_APP_SECRET = "s"
    deployed.WECHAT_TEMPLATES = {"won": ("t", {}), "used": ("u", {})}
    assert named(deployed) == [
        "huigou.W002 未设置 WECHAT_TEMPLATE_EXPIRING，不会发送这类微信订阅消息",
        "huigou.W002 未设置 WECHAT_VERIFY（MP_verify_….txt 的内容），微信后台无法核对网页授权域名",
    ]
    deployed.WECHAT_API_BASE = "api.weixin.qq.com"
    assert "huigou.E007 WECHAT_API_BASE 应为不带末尾斜杠的网址" in named(deployed)


# ---- the clock of a production


def start(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        env={**environment, "DEMO": "false"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.django_db(transaction=True)
def test_a_production_does_not_start_on_a_shifted_clock(database_environment, clock_runs, tmp_path):
    web = ("-c", "import huigou.rsgi")
    assert start(database_environment, *web).returncode == 0
    clock_runs(dt.timedelta(hours=1))
    worker = ("-m", "celery", "-A", "huigou", "worker", "--pool", "solo")
    schedule = str(tmp_path / "schedule")
    beat = ("-m", "celery", "-A", "huigou", "beat", "--schedule", schedule, "--pidfile", "")
    for command in (web, worker, beat):
        refused = start(database_environment, *command)
        assert refused.returncode != 0
        assert starting.SHIFTED in refused.stderr + refused.stdout


@pytest.mark.django_db
def test_nor_is_it_ready_on_one_that_was_shifted_later(client, at, settings):
    at("2022-06-25 09:00")
    assert client.get("/readyz").status_code == 200  # a demonstration may
    settings.DEMO = False
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["clock"]) == (503, False)


# ---- logs


@pytest.fixture
def written() -> Iterator[tuple[logging.Logger, StringIO]]:
    text = StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logs.formatter(as_json=True))
    logger = logging.getLogger("somebody.else")
    logger.addHandler(handler)
    yield logger, text
    logger.removeHandler(handler)


def test_a_line_is_fields_and_holds_no_number_whoever_wrote_it(written):
    logger, text = written
    try:
        raise ValueError(f"Key (phone)=({PHONE}) already exists")
    except ValueError:
        logger.exception(
            "sent to %s and +86 199-0000-4321", PHONE, extra={"tries": 3, "to": PHONE, "request": object()}
        )
    line = json.loads(text.getvalue())
    assert (line["event"], line["level"], line["logger"]) == (
        "sent to 199****4321 and +86 199****4321",
        "error",
        "somebody.else",
    )
    assert (line["tries"], line["to"], "request" in line) == (3, "199****4321", False)
    assert "ValueError: Key (phone)=(199****4321) already exists" in line["exception"]
    assert dt.datetime.fromisoformat(line["at"]).tzinfo is not None
    assert PHONE not in text.getvalue()


@pytest.mark.parametrize(
    "kept", ["1656118800000 ms", "id=119900004321", "6月25日09:00 第 19900 号", "sha 0019900004321ab", "12345678901"]
)
def test_what_is_no_mobile_number_stays(kept):
    assert masking.redacted(kept) == kept


def test_a_line_says_under_which_request_it_was_written(written):
    logger, text = written

    def answer(request):
        middleware.LogContextMiddleware.process_view(None, request)
        logger.info("here")
        return "ok"

    request = type("R", (), {"method": "GET", "resolver_match": type("M", (), {"route": "shop/c/<slug:token>"})})
    assert middleware.LogContextMiddleware(answer)(request) == "ok"
    logger.info("outside")
    inside, outside = (json.loads(line) for line in text.getvalue().splitlines())
    assert (inside["method"], inside["page"], len(inside["request_id"])) == ("GET", "shop/c/<slug:token>", 8)
    assert {"request_id", "page", "method"} & set(outside) == set()


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "status"), [("get", "/m/{}", 404), ("post", "/m/bind", 403)])
def test_an_address_with_a_number_is_neither_logged_nor_shown(written, method, path, status):
    """Somebody else's link may hold one; Django's own line about it and the page of the error do not."""
    logging.getLogger("django").addHandler(written[0].handlers[-1])
    try:
        answer = getattr(Client(enforce_csrf_checks=True), method)(path.format(PHONE) + f"?phone={PHONE}")
    finally:
        logging.getLogger("django").removeHandler(written[0].handlers[-1])
    assert answer.status_code == status
    assert PHONE not in answer.content.decode()
    assert written[1].getvalue()
    assert PHONE not in written[1].getvalue()


def test_the_demonstrations_lines_are_plain():
    record = logging.LogRecord("a.b", logging.WARNING, "", 0, "to %s", (PHONE,), None)
    assert logs.formatter(as_json=False).format(record) == "WARNING a.b to 199****4321"


# ---- floods


@pytest.mark.django_db
class TestPace:
    def test_one_address_is_slowed_down_and_another_is_not(self, rf):
        """Counted by the day here: the minute's edge may fall into a test."""
        near, far = (rf.get("/", REMOTE_ADDR=address) for address in ("10.1.1.1", "10.1.1.2"))
        for _ in range(5):
            pacing.keep(near, "x", "5/d")
        with pytest.raises(Refusal, match="操作过于频繁"):
            pacing.keep(near, "x", "5/d")
        assert pacing.keep(near, "y", "5/d") is None
        assert pacing.keep(far, "x", "5/d") is None

    @pytest.mark.parametrize(
        ("method", "path"),
        [("get", "/api/v1/challenge"), ("post", "/api/v1/sms-codes"), ("get", "/api/v1/wechat-config")],
    )
    def test_a_flood_is_answered_with_what_to_do(self, client, monkeypatch, method, path):
        monkeypatch.setattr(pacing, "is_ratelimited", lambda *_, **__: True)
        answer = getattr(client, method)(path, headers={"X-Requested-With": "huigou"})
        assert (answer.status_code, answer.json()["code"]) == (429, "too_fast")
        assert answer.json()["next"] == "请稍等一分钟再试"

    def test_without_redis_nobody_is_held_up(self, rf, settings):
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
        for _ in range(5):
            assert pacing.keep(rf.get("/"), "x", "1/m") is None

    def test_the_cache_holds_no_address_in_clear(self, rf, settings):
        pacing.keep(rf.get("/", REMOTE_ADDR="203.0.113.77"), "x", "1/d")
        with pytest.raises(Refusal):
            pacing.keep(rf.get("/", REMOTE_ADDR="203.0.113.77"), "x", "1/d")
        keys = list(redis.Redis.from_url(settings.REDIS_URL).scan_iter())
        assert keys
        assert not [key for key in keys if b"203.0" in key]


def test_only_a_trusted_proxy_says_for_whom_it_asks():
    def address(environ, start_response):
        return environ["REMOTE_ADDR"]

    behind = wrap_wsgi_with_proxy_headers(address, ["127.0.0.1"])
    said = {"HTTP_X_FORWARDED_FOR": "198.51.100.1, 203.0.113.9"}
    assert behind({"REMOTE_ADDR": "127.0.0.1", **said}, None) == "203.0.113.9"
    assert behind({"REMOTE_ADDR": "192.0.2.5", **said}, None) == "192.0.2.5"
    assert wrap_wsgi_with_proxy_headers(address, [])({"REMOTE_ADDR": "127.0.0.1", **said}, None) == "127.0.0.1"


def test_the_clocks_row_is_asked_of_the_database(db, at):
    assert starting.clock_is_shifted() is False
    at(clock.now())
    assert starting.clock_is_shifted() is True


# ---- what a proxy in front writes down


def test_the_proxys_logs_write_no_query_and_no_address_from_wechat():
    """An address holds an openid and a code when WeChat sends somebody back; an error log writes addresses whole."""
    text = re.sub(r"#.*", "", (ROOT / "deploy" / "nginx" / "huigou.conf").read_text())
    [line] = re.findall(r"log_format huigou '(.*?)';", text)
    assert "$uri" in line
    assert re.findall(r"\$(?:request|request_uri|args|query_string|is_args|http_\w+|arg_\w+|cookie_\w+)\b", line) == []
    servers = text.split("\nserver {")[1:]
    logs = [re.findall(r"^    access_log (.*);", server, re.MULTILINE) for server in servers]
    assert logs == [["/var/log/nginx/huigou.log huigou"]] * 2
    [back] = re.findall(r"location ~ (\S+) \{\s*error_log /dev/null;", text)
    ways = ("m-wechat-back", "m-wechat-subscribed", "shop-wechat-back")
    assert [bool(re.match(back, reverse(name))) for name in ways] == [True] * 3
    web = (ROOT / "deploy" / "systemd" / "huigou-web.service").read_text()
    assert "--access-log" not in web  # the server's own names the path alone, as another test reads it
