"""个人信息: seen, corrected, copied, withdrawn, deleted; destroyed when its time is over, with the books as before."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import connection
from django.test import Client

from coupons import consumers, outbox
from coupons.models import Consumer, OutboxMessage, Person, SmsCode
from huigou import clock
from huigou.celery import app
from huigou.fields import keyed_hash
from merchants import binding
from merchants.models import Clerk
from reports.reconcile import check
from tests import factories
from tests.books.walk import audited, closed, paid, to_the_end
from tests.redemption.ground import held, outcome

PHONE = "19900004321"
pytestmark = pytest.mark.django_db


@pytest.fixture
def wang(county) -> Consumer:
    return factories.a_consumer("王小明", PHONE, openid="o-wang", wechat_name="明远")


@pytest.fixture
def phone(wang) -> Client:
    client = Client()
    client.cookies[consumers.COOKIE] = consumers.cookie_of(wang)
    return client


def do(phone: Client, deed: str, **more: str):
    return phone.post("/m/privacy", {"do": deed, **more})


def test_what_is_kept_is_shown_masked_and_explained_to_everybody(phone):
    page = phone.get("/m/privacy").content.decode()
    assert ("王**" in page, "199****4321" in page, PHONE in page) == (True, True, False)
    stranger = Client().get("/m/privacy").content.decode()
    assert "个人信息说明" in stranger
    assert "王**" not in stranger


def test_a_name_is_corrected_and_a_wrong_one_refused(phone, wang):
    assert do(phone, "correct", name="王晓明").status_code == 302
    assert Person.objects.get().name == "王晓明"
    assert bytes(Person.objects.get().name_key) == keyed_hash("name", "王晓明")
    assert do(phone, "correct", name="王1").status_code == 400
    assert Person.objects.get().name == "王晓明"


def test_a_person_gets_their_own_copy_and_nobody_elses(phone, county, wang):
    held(county, wang)
    answer = do(phone, "copy")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    mine = json.loads(answer.content)
    assert (mine["姓名"], mine["手机号"], mine["微信名"]) == ("王小明", PHONE, "明远")
    assert [(each["品类"], each["面额（分）"], each["状态"]) for each in mine["消费券"]] == [("餐饮", 10_000, "未使用")]
    assert do(Client(), "copy").status_code == 401


def test_withdrawing_unbinds_and_forgets_the_wechat_account(phone, wang):
    answer = do(phone, "withdraw")
    assert answer.cookies[consumers.COOKIE].value == ""
    wang.refresh_from_db()
    assert (wang.unbound_at, wang.openid, wang.wechat_name) == (clock.now(), "", "")
    assert phone.get("/m/coupons").status_code == 302


def test_deleting_waits_for_live_coupons_then_leaves_nothing(phone, county, wang, at):
    coupon = held(county, wang)
    refused = do(phone, "delete")
    assert (refused.status_code, "1 张未用完" in refused.content.decode()) == (409, True)
    factories.used(coupon, factories.a_clerk(factories.a_merchant(county)))
    assert do(phone, "delete").status_code == 302
    person, consumer = Person.objects.get(pk=wang.person_id), Consumer.objects.get(pk=wang.pk)
    assert (person.name, person.phone, person.name_key, person.phone_last4) == (None, None, None, "")
    assert (consumer.openid, consumer.wechat_name, consumer.device_key) == ("", "", None)


def test_a_clerk_stays_somebody_until_unbound(county, wang, shop):
    clerk = factories.a_clerk(shop)
    Clerk.objects.filter(pk=clerk.pk).update(person=wang.person)
    assert outcome(lambda: consumers.delete(wang)) == "still_clerk"
    binding.unbind(clerk.pk)
    assert outcome(lambda: consumers.delete(wang)) == "ok"


# ---- the end of the time


def everything_about_people() -> str:
    """Return the rows that hold, or held, something about people as the database keeps them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT string_agg(p::text, '') FROM coupons_person p)"
            " || (SELECT string_agg(c::text, '') FROM coupons_consumer c)"
            " || (SELECT string_agg(k::text, '') FROM merchants_clerk k)"
        )
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_after_the_date_people_are_shredded_and_the_books_prove_as_before(county, wang, li, at):
    factories.used(factories.drawn(county, wang), li)
    Clerk.objects.filter(pk=li.pk).update(openid="o-li", wechat_name="李掌柜")
    consumers.send_code("19900004399", "bind")
    OutboxMessage.objects.update(state=OutboxMessage.State.WAITING)
    to_the_end(county, at)
    campaign = closed(paid(audited(county.campaign), at).campaign)
    before = check(campaign)
    assert before.findings == []
    last_day = campaign.closed_at + dt.timedelta(days=campaign.retain_days)
    at(last_day - dt.timedelta(seconds=1))
    assert consumers.shred_due() == 0
    assert Person.objects.get(pk=wang.person_id).phone == PHONE
    at(last_day)
    people = Person.objects.count()
    assert (consumers.shred_due(), consumers.shred_due()) == (people, 0)
    assert (binding.forget_shredded(), binding.forget_shredded()) == (1, 0)
    assert Person.objects.filter(shredded_at=None).count() == 0
    assert SmsCode.objects.count() == 0
    assert OutboxMessage.objects.exclude(sealed_to=None).count() == 0
    rows = everything_about_people()
    assert [word for word in ("o-wang", "明远", "o-li", "李掌柜", "4321") if word in rows] == []
    after = check(campaign)
    assert (after.findings, after.sums, after.transfers) == ([], before.sums, before.transfers)


@pytest.mark.django_db(transaction=True)
def test_nobody_is_shredded_while_another_campaign_is_open_or_young(county, wang, at):
    to_the_end(county, at)
    campaign = closed(paid(audited(county.campaign), at).campaign)
    at(campaign.closed_at + dt.timedelta(days=campaign.retain_days + 1))
    second = factories.a_county(opens_at=clock.now() + dt.timedelta(days=2))
    assert consumers.shred_due() == 0
    to_the_end(second, at)
    assert consumers.shred_due() == 0
    later = closed(paid(audited(second.campaign), at).campaign)
    at(later.closed_at + dt.timedelta(days=later.retain_days))
    assert consumers.shred_due() == 1


@pytest.mark.django_db(transaction=True)
def test_whoever_binds_again_after_the_shredding_is_a_person_again(county, wang, at):
    to_the_end(county, at)
    campaign = closed(paid(audited(county.campaign), at).campaign)
    at(campaign.closed_at + dt.timedelta(days=campaign.retain_days))
    consumers.shred_due()
    code = consumers.send_code(PHONE, "bind")
    again = consumers.bind(consumers.Binding("王小明", PHONE, code, consent=True))
    assert (again.person_id, again.pk == wang.pk, again.person.phone) == (wang.person_id, False, PHONE)


def test_the_timetable_shreds_every_night():
    nightly = {entry["task"] for entry in app.conf.beat_schedule.values()}
    wanted = {"coupons.shred", "merchants.forget_shredded", "reports.forget_shredded"}
    wanted |= {"coupons.queue_news", "merchants.queue_news"}
    assert wanted <= nightly
    app.loader.import_default_modules()
    assert wanted <= set(app.tasks)


def test_a_message_that_could_not_be_sent_keeps_no_number(county):
    message = outbox.put_sms_code(PHONE, "123456", clock.now())
    OutboxMessage.objects.filter(pk=message.pk).update(created_at=clock.now() - dt.timedelta(days=31))
    consumers.shred_due()
    message.refresh_from_db()
    assert (message.state, message.sealed_to, message.sealed_body) == ("failed", None, None)
