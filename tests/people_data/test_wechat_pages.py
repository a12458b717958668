"""WeChat through the pages: there and back, recognised, named, told; and every failure leaves the way by phone open."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from coupons import codes, consumers
from coupons.models import Consumer
from huigou import arriving, clock, wechat
from merchants import binding
from merchants.models import Clerk, CommitmentLetter
from tests.leafs.loopback import FakeWeChat
from tests.people_data.conftest import SECRET
from tests.redemption.ground import at_once, held

INSIDE = "Mozilla/5.0 (Linux; Android 12) AppleWebKit/537.36 Chrome/107.0 Mobile MicroMessenger/8.0.40 WeChat/arm64"
PHONE = "19900004321"
pytestmark = pytest.mark.django_db


def a_phone(inside: str = INSIDE) -> Client:
    return Client(headers={"User-Agent": inside, "X-Requested-With": "huigou"})


def sent_to_wechat(phone: Client, path: str = "/m/bind") -> dict[str, str]:
    """Open a page and follow our own redirects up to WeChat; return what WeChat is asked."""
    answer = phone.get(path)
    while answer.status_code == 302 and answer["Location"].startswith("/"):
        answer = phone.get(answer["Location"])
    assert answer.status_code == 302, answer.content.decode()
    address = urlsplit(answer["Location"])
    assert (address.netloc, address.path) == ("open.weixin.qq.com", "/connect/oauth2/authorize")
    return {name: values[0] for name, values in parse_qs(address.query).items()}


def back(phone: Client, asked: dict[str, str], code: str) -> Any:
    return phone.get(urlsplit(asked["redirect_uri"]).path, {"code": code, "state": asked["state"]})


def bind(phone: Client, number: str = PHONE, **more: str) -> Any:
    code = consumers.send_code(number, "bind")
    form = {"name": "王小明", "phone": number, "code": code, "consent": "1", **more}
    return phone.post("/m/bind", form)


# ---- without an app id


def test_without_an_app_id_a_page_inside_wechat_is_like_any_other(county, settings):
    settings.WECHAT_APP_ID = settings.WECHAT_APP_SECRET = ""
    phone = a_phone()
    page = phone.get("/m/bind")
    assert page.status_code == 200
    assert "weixin" not in page["Content-Security-Policy"]
    assert "wx-script" not in page.content.decode()
    assert bind(phone).status_code == 302
    assert phone.get("/m/wechat")["Location"] == "/m/"
    assert phone.get("/api/v1/wechat-config", {"url": "http://testserver/m/bind"}).status_code == 404
    assert (Session.objects.count(), Consumer.objects.get().openid) == (0, "")


def test_outside_wechat_nobody_is_sent_there(county, account):
    phone = a_phone("Mozilla/5.0 (iPhone)")
    page = phone.get("/m/bind")
    assert (page.status_code, sum(account.calls.values())) == (200, 0)
    assert "res.wx.qq.com" not in page["Content-Security-Policy"]


# ---- there and back


def test_the_openid_comes_without_a_question_and_is_bound_with_the_phone(county, account):
    phone = a_phone()
    asked = sent_to_wechat(phone, "/m/bind?next=/m/coupons")
    assert (asked["scope"], asked["appid"]) == ("snsapi_base", account.app_id)
    assert asked["redirect_uri"] == "http://testserver/m/wechat/back"
    returned = back(phone, asked, "base")
    assert returned["Location"] == "/m/bind?next=/m/coupons"
    page = phone.get(returned["Location"])
    assert "已通过微信进入" in page.content.decode()
    assert bind(phone, next="/m/coupons")["Location"] == "/m/coupons"
    assert Consumer.objects.get().openid == "o-wang"
    kept = Session.objects.get().get_decoded()
    assert "o-wang" not in repr(kept)


def test_a_phone_that_lost_its_cookie_is_known_again_by_its_wechat(county, account):
    first = a_phone()
    back(first, sent_to_wechat(first), "base")
    bind(first)
    again = a_phone()
    returned = back(again, sent_to_wechat(again, "/m/bind?next=/m/coupons"), "base-again")
    signed_in = again.get(returned["Location"])
    assert signed_in["Location"] == "/m/coupons"
    assert "王" in again.get("/m/coupons").content.decode()


def test_whoever_signs_out_is_not_signed_in_again_by_the_next_page(county, account):
    phone = a_phone()
    back(phone, sent_to_wechat(phone), "base")
    bind(phone)
    phone.post("/m/privacy", {"do": "leave"})
    assert phone.get("/m/bind").status_code == 200


def test_a_nickname_comes_only_after_a_tap_and_stands_in_the_bureaus_lists(county, account, bureau):
    phone = a_phone()
    back(phone, sent_to_wechat(phone), "base")
    bind(phone)
    assert "?name=1" in phone.get("/m/privacy").content.decode()
    asked = sent_to_wechat(phone, "/m/wechat?name=1&next=/m/privacy")
    assert asked["scope"] == "snsapi_userinfo"
    assert back(phone, asked, "named")["Location"] == "/m/privacy"
    assert Consumer.objects.get().wechat_name == "明远🍜?'\"<b>"
    desk = Client()
    desk.force_login(bureau)
    for path in ("/admin/coupons/consumer/", "/admin/coupons/coupon/"):
        held(county, Consumer.objects.get())
        assert "明远🍜?&#x27;&quot;&lt;b&gt;" in desk.get(path).content.decode(), path


def test_a_nickname_given_before_binding_is_bound_too(county, account):
    phone = a_phone()
    back(phone, sent_to_wechat(phone), "base")
    page = phone.get("/m/bind").content.decode()
    assert "/m/wechat?name=1&amp;next=%2Fm%2Fbind" in page
    back(phone, sent_to_wechat(phone, "/m/wechat?name=1&next=/m/bind"), "named")
    bind(phone)
    assert Consumer.objects.get().wechat_name == "明远🍜?'\"<b>"


def test_the_virtual_openid_of_a_snapshot_page_is_never_bound(county, account):
    phone = a_phone()
    answer = back(phone, sent_to_wechat(phone), "snap")
    assert answer.status_code == 403
    assert "使用完整服务" in answer.content.decode()
    bind(phone)
    assert Consumer.objects.get().openid == ""
    assert account.calls["/sns/userinfo"] == 0


def test_somebody_who_says_no_goes_on_by_phone(county, account):
    phone = a_phone()
    asked = sent_to_wechat(phone, "/m/wechat?name=1&next=/m/bind")
    answer = phone.get("/m/wechat/back", {"state": asked["state"]})
    assert answer["Location"] == "/m/bind"
    assert account.calls["/sns/oauth2/access_token"] == 0


# ---- the state


def test_a_state_serves_once_one_session_and_ten_minutes(county, account, at):
    phone = a_phone()
    asked = sent_to_wechat(phone)
    assert back(a_phone(), asked, "base").status_code == 400
    assert back(phone, {**asked, "state": "0" * 32}, "base").status_code == 400
    assert back(phone, asked, "base").status_code == 302
    used = back(phone, asked, "base-again")
    assert (used.status_code, "已失效" in used.content.decode()) == (400, True)
    other = a_phone()
    asked = sent_to_wechat(other)
    at(clock.now() + dt.timedelta(seconds=arriving.STATE_LIFE_S + 1))
    assert back(other, asked, "base-again").status_code == 400
    assert account.calls["/sns/oauth2/access_token"] == 1


@pytest.mark.django_db(transaction=True)
def test_of_ten_returns_with_one_state_at_once_one_is_let_through(county, account):
    phone = a_phone()
    asked = sent_to_wechat(phone)
    account.codes |= {f"c{n}": {"openid": f"o-{n}", "scope": "snsapi_base"} for n in range(10)}

    def return_with(code: str) -> None:
        twin = a_phone()
        twin.cookies = phone.cookies
        answers.append(back(twin, asked, code).status_code)

    answers: list[int] = []
    at_once([lambda n=n: return_with(f"c{n}") for n in range(10)])
    assert Counter(answers) == {302: 1, 400: 9}
    assert account.calls["/sns/oauth2/access_token"] == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_sessions_lock_the_same_ten_are_seen_to_race(county, account, monkeypatch):
    """The negative control: with the look before the lock, as a plain session would do it, more than one passes."""

    def unlocked(session: Any, state: str) -> tuple[str, bool]:
        mine = next((away for away in session.get(arriving.AWAY, []) if away[0] == state), None)
        if mine is None:
            raise arriving.WRONG_STATE()
        session[arriving.AWAY] = []
        return mine[1], mine[2]

    monkeypatch.setattr(arriving, "_take_state", unlocked)
    let_through = []
    phone = a_phone()
    asked = sent_to_wechat(phone)
    account.codes |= {f"c{n}": {"openid": f"o-{n}", "scope": "snsapi_base"} for n in range(10)}
    account.delay_s = 0.2

    def return_with(code: str) -> None:
        twin = a_phone()
        twin.cookies = phone.cookies
        let_through.append(back(twin, asked, code).status_code)

    at_once([lambda n=n: return_with(f"c{n}") for n in range(10)])
    assert let_through.count(302) > 1


# ---- WeChat's moods


def broken(account: FakeWeChat, settings: Any, mood: str) -> None:
    if mood == "slow":
        settings.WECHAT_TIMEOUT_S, account.delay_s = 0.3, 1.5
    elif mood == "gone":
        settings.WECHAT_API_BASE = "http://127.0.0.1:9"
    elif mood == "nonsense":
        account.instead.append((200, b"<html>"))
    else:
        account.errors.append(("/sns/oauth2/access_token", int(mood), "system busy, rid: 1-2-3"))


@pytest.mark.parametrize("mood", ["slow", "gone", "nonsense", "-1", "45011", "40029", "40163", "40164"])
def test_when_wechat_fails_the_page_goes_on_by_phone_and_does_not_ask_again(county, account, settings, mood):
    phone = a_phone()
    asked = sent_to_wechat(phone, "/m/bind?next=/m/coupons")
    broken(account, settings, mood)
    answer = back(phone, asked, "base")
    assert answer["Location"] == "/m/bind?next=/m/coupons"
    page = phone.get(answer["Location"])
    assert (page.status_code, "手机号" in page.content.decode()) == (200, True)
    assert bind(phone).status_code == 302
    assert Consumer.objects.get().openid == ""


def test_neither_secret_nor_code_nor_openid_is_logged_by_the_pages(county, account, settings, caplog):
    caplog.set_level(logging.DEBUG)
    phone = a_phone()
    asked = sent_to_wechat(phone)
    account.errors.append(("/sns/oauth2/access_token", 40029, f"invalid code base {SECRET}"))
    back(phone, asked, "base")
    other = a_phone()
    back(other, sent_to_wechat(other), "base-again")
    bind(other)
    said_in_all = "\n".join(record.getMessage() + repr(record.__dict__) for record in caplog.records)
    assert "wechat_bad_code errcode=40029" in said_in_all
    # Django's test client and its debug log of requests are not a server's log: what we and the libraries say is.
    ours = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith("django.db"))
    for private in (SECRET, "base-again", "o-wang"):
        assert private not in ours


# ---- the script inside WeChat


def test_a_signature_is_given_for_our_own_pages_from_one_kept_ticket(county, account):
    phone = a_phone()
    for _ in range(3):
        given = phone.get("/api/v1/wechat-config", {"url": "http://testserver/m/bind?next=/m/#top"})
    config = given.json()
    plain = f"jsapi_ticket=K-{account.token}&noncestr={config['nonceStr']}&timestamp={config['timestamp']}"
    plain += "&url=http://testserver/m/bind?next=/m/"
    assert config["signature"] == hashlib.sha1(plain.encode()).hexdigest()  # noqa: S324 (WeChat's algorithm)
    assert (config["appId"], "ticket" in config) == (account.app_id, False)
    assert account.calls == {"/cgi-bin/stable_token": 1, "/cgi-bin/ticket/getticket": 1}
    for foreign in ("https://elsewhere.invalid/m/bind", "http://testserver.elsewhere.invalid/", "", "/m/bind"):
        assert phone.get("/api/v1/wechat-config", {"url": foreign}).status_code == 400


def test_a_dead_token_is_replaced_and_a_used_up_quota_said_plainly(county, account):
    phone = a_phone()
    wechat.access_token()
    account.expire_token()
    assert phone.get("/api/v1/wechat-config", {"url": "http://testserver/m/place"}).status_code == 200
    account.expire_token()
    cache.clear()
    account.errors.append(("/cgi-bin/stable_token", 45009, "reach max api daily quota limit"))
    refused = phone.get("/api/v1/wechat-config", {"url": "http://testserver/m/place"})
    assert (refused.status_code, refused.json()["code"]) == (503, "wechat_busy")


def test_only_pages_that_need_it_inside_wechat_may_load_the_script(county, account, wang, li):
    phone = a_phone()
    phone.cookies[consumers.COOKIE], phone.cookies[binding.COOKIE] = consumers.cookie_of(wang), binding.cookie_of(li)
    allowed = {}
    back(phone, sent_to_wechat(phone, "/m/wechat"), "base")
    for path in ("/m/", "/m/bind", "/m/place", "/m/coupons", "/shop/scan", "/shop/redemptions", "/public/"):
        policy = phone.get(path)["Content-Security-Policy"]
        assert "unsafe" not in policy
        allowed[path] = "script-src 'self' https://res.wx.qq.com" in policy
    assert [path for path, yes in allowed.items() if yes] == ["/m/bind", "/m/place", "/shop/scan"]
    assert 'data-wx-script="https://res.wx.qq.com/open/js/jweixin-1.6.0.js"' in phone.get("/m/bind").content.decode()


def test_the_file_by_which_wechat_sees_that_the_address_is_ours(client, settings):
    settings.WECHAT_VERIFY = "AbC123"
    assert client.get("/MP_verify_AbC123.txt").content == b"AbC123"
    assert client.get("/MP_verify_other.txt").status_code == 404
    settings.WECHAT_VERIFY = ""
    assert client.get("/MP_verify_AbC123.txt").status_code == 404


# ---- clerks


@pytest.fixture
def once(county, shop, bureau) -> str:
    CommitmentLetter.objects.create(
        merchant=shop, sha256="0" * 64, signed_on=clock.now().date(), recorded_by=bureau, recorded_at=clock.now()
    )
    return binding.issue_code(shop.outlets.get(), bureau)


def test_a_clerk_is_bound_with_wechat_and_known_again_when_a_scan_opens_the_link(county, account, once, wang):
    phone = a_phone()
    asked = sent_to_wechat(phone, "/shop/bind")
    assert urlsplit(asked["redirect_uri"]).path == "/shop/wechat/back"
    back(phone, asked, "base")
    code = consumers.send_code(PHONE, "clerk")
    bound = phone.post("/shop/bind", {"once": once, "name": "李店员", "phone": PHONE, "code": code, "consent": "1"})
    assert bound.status_code == 302
    assert Clerk.objects.get().openid == "o-wang"
    # 扫一扫 opens the link in a browser without the cookie.
    link = f"/shop/c/{token_of(held(county, wang))}"
    again = a_phone()
    returned = back(again, sent_to_wechat(again, link), "base-again")
    assert returned["Location"] == link
    assert again.get(link)["Location"] == link
    assert "100" in again.get(link).content.decode()


def token_of(coupon: Any) -> str:
    return codes.show(coupon.pk, clock.now()).token


def test_a_stranger_who_scans_sees_where_the_coupon_serves(county, account, wang):
    link = f"/shop/c/{token_of(held(county, wang))}"
    phone = a_phone()
    back(phone, sent_to_wechat(phone, link), "base")
    assert phone.get(link).status_code == 200
    assert Clerk.objects.count() == 0
