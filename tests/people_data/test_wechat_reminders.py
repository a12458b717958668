"""提醒我: one message for one yes, asked by WeChat, answered in the same session, sent by the outbox, used up."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client

from coupons import consumers, news, outbox
from coupons.models import Consumer, OutboxMessage, Subscription
from huigou import clock
from merchants import news as news_of_uses
from tests import factories
from tests.people_data.test_wechat_news import send_all
from tests.people_data.test_wechat_pages import INSIDE, a_phone
from tests.redemption.ground import held

pytestmark = pytest.mark.django_db
TEMPLATE = "tpl-once"
ALL = ["won", "expiring", "used"]


@pytest.fixture
def phone(county, account, wang, settings) -> Client:
    settings.WECHAT_ONCE_TEMPLATE, settings.SITE_URL = TEMPLATE, ""
    consumers.attach_wechat(wang, "o-wang")
    return of(wang)


def of(consumer: Consumer) -> Client:
    client = a_phone()
    client.cookies[consumers.COOKIE] = consumers.cookie_of(consumer)
    return client


def asked(phone: Client, kind: str) -> str:
    """Tap 提醒我 and return the address at WeChat."""
    return phone.get(f"/m/wechat/subscribe/{kind}?next=/m/coupons")["Location"]


def answer_of(address: str) -> str:
    """Let WeChat ask the person; return our path that it sends the answer to."""
    back = urlsplit(requests.get(address, allow_redirects=False, timeout=5).headers["Location"])
    return f"{back.path}?{back.query}"


def say_yes(phone: Client, kind: str) -> None:
    assert phone.get(answer_of(asked(phone, kind)))["Location"] == "/m/coupons"


def test_the_page_offers_each_kind_once_and_says_what_is_on(phone):
    page = phone.get("/m/coupons").content.decode()
    assert [kind for kind in ALL if f"/m/wechat/subscribe/{kind}?next=%2Fm%2Fcoupons" in page] == ALL
    query = parse_qs(urlsplit(asked(phone, "won")).query)
    assert (query["action"], query["scene"], query["template_id"]) == (["get_confirm"], ["1"], [TEMPLATE])
    assert query["redirect_url"] == ["http://testserver/m/wechat/subscribed"]
    say_yes(phone, "won")
    say_yes(phone, "won")
    assert outbox.allowed(Consumer.objects.get()) == {"won"}
    page = phone.get("/m/coupons").content.decode()
    assert ("已开启" in page, "/m/wechat/subscribe/won" in page, "/m/wechat/subscribe/used" in page) == (
        True,
        False,
        True,
    )
    assert [each["类别"] for each in consumers.copy_of(Consumer.objects.get())["微信提醒"]] == ["中奖"]


def test_nothing_of_it_shows_outside_wechat_without_a_template_or_an_app_id(phone, settings):
    settings.WECHAT_ONCE_TEMPLATE = ""
    assert "提醒我" not in phone.get("/m/coupons").content.decode()
    assert asked(phone, "won") == "/m/coupons"
    settings.WECHAT_ONCE_TEMPLATE = TEMPLATE
    plain = Client(headers={"User-Agent": INSIDE.replace("MicroMessenger", "Safari")})
    plain.cookies = phone.cookies
    assert "提醒我" not in plain.get("/m/coupons").content.decode()
    settings.WECHAT_APP_ID = settings.WECHAT_APP_SECRET = ""
    assert "提醒我" not in phone.get("/m/coupons").content.decode()
    assert asked(phone, "won") == "/m/coupons"
    assert not outbox.can_tell("won")


def test_an_answer_counts_once_in_its_own_session_for_its_own_account_and_question(phone, account, wang):
    answer = answer_of(asked(phone, "won"))
    assert of(wang).get(answer).status_code == 400  # another session of the same person
    for right, wrong in (("o-wang", "o-zhao"), (TEMPLATE, "tpl"), ("scene=1", "scene=2")):
        assert phone.get(answer.replace(right, wrong)).status_code == 400
        assert phone.get(answer).status_code == 400  # used up by the try
        answer = answer_of(asked(phone, "won"))
    assert phone.get("/m/wechat/back", {"state": answer.rpartition("reserved=")[2], "code": "base"}).status_code == 400
    assert not Subscription.objects.exists()
    account.agrees = False
    assert phone.get(answer_of(asked(phone, "won")))["Location"] == "/m/coupons"
    assert not Subscription.objects.exists()


def test_one_yes_is_one_message_and_without_one_nobody_is_written_to(phone, account, county, wang, li, at):
    first = held(county, wang)
    assert news.queue() == 0
    for kind in ALL:
        say_yes(phone, kind)
    assert (news.queue(), news.queue(), send_all(), send_all()) == (1, 0, 1, 0)
    at("2022-06-28 09:00")
    assert (news.queue(), news.queue()) == (1, 0)
    factories.used(first, li, 31_800)
    assert (news_of_uses.queue(), send_all()) == (1, 2)
    assert [(each["scene"], each["title"], each["data"]["content"]["value"]) for each in account.sent_once] == [
        ("1", "消费券中奖", "餐饮消费券 100 元，满 300 元可用，6月29日24:00到期"),
        ("2", "消费券即将到期", "餐饮消费券 100 元，满 300 元可用，6月29日24:00到期"),
        ("3", "消费券已使用", "餐饮消费券 100 元，乾安火锅店，2022年6月28日 09:00，318.00元"),
    ]
    assert {each["touser"] for each in account.sent_once} == {"o-wang"}
    assert (account.sent, outbox.allowed(wang), +account.agreed) == ([], set(), {})
    at("2022-06-28 10:00")
    held(county, wang)
    assert (news.queue(), OutboxMessage.objects.count()) == (0, 3)  # every yes is used up


def test_what_was_allowed_here_goes_that_way_and_the_rest_by_template(phone, account, county, wang, settings):
    settings.WECHAT_TEMPLATES = {"won": ("tpl-won", {"thing1": "what"})}
    say_yes(phone, "won")
    held(county, wang)
    assert (news.queue(), send_all(), len(account.sent_once), len(account.sent)) == (1, 1, 1, 0)
    other = factories.a_consumer("赵生", openid="o-zhao")
    account.subscribers.add("o-zhao")
    held(county, other)
    assert (news.queue(), send_all(), len(account.sent_once), len(account.sent)) == (1, 1, 1, 1)


def test_a_yes_taken_back_at_wechat_fails_plainly_and_is_not_asked_again(phone, account, county, wang):
    say_yes(phone, "won")
    account.agreed.clear()
    held(county, wang)
    assert (news.queue(), send_all(), account.sent_once) == (1, 0, [])
    row = OutboxMessage.objects.get()
    assert (row.state, row.error, row.sealed_body) == ("failed", "wechat_unsubscribed", None)
    assert Subscription.objects.get().agreed_at <= clock.now()
