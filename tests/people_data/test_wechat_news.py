"""What people are told in WeChat by the templates of the account: once each, never half, never without a way."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from coupons import consumers, news, outbox
from coupons.models import Consumer, OutboxMessage
from huigou import clock, wechat
from huigou.settings import subscribe_template
from merchants import news as news_of_uses
from tests import factories
from tests.leafs.loopback import FakeWeChat
from tests.redemption.ground import held

pytestmark = pytest.mark.django_db


@pytest.fixture
def templates(settings: Any, account: FakeWeChat) -> None:
    settings.SITE_URL = "https://hg.invalid"
    settings.WECHAT_TEMPLATES = {
        "won": ("tpl-won", {"thing1": "what", "thing2": "until", "time3": "until_time"}),
        "expiring": ("tpl-end", {"thing1": "what", "thing2": "until"}),
        "used": ("tpl-used", {"thing1": "what", "thing2": "where", "time3": "when_time", "amount4": "amount"}),
    }


@pytest.fixture
def listener(wang: Consumer) -> Consumer:
    consumers.attach_wechat(wang, "o-wang", "明远")
    return wang


def send_all() -> int:
    return sum(outbox.send(message_id) for message_id in outbox.due())


def test_won_ends_tomorrow_and_used_are_told_once_each(county, account, templates, listener, li, at):
    coupon = held(county, listener)
    assert (news.queue(), news.queue()) == (1, 0)
    assert (send_all(), send_all()) == (1, 0)
    at("2022-06-28 08:59")
    assert news.queue() == 0  # nobody is woken
    at("2022-06-28 09:00")
    assert (news.queue(), news.queue()) == (1, 0)
    assert news_of_uses.queue() == 0
    factories.used(coupon, li, 31_800)
    assert (news_of_uses.queue(), news_of_uses.queue()) == (1, 0)
    assert send_all() == 2
    assert account.sent == [
        {
            "touser": "o-wang",
            "template_id": template,
            "page": "https://hg.invalid/m/coupons",
            "data": {name: {"value": value} for name, value in data.items()},
        }
        for template, data in (
            ("tpl-won", {"thing1": "餐饮消费券 100 元", "thing2": "6月29日24:00到期", "time3": "2022年6月29日 23:59"}),
            ("tpl-end", {"thing1": "餐饮消费券 100 元", "thing2": "6月29日24:00到期"}),
            (
                "tpl-used",
                {
                    "thing1": "餐饮消费券 100 元",
                    "thing2": "乾安火锅店",
                    "time3": "2022年6月28日 09:00",
                    "amount4": "318.00元",
                },
            ),
        )
    ]
    assert not OutboxMessage.objects.exclude(sealed_body=None).exists()


def test_nobody_is_told_without_wechat_a_template_or_a_subscription(county, account, templates, listener, settings):
    held(county, listener)
    full = settings.WECHAT_TEMPLATES
    settings.WECHAT_TEMPLATES = {}
    assert news.queue() == 0
    settings.WECHAT_TEMPLATES = full
    account.subscribers.clear()
    assert (news.queue(), send_all()) == (1, 0)
    row = OutboxMessage.objects.get()
    assert (row.state, row.error, row.tries) == ("failed", "wechat_unsubscribed", 1)
    assert (news.queue(), send_all(), account.sent) == (0, 0, [])


def test_a_dead_token_or_a_rate_limit_delays_a_message_and_loses_none(county, account, templates, listener, at):
    held(county, listener)
    wechat.access_token()
    account.expire_token()
    account.errors.append(("/cgi-bin/message/subscribe/bizsend", 45011, "api minute-quota reach limit"))
    news.queue()
    assert send_all() == 0
    row = OutboxMessage.objects.get()
    assert (row.state, row.error) == ("waiting", "wechat_busy")
    at(row.next_try_at)
    assert (send_all(), len(account.sent)) == (1, 1)


def test_a_message_cut_off_in_the_middle_is_not_sent_twice(county, account, templates, listener, settings):
    held(county, listener)
    wechat.access_token()
    settings.WECHAT_TIMEOUT_S, account.delay_s = 0.3, 1.0
    news.queue()
    assert send_all() == 0
    assert (OutboxMessage.objects.get().state, len(account.sent)) == ("failed", 1)


def test_somebody_who_bound_again_hears_of_the_coupon_of_before(county, account, templates, listener):
    held(county, listener)
    consumers.unbind(listener)
    assert news.queue() == 0
    again = factories.Consumer.objects.create(
        person=listener.person, phone_key=listener.phone_key, openid="o-wang",
        consented_at=clock.now(), consent_version="1", bound_at=clock.now(),
    )  # fmt: skip
    assert news.queue() == 1
    assert OutboxMessage.objects.get().consumer == again


def test_one_sweep_is_three_queries_however_many_were_won(county, account, templates, django_assert_num_queries):
    people = [factories.a_consumer(openid=f"o-{n}") for n in range(9)]
    for person in people:
        held(county, person)
    assert news.queue() == 9
    with django_assert_num_queries(3):
        assert news.queue() == 0


def test_a_template_names_its_fields(monkeypatch):
    monkeypatch.setenv("WECHAT_TEMPLATE_USED", "T9 thing7=where amount2=amount")
    assert subscribe_template("used") == ("T9", {"thing7": "where", "amount2": "amount"})
    monkeypatch.setenv("WECHAT_TEMPLATE_USED", "T9 where")
    with pytest.raises(ImproperlyConfigured, match="field=word"):
        subscribe_template("used")
