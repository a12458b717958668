"""报名摇号 through its page and its API: registered once, not late, and drawn for everybody by whoever looks first."""

from __future__ import annotations

import datetime as dt

import pytest

from coupons import lifecycle
from coupons.models import Coupon, Draw, Registration
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/m/register/dining"


@pytest.fixture
def drawn_by_lots(at) -> factories.County:
    """Return a county whose first round of four cards is open for registration."""
    at("2022-06-25 08:30")
    made = factories.a_county({("dining", 100): 8}, draw_mode="lottery")
    lifecycle.deal(made.rounds[0].pk)
    at("2022-06-25 09:02")
    return made


def test_seven_register_and_four_are_drawn_once_the_time_is_over(drawn_by_lots, phone_of, at):
    people = [factories.a_consumer(f"报名{n}") for n in range(7)]
    phones = [phone_of(person) for person in people]
    assert phone_of().post(PAGE)["Location"] == f"/m/bind?next={PAGE}"
    for phone in phones[:4]:
        assert phone.post(PAGE)["Location"] == PAGE
        assert "已报名" in phone.get(PAGE).content.decode()
    for phone in phones[3:]:  # the fourth twice
        answer = phone.post("/api/v1/registrations", {"category": "dining"}, content_type="application/json")
        assert (answer.status_code, answer.json()["until_text"]) == (200, "6月25日09:10")
    assert (Registration.objects.count(), Draw.objects.count()) == (7, 0)
    at(drawn_by_lots.rounds[0].opens_at + dt.timedelta(minutes=10))
    late = phone_of(factories.a_consumer("迟到"))
    assert "截止" in late.post(PAGE).content.decode()
    refused = late.post("/api/v1/registrations", {"category": "dining"}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (409, "registration_over")
    pages = [phone.get(PAGE).content.decode() for phone in phones]
    assert sum("恭喜，摇中了" in page for page in pages) == 4 == Coupon.objects.count()
    assert sum("这次没有摇中" in page for page in pages) == 3
    won = {draw.consumer_id for draw in Draw.objects.filter(kind=Draw.Kind.DRAW)}
    assert won == {person.pk for person, page in zip(people, pages, strict=True) if "恭喜" in page}
    assert "本轮已摇号" in phone_of().get(PAGE).content.decode()


def test_the_wheels_address_leads_to_the_list(drawn_by_lots, phone_of):
    assert phone_of(factories.a_consumer()).get("/m/draw/dining")["Location"] == PAGE
