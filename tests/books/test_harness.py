"""The tests' own ground: the web's rights, the clock, and a transaction of the draw's writer."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction

from coupons.models import Coupon
from huigou import clock, rights
from tests import factories


@pytest.mark.django_db
def test_a_test_runs_with_the_webs_rights():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (rights.web_role(),)


@pytest.mark.django_db
def test_the_web_cannot_shift_the_clock():
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        clock.shift(offset=dt.timedelta(days=1), using="default")


@pytest.mark.django_db
def test_the_clock_stands_where_the_test_puts_it(at):
    at("2022-06-25 08:59:59")
    assert clock.now().isoformat() == "2022-06-25T08:59:59+08:00"
    at("2022-06-25 09:00")
    assert clock.now().isoformat() == "2022-06-25T09:00:00+08:00"


@pytest.mark.django_db(transaction=True)
def test_wang_draws_and_li_takes_the_coupon(county, wang, li):
    coupon = factories.drawn(county, wang)
    factories.used(coupon, li)
    coupon.refresh_from_db()
    assert coupon.state == Coupon.State.USED


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_of_the_test_before():
    assert Coupon.objects.count() == 0
