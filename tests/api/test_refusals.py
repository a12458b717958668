"""Whatever is sent to the interface, it answers in one shape: a code, a Chinese sentence, the next step, the status."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from django.urls import get_resolver

from coupons import consumers, rush
from merchants import binding
from tests.ahead import asked

OWN = {"X-Requested-With": "huigou"}
JSON = "application/json"


def addresses() -> dict[str, object]:
    """Return {address: view} of everything under /api/v1/, with 1 for numbers."""
    found = {}

    def walk(patterns, prefix=""):
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                walk(pattern.url_patterns, route)
            elif route.startswith("api/v1/"):
                found["/" + re.sub(r"<int:\w+>", "1", route)] = pattern.callback.view_class

    walk(get_resolver().url_patterns)
    return found


WRITES = sorted(path for path, view in addresses().items() if hasattr(view, "post"))
READS = sorted(path for path, view in addresses().items() if hasattr(view, "get"))
WITH_JSON = [path for path in WRITES if not path.endswith(("/photo", "/recall"))]


def is_refusal(answer, status: int, code: str) -> dict:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, JSON)
    body = answer.json()
    assert set(body) >= {"code", "message", "next"}
    assert body["code"] == code
    # Nothing English but what the asker sent.
    assert re.search("[一-鿿]", body["message"])
    assert re.search("[一-鿿]", body["next"])
    assert not re.search("(?i)error|invalid|required|expecting|this field|must be", body["message"])
    return body


@pytest.fixture
def phone(wang, li) -> Client:
    """A phone on which 王 is bound as consumer and 李 as clerk, with our page's header."""
    client = Client(headers=OWN)
    client.cookies[consumers.COOKIE] = consumers.cookie_of(wang)
    client.cookies[binding.COOKIE] = binding.cookie_of(li)
    return client


def test_every_address_is_of_the_first_version_and_described():
    assert WRITES
    assert len(addresses()) >= 12


@pytest.mark.parametrize("path", WRITES)
def test_a_write_from_elsewhere_is_refused(phone, path):
    plain = Client()
    plain.cookies = phone.cookies
    is_refusal(plain.post(path, "{}", JSON), 403, "forbidden")
    is_refusal(plain.post(path, "{}", JSON, headers={"X-Requested-With": "XMLHttpRequest"}), 403, "forbidden")
    is_refusal(phone.post(path, "{}", JSON, headers={"Origin": "https://elsewhere.example"}), 403, "forbidden")


@pytest.mark.parametrize("path", sorted(addresses()))
@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_an_unknown_method_is_refused(phone, path, method):
    is_refusal(phone.generic(method.upper(), path), 405, "wrong_method")


@pytest.mark.parametrize("path", WITH_JSON)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 900, b"[" * 15_000, b'{"a":NaN}', b"null", b"[]", b'"x"', b"7"]
)
def test_what_is_no_json_object_is_refused(phone, path, body):
    answer = phone.generic("POST", path, body, JSON)
    assert answer.json()["code"] in ("not_json", "bad_input")
    is_refusal(answer, 400, answer.json()["code"])


@pytest.mark.parametrize("path", WITH_JSON)
def test_wrong_types_are_refused(phone, path):
    names = ("category", "turn", "key", "phone", "purpose", "altcha", "token", "amount", "kind")
    is_refusal(phone.post(path, json.dumps({name: {"deep": [1]} for name in names}), JSON), 400, "bad_input")
    for value in ("\x00", "\ud800", "😀" * 5, -1, 10**30, True, None, ""):
        answer = phone.post(path, json.dumps(dict.fromkeys(names, value)), JSON)
        assert 400 <= answer.status_code < 500
        is_refusal(answer, answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("path", WRITES)
def test_a_huge_body_is_refused_by_its_length(phone, path):
    answer = phone.generic("POST", path, b"x" * 20, JSON, CONTENT_LENGTH="999999999")
    is_refusal(answer, 413, "too_large")


@pytest.mark.parametrize("path", [path for path in WITH_JSON if path != rush.PATH])
def test_another_type_than_json_is_refused(phone, path):
    is_refusal(phone.post(path, "<a/>", "text/xml"), 415, "wrong_type")
    is_refusal(phone.post(path, {"category": "dining"}), 415, "wrong_type")


def test_a_photo_comes_as_a_form_and_nothing_else(phone):
    is_refusal(phone.post("/api/v1/scans/photo", "{}", JSON), 415, "wrong_type")
    is_refusal(phone.post("/api/v1/scans/photo", {"other": "1"}), 400, "bad_input")
    is_refusal(phone.post("/api/v1/scans/photo", {f"f{n}": "1" for n in range(1_200)}), 400, "bad_input")
    is_refusal(phone.generic("POST", "/api/v1/scans/photo", b"--", "multipart/form-data"), 400, "not_json")


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/nothing", "/api/v2/home", "/api/v1/coupons/x/live"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_address_that_is_none_is_answered_in_the_same_shape(phone, path, method):
    is_refusal(getattr(phone, method)(path), 404, "not_found")


@pytest.mark.parametrize("number", ["0", "999999999999999999999999"])
def test_a_row_that_is_not_there_is_said(phone, number):
    is_refusal(phone.get(f"/api/v1/coupons/{number}/live"), 404, "coupon_gone")
    is_refusal(phone.post(f"/api/v1/redemptions/{number}/recall"), 404, "no_redemption")


def test_a_refused_field_is_named_as_people_call_it(phone):
    body = is_refusal(phone.post("/api/v1/sms-codes", "{}", JSON), 400, "bad_input")
    assert body["message"].startswith("手机号（该字段是必填项）；用途")


@pytest.mark.parametrize("path", READS)
def test_a_browser_that_asks_for_a_page_gets_json_too(phone, path):
    assert phone.get(path, headers={"Accept": "text/html"}).headers["Content-Type"] == JSON


def test_what_nobody_foresaw_is_said_in_the_same_shape(phone, monkeypatch):
    monkeypatch.setattr("coupons.api.home.home_data", lambda *_: 1 / 0)
    phone.raise_request_exception = False
    is_refusal(phone.get("/api/v1/home"), 500, "server_error")


# ---- the way ahead of Django says the same


def rushed(headers: dict[str, str], body: bytes, query: str = "") -> tuple[int, dict]:
    answer = asked(lambda *_: pytest.fail("left to Django"), "POST", rush.PATH, headers, body, query_string=query)
    return answer.status, json.loads(answer.body)


def cookies_of(phone: Client) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in phone.cookies.items())


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({"X-Requested-With": "other"}, b"{}"),
        ({**OWN, "Origin": "https://elsewhere.example"}, b"{}"),
        (OWN, b"{"),
        (OWN, b"[" * 900),
        (OWN, b'{"category": 7}'),
        (OWN, b'{"category": "din\\u0000ing"}'),
        (OWN, b'{"category": "\\ud800"}'),
        (OWN, b'{"category": "dining", "turn": true}'),
        (OWN, b'{"category": "dining", "turn": 99}'),
        (OWN, b'{"category": "dining", "key": "no uuid"}'),
        (OWN, b""),
        (OWN, b"x" * 20_000),
    ],
)
def test_both_ways_to_a_draw_refuse_alike(phone, headers, body):
    refuse_alike(phone, headers, body)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("category", ["none", "fuel"])
def test_both_ways_say_alike_that_there_is_nothing_to_draw(phone, category):
    refuse_alike(phone, OWN, json.dumps({"category": category}).encode())


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("category=din%00ing", None),
        ("category=&turn=1", None),
        ("turn=1", None),
        ("category=dining&turn=0", None),
        ("category=dining&turn=21", None),
        ("category=dining&turn=one", None),
        ("category=dining&turn=1&more=1", None),
        ("category=dining", "no uuid"),
        ("%ff", None),
        ("category", None),
    ],
)
def test_both_ways_refuse_an_address_alike(phone, query, key):
    headers = {**OWN, **({"Idempotency-Key": key} if key else {})}
    refuse_alike(phone, headers, b"", query)
    assert rushed({**headers, "Cookie": cookies_of(phone)}, b"", query)[1]["code"] == "bad_input"


@pytest.mark.django_db(transaction=True)
def test_both_ways_find_nothing_to_draw_at_an_address_alike(phone):
    refuse_alike(phone, OWN, b"", "category=none&turn=1")


def refuse_alike(phone: Client, headers: dict[str, str], body: bytes, query: str = "") -> None:
    plain = Client()
    plain.cookies = phone.cookies
    view = plain.generic("POST", rush.PATH, body, JSON, headers=headers, QUERY_STRING=query)
    ahead = rushed({**headers, "Cookie": cookies_of(phone)}, body, query)
    assert ahead[0] == view.status_code
    assert ahead[1]["code"] == view.json()["code"]


def test_a_draw_that_falls_over_ahead_of_django_is_said_too(phone, monkeypatch):
    monkeypatch.setattr(rush, "read_request", lambda *_: 1 / 0)
    status, body = rushed({**OWN, "Cookie": cookies_of(phone)}, b'{"category": "dining"}')
    assert (status, body["code"]) == (500, "server_error")


def test_a_request_under_another_sites_name_is_refused_in_chinese(settings):
    settings.ALLOWED_HOSTS = ["huigou.example"]
    stranger = Client(headers={"host": "elsewhere.example"})
    is_refusal(stranger.get("/api/v1/home"), 400, "bad_input")
    page = stranger.get("/m/")
    assert (page.status_code, "请求不正确" in page.content.decode()) == (400, True)
