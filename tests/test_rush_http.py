"""9:00 over HTTP, against a real web process: exactly the stock, one win per person, no 5xx."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from coupons import consumers
from coupons.models import Consumer, Coupon, Deck, Draw
from huigou import clock
from tests.factories import County, a_consumer, a_county, some_consumers
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)
CLIENTS = 32
COUNTY_STOCK = {
    ("dining", 100): 150,
    ("fuel", 50): 300,
    ("fuel", 200): 40,
    ("lodging", 100): 200,
    ("book", 20): 120,
    ("farm", 20): 180,
    ("farm", 50): 70,
}


@pytest.fixture
def open_county() -> County:
    """A county whose only round is open by the real clock, so that it releases all of its stock."""
    return a_county(COUNTY_STOCK, rounds=1, opens_at=clock.now() - dt.timedelta(hours=1))


class Phone:
    """One kept connection, many people's cookies: what a load looks like from one thread."""

    def __init__(self, site: Site) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=60)

    def turn(self, consumer: Consumer, category: str) -> tuple[int, dict]:
        headers = {
            "Idempotency-Key": str(uuid.uuid4()),
            "X-Requested-With": "huigou",
            "Cookie": f"{consumers.COOKIE}={consumers.cookie_of(consumer)}",
        }
        self.connection.request("POST", f"/api/v1/draws?category={category}&turn=1", headers=headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())


def at_once(site: Site, jobs: list[tuple[Consumer, str]]) -> list[tuple[int, dict]]:
    """Send all jobs from CLIENTS connections; results in no particular order."""

    def some(part: list[tuple[Consumer, str]]) -> list[tuple[int, dict]]:
        phone = Phone(site)
        try:
            return [phone.turn(consumer, category) for consumer, category in part]
        finally:
            phone.connection.close()

    parts = [jobs[i::CLIENTS] for i in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        return [result for results in pool.map(some, parts) for result in results]


def test_two_hundred_draws_of_one_person_are_one_coupon(open_county: County, fresh_site: Site) -> None:
    wang = a_consumer()
    results = at_once(fresh_site, [(wang, "dining")] * 200)
    assert {status for status, _ in results} == {200}
    assert len({(answer["coupon_id"], answer["ticket"], answer["entry"]) for _, answer in results}) == 1
    assert Coupon.objects.count() == Draw.objects.count() == 1


def test_three_thousand_people_in_all_categories_get_exactly_the_stock(open_county: County, fresh_site: Site) -> None:
    people = some_consumers(3_000)
    categories = list(open_county.categories)
    # Each person wants one category first and, when it is out, has no second wish: 600 for each deck.
    jobs = [(person, categories[i % len(categories)]) for i, person in enumerate(people)]
    results = at_once(fresh_site, jobs)

    statuses = Counter(status for status, _ in results)
    assert set(statuses) == {200, 409}
    assert {answer["code"] for status, answer in results if status == 409} == {"sold_out"}
    assert statuses[200] == sum(min(600, deck.size) for deck in Deck.objects.all())
    issued = Counter(Coupon.objects.values_list("batch__category__code", "face_fen"))
    assert issued == Counter({(code, face * 100): count for (code, face), count in COUNTY_STOCK.items()})
    assert all(deck.next_ticket == deck.size for deck in Deck.objects.all())
