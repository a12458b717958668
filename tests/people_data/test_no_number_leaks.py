"""After a walk from the first page to the used coupon, a phone number stands sealed in Person, and nowhere else."""

from __future__ import annotations

import base64
import io
import json
import logging
import re

import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client

from coupons import outbox
from coupons.models import Person
from huigou import clock
from merchants import binding
from merchants.models import CommitmentLetter
from tests import factories
from tests.people_data.test_binding import solved

WANG, LI = "19900004321", "19900008765"
NAME = "欧阳明远"


@pytest.fixture
def logged():
    """Everything that anybody logs, at any level, as the handlers would write it."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    loggers = [root, *(logger for logger in map(logging.getLogger, root.manager.loggerDict) if not logger.propagate)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    # What the database driver logs of its own statements is no line of ours; a production server runs without it.
    logging.getLogger("django.db.backends").disabled = True
    yield text
    logging.getLogger("django.db.backends").disabled = False
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


def post(client: Client, path: str, body: dict[str, object]) -> dict:
    answer = client.post(path, json.dumps(body), "application/json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def code_for(client: Client, phone: str, purpose: str) -> str:
    return post(client, "/api/v1/sms-codes", {"phone": phone, "purpose": purpose, "altcha": solved(client)})[
        "demo_code"
    ]


def walk(county: factories.County, bureau) -> list[str]:
    """Bind, draw, show, bind a clerk, scan and enter, over HTTP; return the addresses that were asked for."""
    shop = factories.a_merchant(county, name="乾安火锅店")
    CommitmentLetter.objects.create(
        merchant=shop, sha256="0" * 64, signed_on=clock.now().date(), recorded_by=bureau, recorded_at=clock.now()
    )
    once = binding.issue_code(shop.outlets.get(), bureau)
    phone, counter = (Client(headers={"X-Requested-With": "huigou"}) for _ in range(2))
    pages = [phone.get("/m/bind")]
    form = {"name": NAME, "phone": WANG, "code": "000000", "consent": "1"}
    code = code_for(phone, WANG, "consumer")
    pages.append(phone.post("/m/bind", {**form, "code": f"{(int(code) + 1) % 10**6:06d}"}))  # a wrong one first
    pages.append(phone.post("/m/bind", {**form, "code": code}))
    won = post(phone, "/api/v1/draws", {"category": "dining", "turn": 1})
    pages += [phone.get(path) for path in ("/m/", "/m/coupons", "/m/merchants", f"/m/coupons/{won['coupon_id']}")]
    live = phone.get(f"/api/v1/coupons/{won['coupon_id']}/live").json()
    clerk = {"once": once, "name": "李店员", "phone": LI, "code": code_for(counter, LI, "clerk"), "consent": "1"}
    pages.append(counter.post("/shop/bind", clerk))
    pages.append(counter.get("/shop/redemptions"))
    assert live
    assert all(page.status_code < 500 for page in pages)
    return [page.request["PATH_INFO"] + "?" + page.request.get("QUERY_STRING", "") for page in pages]


def forms_of(number: str) -> list[bytes]:
    """Return how a number may hide: plain, grouped, in base64 at any offset, in hex."""
    plain = number.encode()
    hidden = [base64.b64encode(b"x" * shift + plain)[4 * (shift > 0) : -4] for shift in range(3)]
    return [plain, f"{number[:3]} {number[3:7]} {number[7:]}".encode(), plain.hex().encode(), *hidden]


def in_redis() -> bytes:
    """Return every key and value of every database of the Redis that is cache, queue and waiting room."""
    found = []
    base = redis.Redis.from_url(settings.REDIS_URL)
    for number in {int(name[2:]) for name in base.info("keyspace")} | {0}:
        url = re.sub(r"([?&])db=\d+", "", settings.REDIS_URL)
        server = redis.Redis.from_url(url, db=number)
        readers = {
            b"string": server.get,
            b"list": lambda key, s=server: s.lrange(key, 0, -1),
            b"set": server.smembers,
            b"zset": lambda key, s=server: s.zrange(key, 0, -1, withscores=True),
            b"hash": server.hgetall,
        }
        for key in server.scan_iter(count=1000):
            found.append(key + repr(readers[server.type(key)](key)).encode())
    return b"\n".join(found)


def in_database() -> dict[str, bytes]:
    """Return every row of every table as text; bytes stand in it as hex."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = {}
        for table in tables:
            cursor.execute(f'SELECT string_agg(t::text, chr(10)) FROM "{table}" t')  # noqa: S608 (names from the catalogue)
            found[table] = (cursor.fetchone()[0] or "").encode()
    return found


def from_hex(text: bytes) -> bytes:
    """Return the bytes that hex columns hold, so that base64 inside them is seen too."""
    return b"\n".join(bytes.fromhex(part.decode()) for part in re.findall(rb"\\x((?:[0-9a-f]{2})+)", text))


@pytest.mark.django_db(transaction=True)
def test_no_number_in_any_log_queue_cache_address_or_other_table(county, bureau, logged, capfd):
    addresses = walk(county, bureau)
    assert Person.objects.filter(phone_last4__in=["4321", "8765"]).count() == 2
    for message_id in outbox.due():
        outbox.send(message_id)
    written = capfd.readouterr()
    places = {
        "log": logged.getvalue().encode(),
        "console": (written.out + written.err).encode(),
        "addresses": "\n".join(addresses).encode(),
        "redis": in_redis(),
    }
    for table, rows in in_database().items():
        places[table] = rows + from_hex(rows)
    assert len(places["coupons_person"]) > 100
    for number in (WANG, LI):
        for form in forms_of(number):
            assert [place for place, text in places.items() if form in text] == []
    assert [place for place, text in places.items() if NAME.encode() in text] == []


@pytest.mark.django_db(transaction=True)
def test_the_search_sees_a_number_that_leaked(county, logged):
    """Negative control: the same looks find a number that somebody logged, cached or kept."""
    logging.getLogger("anybody").debug("sent to %s", WANG)
    cache.set("sms:" + WANG, "1", 30)
    factories.a_merchant(county, name="某店", phone=WANG)
    plain = WANG.encode()
    assert plain in logged.getvalue().encode()
    assert plain in in_redis()
    assert plain in in_database()["merchants_merchant"]
    assert forms_of(WANG)[2] in base64.b16encode(plain).lower()
    assert forms_of(WANG)[3] in base64.b64encode(plain)
