"""The people of the back office, logged in, and what several of its tests stand on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from coupons import assisting
from coupons.models import Station
from huigou.models import Department, Staff
from tests import factories


@pytest.fixture
def desk_of(db: None) -> Callable[[Staff | str], Client]:
    """Return the browser of somebody of a department, logged in at the back office."""

    def desk(who: Staff | str) -> Client:
        client = Client()
        staff = who if isinstance(who, Staff) else factories.a_staff(who)
        client.force_login(staff, "django.contrib.auth.backends.ModelBackend")
        return client

    return desk


@pytest.fixture
def villager(db: None) -> Staff:
    """The clerk of the village station 让字村."""
    staff = factories.a_staff(Department.STATION)
    assisting.assign(Station.objects.create(name="让字村服务站", address="让字村村部"), staff)
    return staff
