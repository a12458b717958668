"""Which exports tell of persons is declared with their columns, and nothing personal stands in the others."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q

from coupons.models import Consumer, Person
from huigou import clock
from merchants.models import Clerk
from reports import exports
from tests import factories
from tests.office.furnished import furnish


def values_in(kind: str) -> set[str]:
    """Return every value that a masked workbook of a list would hold."""
    listing = exports.LISTS[kind].open({}, clock.now())
    rows = [row for chunk in listing.chunks() for row in chunk]
    return {str(column.value(row)) for row in rows for column in listing.columns_on("workbook")}


def test_a_list_that_shows_a_trace_of_somebody_says_so(at, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    at(factories.FIRST_OPENING + dt.timedelta(minutes=5))
    furnish(tmp_path)
    # What a shredding takes away, each of it told from anything else.
    for number, one in enumerate(Person.objects.order_by("pk")):
        Person.objects.filter(pk=one.pk).update(phone_last4=f"{7300 + number}")
        for rows in (Consumer.objects, Clerk.objects):
            rows.filter(person=one).update(wechat_name=f"昵称{number}")
    traces = {f"****{person.phone_last4}" for person in Person.objects.filter(~Q(phone_last4=""))}
    traces |= {one.wechat_name for rows in (Consumer.objects, Clerk.objects) for one in rows.all()}
    told = {kind for kind in exports.LISTS if any(t in value for t in traces for value in values_in(kind))}
    declared = {kind for kind, listing in exports.LISTS.items() if listing.holds_people()}
    assert told == declared
    assert {"uses", "coupons", "consumers", "clerks", "assists", "complaints", "reveals", "attempts"} == declared
