"""Codes by SMS: 1 a minute and 10 a day per phone, 5 tries each; counted in the database, so also under a rush."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from coupons import consumers
from coupons.models import OutboxMessage, SmsCode
from huigou import clock
from tests import factories
from tests.redemption.ground import at_once, outcome

PHONE = "19900004321"
MORNING = dt.datetime(2022, 6, 24, 8, tzinfo=clock.SHANGHAI)
MINUTE = dt.timedelta(minutes=1)


def ask(phone: str = PHONE, **more: str) -> str:
    return outcome(lambda: consumers.send_code(phone, "bind", **more))


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


@pytest.mark.django_db
class TestOneAfterAnother:
    def test_one_a_minute(self, at):
        at(MORNING)
        assert (ask(), ask()) == ("ok", "sms_too_soon")
        at(MORNING + MINUTE - dt.timedelta(milliseconds=1))
        assert ask() == "sms_too_soon"
        at(MORNING + MINUTE)
        assert ask() == "ok"

    def test_ten_a_day(self, at):
        said = []
        for number in range(12):
            at(MORNING + number * MINUTE)
            said.append(ask())
        assert said == ["ok"] * 10 + ["sms_too_many"] * 2
        at(MORNING + dt.timedelta(days=1))
        assert ask() == "ok"

    def test_purposes_share_a_phones_limit(self, at):
        at(MORNING)
        assert ask() == "ok"
        assert outcome(lambda: consumers.send_code(PHONE, "clerk")) == "sms_too_soon"

    def test_twenty_a_day_from_one_device_and_a_setting_from_one_address(self, at, settings):
        at(MORNING)
        settings.SMS_PER_ADDRESS = 30
        assert [ask(f"1990000{n:04d}", device="d") for n in range(21)] == ["ok"] * 20 + ["sms_too_many"]
        said = Counter(ask(f"1990001{n:04d}", address="10.0.0.1") for n in range(31))
        assert said == {"ok": 30, "sms_too_many": 1}

    def test_the_whole_platform_has_a_budget(self, at, settings):
        at(MORNING)
        settings.SMS_DAILY_BUDGET = 3
        assert [ask(f"1990000{n:04d}") for n in range(4)] == ["ok"] * 3 + ["sms_budget"]

    def test_a_flushed_redis_forgets_no_limit(self, at):
        at(MORNING)
        code = consumers.send_code(PHONE, "bind", device="d", address="10.0.0.1")
        for _ in range(5):
            assert outcome(lambda: consumers.use_code(PHONE, "bind", wrong(code))) == "bad_code"
        cache.clear()  # FLUSHDB
        assert ask() == "sms_too_soon"
        assert outcome(lambda: consumers.use_code(PHONE, "bind", code)) == "code_tries"
        said = Counter(ask(f"1990000{n:04d}", device="d") for n in range(25))
        assert said == {"ok": 19, "sms_too_many": 6}

    def test_a_known_phone_takes_the_very_same_steps_as_an_unknown_one(self, at):
        """Nothing is asked about the person, so that neither answer nor time can tell."""
        at(MORNING)
        factories.a_consumer(phone=PHONE)
        steps = []
        for phone in (PHONE, "19900004322"):
            with CaptureQueriesContext(connection) as caught:
                assert ask(phone) == "ok"
            steps.append([re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in caught])
        assert steps[0] == steps[1]
        assert not [sql for sql in steps[0] if "coupons_person" in sql or "coupons_consumer" in sql]

    @pytest.mark.parametrize("phone", ["", "1990000432", "29900004321", "199000043210", "+1 990 000 4321", "一九九"])
    def test_what_is_no_phone_is_said(self, phone):
        assert ask(phone) == "bad_phone"

    def test_five_tries_and_the_code_is_gone(self, at):
        at(MORNING)
        code = consumers.send_code(PHONE, "bind")
        said = [outcome(lambda: consumers.use_code(PHONE, "bind", wrong(code))) for _ in range(6)]
        assert said == ["bad_code"] * 5 + ["code_tries"]
        assert outcome(lambda: consumers.use_code(PHONE, "bind", code)) == "code_tries"

    def test_a_code_serves_one_phone_one_purpose_once_and_for_five_minutes(self, at):
        at(MORNING)
        code = consumers.send_code(PHONE, "bind")
        assert outcome(lambda: consumers.use_code(PHONE, "clerk", code)) == "bad_code"
        assert outcome(lambda: consumers.use_code("19900004322", "bind", code)) == "bad_code"
        at(MORNING + dt.timedelta(minutes=4, seconds=59))
        assert outcome(lambda: consumers.use_code(PHONE, "bind", code)) == "ok"
        assert outcome(lambda: consumers.use_code(PHONE, "bind", code)) == "bad_code"
        code = consumers.send_code(PHONE, "bind")
        at(MORNING + dt.timedelta(minutes=9, seconds=59))
        assert outcome(lambda: consumers.use_code(PHONE, "bind", code)) == "bad_code"

    def test_a_newer_code_ends_the_older_one(self, at):
        at(MORNING)
        older = consumers.send_code(PHONE, "bind")
        at(MORNING + MINUTE)
        newer = consumers.send_code(PHONE, "bind")
        assert older == newer or outcome(lambda: consumers.use_code(PHONE, "bind", older)) == "bad_code"
        assert outcome(lambda: consumers.use_code(PHONE, "bind", newer)) == "ok"


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_a_thousand_requests_send_ten(self, at):
        """20 requests at the same instant, again and again, over twelve minutes of the platform's clock."""

        def four_times() -> None:
            said.extend(ask() for _ in range(4))

        said: list[str] = []
        for number in range(13):
            at(MORNING + number * MINUTE)
            at_once([four_times] * 20)
        assert len(said) == 1040
        assert Counter(said)["ok"] == 10
        assert (SmsCode.objects.count(), OutboxMessage.objects.count()) == (10, 10)

    def test_ten_thousand_guesses_count_as_five(self, at):
        at(MORNING)
        code = consumers.send_code(PHONE, "bind")
        guesses = iter(range(10**6))
        said: list[str] = []

        def guess_on() -> None:
            for _ in range(1_000):
                guess = f"{next(guesses):06d}"
                said.append(outcome(lambda g=guess: consumers.use_code(PHONE, "bind", wrong(code) if g == code else g)))

        at_once([guess_on] * 10)
        assert Counter(said) == {"bad_code": 5, "code_tries": 9_995}
        assert SmsCode.objects.get().tries == 5

    def test_one_code_sent_ten_times_at_once_binds_once(self, at):
        at(MORNING)
        code = consumers.send_code(PHONE, "bind")
        binding = consumers.Binding("王小明", PHONE, code, consent=True)
        assert Counter(at_once([lambda: consumers.bind(binding)] * 10)) == {"ok": 1, "bad_code": 9}
