"""Everything said to WeChat and heard from it, against a server on this machine that speaks its protocol."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache as real_cache
from redis.exceptions import ConnectionError as RedisConnectionError

from huigou import wechat
from huigou.clock import SHANGHAI
from huigou.wechat import credentials
from tests.leafs.loopback import FakeWeChat, an_account, said
from tests.leafs.silence import everything_said

SECRET = "s3cr3t-0f-the-account-9f8e7d"
NINE = dt.datetime(2022, 6, 25, 9, 0, tzinfo=SHANGHAI)


@pytest.fixture
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWeChat]:
    """An account of its own for each test, so that no test finds another's token in the cache."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with an_account(settings, SECRET) as server:
        server.codes["code-wang"] = {"openid": "o-wang", "scope": "snsapi_base"}
        server.codes["code-li"] = {"openid": "o-li", "scope": "snsapi_userinfo", "unionid": "u-li"}
        server.codes["code-snap"] = {"openid": "o-virtual", "scope": "snsapi_userinfo", "is_snapshotuser": 1}
        server.profiles["o-li"] = {"nickname": "李\u0007“掌柜”😀=1+1"}
        server.subscribers.add("o-wang")
        yield server


def refused(call: Any, *args: Any) -> wechat.WechatError:
    with pytest.raises(wechat.WechatError) as caught:
        call(*args)
    return caught.value


def test_the_authorise_address_asks_for_no_more_than_the_openid_unless_told_to(server: FakeWeChat) -> None:
    address = wechat.authorise_url("https://hg.invalid/m/wx?next=/m/", "abc123")
    assert address.endswith("#wechat_redirect")
    assert list(parse_qs(urlsplit(address).query).items()) == [
        ("appid", [server.app_id]),
        ("redirect_uri", ["https://hg.invalid/m/wx?next=/m/"]),
        ("response_type", ["code"]),
        ("scope", ["snsapi_base"]),
        ("state", ["abc123"]),
    ]
    assert "scope=snsapi_userinfo" in wechat.authorise_url("https://hg.invalid/", "abc123", "snsapi_userinfo")


@pytest.mark.parametrize("state", ["", "a-b", "a" * 129, "状态"])
def test_a_state_that_wechat_would_drop_is_never_sent(server: FakeWeChat, state: str) -> None:
    with pytest.raises(ValueError, match="state"):
        wechat.authorise_url("https://hg.invalid/", state)


def test_a_code_gives_the_openid(server: FakeWeChat) -> None:
    grant = wechat.code_to_grant("code-wang")
    assert (grant.openid, grant.scope, grant.snapshot, grant.unionid) == ("o-wang", "snsapi_base", False, "")


def test_a_nickname_of_any_characters_arrives_whole(server: FakeWeChat) -> None:
    found = wechat.profile(wechat.code_to_grant("code-li"))
    assert (found.openid, found.nickname) == ("o-li", "李\u0007“掌柜”😀=1+1")


def test_the_virtual_openid_of_a_snapshot_page_cannot_be_read_by_accident(server: FakeWeChat) -> None:
    grant = wechat.code_to_grant("code-snap")
    assert grant.snapshot is True
    with pytest.raises(wechat.WechatError) as caught:
        _ = grant.openid
    assert caught.value.code == "wechat_snapshot"
    assert refused(wechat.profile, grant).code == "wechat_snapshot"
    assert server.calls["/sns/userinfo"] == 0


def test_what_wechat_says_no_to_is_told_apart(server: FakeWeChat, settings: Any) -> None:
    wechat.code_to_grant("code-wang")
    used, wrong = refused(wechat.code_to_grant, "code-wang"), refused(wechat.code_to_grant, "nonsense")
    assert [(e.code, e.errcode, e.retryable) for e in (used, wrong)] == [
        ("wechat_bad_code", 40163, False),
        ("wechat_bad_code", 40029, False),
    ]
    server.errors += [("/sns/oauth2/access_token", -1, "system error"), ("/sns/oauth2/access_token", 45011, "limit")]
    server.errors.append(("/sns/oauth2/access_token", 99999, "new kind"))
    answers = [refused(wechat.code_to_grant, "code-li") for _ in range(3)]
    assert [(e.code, e.retryable) for e in answers] == [
        ("wechat_busy", True),
        ("wechat_busy", True),
        ("wechat_refused", False),
    ]
    settings.WECHAT_APP_ID = "wx-another"
    assert refused(wechat.code_to_grant, "code-li").code == "wechat_misconfigured"


def test_every_refusal_says_in_chinese_what_to_do(server: FakeWeChat) -> None:
    error = refused(wechat.code_to_grant, "nonsense")
    assert error.as_dict() == {
        "code": "wechat_bad_code",
        "message": "微信授权已失效",
        "next": "请从公众号菜单重新进入；也可以用手机号和短信验证码办理",
    }


def test_without_an_app_id_nothing_is_called(server: FakeWeChat, settings: Any) -> None:
    settings.WECHAT_APP_ID = ""
    assert wechat.is_configured() is False
    assert refused(wechat.code_to_grant, "code-wang").code == "wechat_off"
    assert sum(server.calls.values()) == 0


def test_the_token_and_the_ticket_are_fetched_once_and_kept(server: FakeWeChat) -> None:
    assert wechat.access_token() == wechat.access_token() == server.token
    assert wechat.jsapi_ticket() == wechat.jsapi_ticket() == "K-" + server.token
    assert server.calls == {"/cgi-bin/stable_token": 1, "/cgi-bin/ticket/getticket": 1}


def test_a_token_is_not_kept_into_its_last_five_minutes(server: FakeWeChat) -> None:
    """Nor longer than half its life when it has less: stable_token hands out what is left of a token."""
    kept_s = [credentials._lifetime_s({"expires_in": seconds}) for seconds in (7200, 400, 2, 0)]
    assert kept_s == [6900, 200, 1, 1]
    server.expires_in = 2
    wechat.access_token()
    time.sleep(1.2)
    wechat.access_token()
    assert server.calls["/cgi-bin/stable_token"] == 2


def test_the_signature_is_that_of_wechats_own_example() -> None:
    """The example of the JS-SDK document, 附录1."""
    ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
    page = "http://mp.weixin.qq.com?params=value"
    found = wechat.jsapi_signature(ticket, "Wm3WZYTPz0wzccnW", "1414587457", page)
    assert found == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"
    assert wechat.jsapi_signature(ticket, "Wm3WZYTPz0wzccnW", "1414587457", page + "#/coupons") == found


def test_the_page_gets_strings_and_no_ticket(server: FakeWeChat) -> None:
    config = wechat.jsapi_config("https://hg.invalid/shop/scan?a=1#top", NINE).as_dict()
    plain = f"jsapi_ticket=K-{server.token}&noncestr={config['nonceStr']}&timestamp=1656118800"
    plain += "&url=https://hg.invalid/shop/scan?a=1"
    assert config == {
        "appId": server.app_id,
        "timestamp": "1656118800",
        "nonceStr": config["nonceStr"],
        "signature": hashlib.sha1(plain.encode()).hexdigest(),  # noqa: S324 (WeChat's algorithm)
    }


def test_a_subscribe_message_is_sent_as_the_template_wants_it(server: FakeWeChat) -> None:
    wechat.send_subscribe(
        "o-wang", "tpl-won", {"thing1": "餐饮券50元", "time2": "6月29日24:00"}, page="https://x.invalid/"
    )
    assert server.sent == [
        {
            "touser": "o-wang",
            "template_id": "tpl-won",
            "page": "https://x.invalid/",
            "data": {"thing1": {"value": "餐饮券50元"}, "time2": {"value": "6月29日24:00"}},
        }
    ]
    error = refused(wechat.send_subscribe, "o-zhao", "tpl-won", {"thing1": "券"})
    assert (error.code, error.errcode, error.retryable, error.maybe_done) == (
        "wechat_unsubscribed",
        43101,
        False,
        False,
    )


def test_a_token_that_died_early_is_replaced_once_and_the_call_repeated(server: FakeWeChat) -> None:
    wechat.access_token()
    server.expire_token()
    wechat.send_subscribe("o-wang", "tpl", {"thing1": "券"})
    assert (len(server.sent), server.calls["/cgi-bin/stable_token"], server.forced) == (1, 2, 0)
    assert wechat.access_token() == server.token


def test_a_dead_token_that_wechat_still_hands_out_is_forced_away_once_a_minute(server: FakeWeChat) -> None:
    server.dead_at_calls.add(wechat.access_token())
    wechat.send_subscribe("o-wang", "tpl", {"thing1": "券"})
    assert (len(server.sent), server.forced) == (1, 1)
    server.dead_at_calls.add(server.token)
    error = refused(wechat.send_subscribe, "o-wang", "tpl", {"thing1": "券"})
    assert (error.code, len(server.sent), server.forced) == ("wechat_token_expired", 1, 1)


def test_a_call_is_repeated_only_once(server: FakeWeChat) -> None:
    server.errors += [("/cgi-bin/message/subscribe/bizsend", 42001, "access_token expired")] * 5
    assert refused(wechat.send_subscribe, "o-wang", "tpl", {"thing1": "券"}).errcode == 42001
    assert server.calls["/cgi-bin/message/subscribe/bizsend"] == 2


def test_a_rate_limit_on_tokens_is_not_hammered(server: FakeWeChat) -> None:
    server.errors.append(("/cgi-bin/stable_token", 45009, "reach max api daily quota limit"))
    answers = [refused(wechat.access_token) for _ in range(10)]
    assert {(e.code, e.errcode) for e in answers} == {("wechat_busy", 45009)}
    assert server.calls["/cgi-bin/stable_token"] == 1


def test_a_wrong_app_secret_is_a_matter_for_the_operator(server: FakeWeChat, settings: Any) -> None:
    settings.WECHAT_APP_SECRET = "not-the-secret"
    error = refused(wechat.access_token)
    assert (error.code, error.errcode) == ("wechat_misconfigured", 40001)


@pytest.mark.parametrize("errcode", [40003, 40037, 41030, 47003])
def test_a_message_that_wechat_does_not_take_is_not_sent_again(server: FakeWeChat, errcode: int) -> None:
    server.errors.append(("/cgi-bin/message/subscribe/bizsend", errcode, "argument invalid"))
    error = refused(wechat.send_subscribe, "o-wang", "tpl", {"thing1": "券"})
    assert (error.reason, error.errcode, error.retryable) == (wechat.BAD_MESSAGE, errcode, False)
    assert server.calls["/cgi-bin/message/subscribe/bizsend"] == 1


def at_once(count: int, call: Any) -> list[Any]:
    """Run a call in many threads that start together; return what each got or raised."""
    found: list[Any] = []
    gate = threading.Barrier(count)

    def one() -> None:
        gate.wait()
        try:
            found.append(call())
        except wechat.WechatError as error:
            found.append(error.code)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_twenty_workers_without_a_token_fetch_it_once(server: FakeWeChat) -> None:
    server.delay_s = 0.2
    assert at_once(20, wechat.access_token) == [server.token] * 20
    assert server.calls["/cgi-bin/stable_token"] == 1


def test_twenty_workers_with_the_same_dead_token_replace_it_once(server: FakeWeChat) -> None:
    dead = wechat.access_token()
    server.expire_token()
    server.delay_s = 0.2
    fresh = at_once(20, lambda: credentials._shared("token", credentials._fetch_token, dead=dead))
    assert fresh == [server.token] * 20
    assert server.calls["/cgi-bin/stable_token"] == 2


class Unlocked:
    """The cache without its lock."""

    def __getattr__(self, name: str) -> Any:
        return getattr(real_cache, name)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return True


def test_without_the_lock_the_same_twenty_are_seen_to_race(server: FakeWeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the two tests above."""
    monkeypatch.setattr(credentials, "cache", Unlocked())
    server.delay_s = 0.2
    at_once(20, wechat.access_token)
    assert server.calls["/cgi-bin/stable_token"] > 1


def test_a_worker_killed_while_it_fetched_blocks_the_others_for_one_wait_only(
    server: FakeWeChat, settings: Any
) -> None:
    settings.WECHAT_TIMEOUT_S = 1
    real_cache.set(credentials._key("token:lock"), "a worker that is no more", timeout=1)
    assert wechat.access_token() == server.token


def test_a_lock_that_never_opens_ends_in_a_plain_refusal(server: FakeWeChat, settings: Any) -> None:
    settings.WECHAT_TIMEOUT_S = 0.2
    real_cache.set(credentials._key("token:lock"), "somebody slow", timeout=30)
    assert refused(wechat.access_token).code == "wechat_busy"
    assert sum(server.calls.values()) == 0


class Unreachable:
    """A cache whose Redis is down."""

    def __getattr__(self, name: str) -> Any:
        raise RedisConnectionError("redis at its address")


def test_without_redis_the_answer_is_plain(server: FakeWeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "cache", Unreachable())
    error = refused(wechat.access_token)
    assert (error.code, error.detail) == ("wechat_unreachable", "cache")
    assert sum(server.calls.values()) == 0


@pytest.mark.parametrize("mood", ["slow", "dripping", "hangs up", "gateway page", "redirect", "list", "huge", "empty"])
def test_no_answer_or_a_useless_one_ends_soon_and_plainly(server: FakeWeChat, settings: Any, mood: str) -> None:
    settings.WECHAT_TIMEOUT_S = 0.4
    if mood == "slow":
        server.delay_s = 1.5
    elif mood == "dripping":
        server.drip_s = 0.1
    elif mood == "hangs up":
        server.hang_up = True
    else:
        server.instead.append(
            {
                "gateway page": (502, "<html>坏网关</html>".encode()),
                "redirect": (302, b"{}"),
                "list": said([1, 2]),
                "huge": (200, b'{"openid": "' + b"x" * 2_000_000 + b'"}'),
                "empty": said({"access_token": "t"}),
            }[mood]
        )
    started = time.monotonic()
    error = refused(wechat.code_to_grant, "code-wang")
    assert error.code == "wechat_unreachable"
    assert error.retryable is True
    assert time.monotonic() - started < 1.2
    assert server.calls["/elsewhere"] == 0


def test_nobody_there_is_known_not_to_have_acted(server: FakeWeChat, settings: Any) -> None:
    settings.WECHAT_API_BASE = "http://127.0.0.1:9"
    error = refused(wechat.code_to_grant, "code-wang")
    assert (error.code, error.maybe_done) == ("wechat_unreachable", False)


def test_a_message_cut_off_in_the_middle_may_have_been_sent(server: FakeWeChat, settings: Any) -> None:
    wechat.access_token()
    settings.WECHAT_TIMEOUT_S, server.delay_s = 0.3, 1.0
    error = refused(wechat.send_subscribe, "o-wang", "tpl", {"thing1": "券"})
    assert (error.code, error.maybe_done) == ("wechat_unreachable", True)


def test_neither_secret_nor_token_nor_openid_is_ever_said(
    server: FakeWeChat, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """WeChat's own words echo them here; a dead address puts the secret into requests' exception."""
    caplog.set_level(logging.DEBUG)
    errors = [
        refused(wechat.code_to_grant, "guess-0f-a-code"),
        refused(wechat.send_subscribe, "o-zhao", "tpl", {"thing1": "private words"}),
    ]
    token = server.token
    server.errors += [("/cgi-bin/message/subscribe/bizsend", 42001, f"expired {token} o-wang private words")] * 2
    errors.append(refused(wechat.send_subscribe, "o-wang", "tpl", {"thing1": "private words"}))
    settings.WECHAT_TIMEOUT_S, server.delay_s = 0.2, 0.6
    errors.append(refused(wechat.code_to_grant, "code-wang"))
    settings.WECHAT_API_BASE = "http://127.0.0.1:9"
    errors.append(refused(wechat.code_to_grant, "code-wang"))
    settings.WECHAT_API_BASE = "nonsense://"
    errors.append(refused(wechat.code_to_grant, "code-wang"))
    said_in_all = "\n".join(everything_said(error, caplog) for error in errors)
    assert "wechat /sns/oauth2/access_token: wechat_bad_code errcode=40029" in said_in_all
    assert "urllib3" in said_in_all  # the debug log was really on
    for private in (SECRET, token, server.token, "guess-0f-a-code", "code-wang", "o-zhao", "o-wang", "private words"):
        assert private not in said_in_all


def test_results_do_not_print_what_they_hold(server: FakeWeChat) -> None:
    grant = wechat.code_to_grant("code-li")
    shown = repr(grant) + repr(wechat.profile(grant))
    assert [word for word in ("o-li", "web-code-li", "u-li", "掌柜") if word in shown] == []


def test_settings_that_cannot_work_are_named(settings: Any) -> None:
    settings.WECHAT_APP_ID, settings.WECHAT_APP_SECRET = "wx1", ""
    settings.WECHAT_API_BASE, settings.WECHAT_OPEN_BASE = "api.weixin.qq.com", "https://open.weixin.qq.com/"
    assert wechat.problems() == [
        "WECHAT_APP_ID 与 WECHAT_APP_SECRET 必须同时设置或同时留空",
        "WECHAT_API_BASE 应为不带末尾斜杠的网址",
        "WECHAT_OPEN_BASE 应为不带末尾斜杠的网址",
    ]
    settings.WECHAT_APP_ID = ""
    settings.WECHAT_API_BASE, settings.WECHAT_OPEN_BASE = "https://api.weixin.qq.com", "https://open.weixin.qq.com"
    assert wechat.problems() == []
