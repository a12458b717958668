"""What citizens see: readable without binding, honest about state, silent about others."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from coupons import codes, welcome
from coupons.models import Campaign, Coupon, Notice
from huigou import clock
from tests import factories
from tests.pages.conftest import keeps_to_the_policy

pytestmark = pytest.mark.django_db(transaction=True)

OPEN_PAGES = ["/m/", "/m/bind", "/m/draw/dining", "/m/merchants", "/m/rules", "/m/privacy", "/m/problem", "/m/notices"]
BOUND_PAGES = ["/m/coupons", "/m/place"]


@pytest.mark.parametrize("path", OPEN_PAGES)
def test_page_is_readable_without_binding(county, path):
    response = Client().get(path)
    assert response.status_code == 200
    assert "演示系统" in response.content.decode()
    keeps_to_the_policy(response)


def test_the_official_accounts_name_is_said_where_it_is_set_and_nowhere_else(county):
    pages = ("/m/", "/m/bind", "/m/draw/dining")
    assert ["公众号" in Client().get(path).content.decode() for path in pages] == [False] * 3
    Campaign.objects.update(account_name="云岭发布")
    welcome.forget()
    said = [Client().get(path).content.decode().count("云岭发布") for path in pages]
    assert said == [2, 2, 1]  # at its place on the page, and at the foot


@pytest.mark.parametrize("path", BOUND_PAGES)
def test_page_of_ones_own_leads_a_stranger_to_binding(county, path):
    response = Client().get(path)
    assert response.status_code == 302
    assert response.url.startswith("/m/bind")


@pytest.mark.parametrize("path", OPEN_PAGES + BOUND_PAGES)
def test_page_of_somebody_bound_keeps_to_the_policy(county, wang, phone_of, path):
    factories.drawn(county, wang)
    response = phone_of(wang).get(path)
    assert response.status_code == 200
    keeps_to_the_policy(response)


@pytest.mark.parametrize("path", OPEN_PAGES)
def test_page_stands_before_any_campaign_is_launched(db, path):
    assert Client().get(path).status_code == 200


def test_home_before_between_and_after_the_rounds(county, at):
    seen = {}
    for when in ("2022-06-25 08:59:59", "2022-06-25 09:00:00", "2022-06-30 01:00", "2022-07-05 00:00"):
        at(when)
        response = Client().get("/m/")
        seen[when] = (response.context["phase"], response.context["round"] and response.context["round"].number)
    assert list(seen.values()) == [("before", 1), ("open", 1), ("before", 2), ("over", None)]


def test_home_shows_what_is_left_and_what_one_has_won(county, wang, zhao, phone_of):
    [before] = phone_of(zhao).get("/api/v1/home").json()["categories"]
    coupon = factories.drawn(county, wang)
    [mine] = phone_of(wang).get("/api/v1/home").json()["categories"]
    [others] = phone_of(zhao).get("/api/v1/home").json()["categories"]
    assert (before["action"], before["left_text"]) == ("去抽奖", "剩 10 张，共 10")
    assert (mine["state"], mine["url"]) == ("won", f"/m/coupons/{coupon.pk}")
    assert (others["state"], others["left_text"]) == ("open", "剩 9 张，共 10")


def test_sold_out_is_said_before_anybody_turns(county, zhao, phone_of):
    factories.drawn_by_many(county, factories.some_consumers(10))
    [card] = phone_of(zhao).get("/api/v1/home").json()["categories"]
    assert (card["action"], card["left_text"]) == ("已抽完", "已抽完，第2轮6月30日09:00")
    html = phone_of(zhao).get("/m/draw/dining").content.decode()
    assert "已抽完" in html
    assert "第2轮" in html


def test_wheel_has_the_decks_faces_and_the_table_their_odds(at, phone_of):
    from coupons import lifecycle

    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 20, ("dining", 200): 6, ("dining", 500): 2})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    context = Client().get("/m/draw/dining").context
    assert [face["text"] for face in context["draw_page"]["faces"]] == ["100", "200", "500"]
    assert [(f["face"], f["count"], f["share"], f["threshold"]) for f in context["faces"]] == [
        ("100", "10", "71.4%", "300"),
        ("200", "3", "21.4%", "600"),
        ("500", "1", "7.1%", "1500"),
    ]


def test_a_draw_through_the_api_is_shown_by_the_page_afterwards(county, wang, phone_of):
    phone = phone_of(wang)
    answer = phone.post("/api/v1/draws", {"category": "dining", "turn": 1}, content_type="application/json").json()
    page = phone.get("/m/draw/dining").context
    assert (answer["face_fen"], answer["threshold_fen"]) == (10_000, 30_000)
    assert (page["drawn"]["face"], page["drawn"]["receipt"]) == ("100", answer["entry"])
    assert page["draw_page"]["can_draw"] is False


def test_a_write_without_our_header_is_refused(county, wang, phone_of):
    phone = phone_of(wang)
    for headers in ({"X-Requested-With": ""}, {"X-Requested-With": "huigou", "Origin": "https://elsewhere.example"}):
        refused = phone.post("/api/v1/draws", {"category": "dining"}, content_type="application/json", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_what_would_be_refused_is_said_on_the_page(county, wang, phone_of):
    county.campaign.place_policy = "required"
    county.campaign.save()
    html = phone_of(wang).get("/m/draw/dining").content.decode()
    assert "需要确认您在乾安县内" in html
    assert "/m/place?next=/m/draw/dining" in html


# ---- the coupon and its code


def test_the_code_turns_every_30_seconds_and_holds_a_link(county, wang, phone_of, at):
    coupon = factories.drawn(county, wang)
    phone = phone_of(wang)
    first = phone.get(f"/api/v1/coupons/{coupon.pk}/live?code=1").json()
    at("2022-06-25 09:05:29")
    same = phone.get(f"/api/v1/coupons/{coupon.pk}/live?code=1").json()
    at("2022-06-25 09:05:30")
    following = phone.get(f"/api/v1/coupons/{coupon.pk}/live?code=1").json()
    assert first["code"] == same["code"]
    assert following["code"]["short"] != first["code"]["short"]
    assert following["code"]["until"] - first["code"]["until"] == 30_000
    assert codes.read_short(first["code"]["short"], clock.now())[1] == coupon.pk


def test_the_coupon_turns_by_itself_as_the_shop_scans_and_enters(county, wang, li, phone_of):
    coupon = factories.drawn(county, wang)
    live = f"/api/v1/coupons/{coupon.pk}/live?code=1"
    phone = phone_of(wang)
    states = [phone.get(live).json()]
    scan = factories.scanned(coupon, li)
    states.append(phone.get(live).json())
    from merchants import redemption

    redemption.complete(li, scan.pk, redemption.Entry(31_800, "3"))
    states.append(phone.get(live).json())
    assert [s["state_text"] for s in states] == ["未使用", "已发送商家", "已使用"]
    assert ["code" in s for s in states] == [True, False, False]
    assert states[2]["spent_text"] == "乾安火锅店，消费 318.00 元，6月25日09:05"


def test_a_held_coupon_past_its_end_is_shown_as_expired_before_any_job_ran(county, wang, phone_of, at):
    coupon = factories.drawn(county, wang)
    at("2022-06-30 00:00")
    shown = phone_of(wang).get(f"/api/v1/coupons/{coupon.pk}/live?code=1").json()
    coupon.refresh_from_db()
    assert coupon.state == Coupon.State.HELD
    assert shown["state_text"] == "已过期"
    assert "code" not in shown


def test_somebody_elses_coupon_does_not_exist(county, wang, zhao, phone_of):
    coupon = factories.drawn(county, wang)
    assert phone_of(zhao).get(f"/m/coupons/{coupon.pk}").status_code == 404
    assert phone_of(zhao).get(f"/api/v1/coupons/{coupon.pk}/live").status_code == 404


def test_no_full_name_and_no_number_on_ones_own_pages(county, phone_of):
    consumer = factories.a_consumer("欧阳明月", "19900001234")
    factories.drawn(county, consumer)
    for path in ("/m/", "/m/coupons", "/m/privacy"):
        html = phone_of(consumer).get(path).content.decode()
        assert "欧阳明月" not in html
        assert "19900001234" not in html


def test_lists_ask_the_database_as_often_for_30_rows_as_for_one(county, wang, li, phone_of, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    phone = phone_of(wang)
    coupon = factories.drawn(county, wang)
    factories.used(coupon, li)
    counts = {}
    for shops in (0, 30):
        for _ in range(shops):
            factories.a_merchant(county)
        Notice.objects.bulk_create(
            Notice(campaign=county.campaign, title="公告", body="内容", shown_from=clock.now()) for _ in range(shops)
        )
        for path in ("/m/", "/m/coupons", "/m/merchants", "/m/notices", "/m/rules"):
            with CaptureQueriesContext(
                connection,
            ) as asked:
                phone.get(path)
            counts.setdefault(path, []).append(len(asked))
    assert all(few == many for few, many in counts.values()), counts


# ---- binding


def solved(client: Client) -> str:
    """Solve the page's small proof of work."""
    import base64
    import hashlib
    import json

    given = client.get("/api/v1/challenge").json()
    number = next(
        n
        for n in range(given["maxnumber"] + 1)
        if hashlib.sha256(f"{given['salt']}{n}".encode()).hexdigest() == given["challenge"]
    )
    keep = ("algorithm", "challenge", "salt", "signature")
    return base64.b64encode(json.dumps({k: given[k] for k in keep} | {"number": number}).encode()).decode()


def ask_code(client: Client, phone: str, purpose: str = "consumer", altcha: str | None = None):  # type: ignore[no-untyped-def]
    """Ask for an SMS code as the page's script does."""
    body = {"phone": phone, "purpose": purpose, "altcha": solved(client) if altcha is None else altcha}
    return client.post("/api/v1/sms-codes", body, content_type="application/json")


def test_bind_from_an_empty_phone_to_a_drawn_coupon(county, phone_of):
    client = phone_of()
    code = ask_code(client, "199 0000 7777").json()["demo_code"]
    form = {"name": "王小明", "phone": "19900007777", "code": code, "consent": "1", "next": "/m/draw/dining"}
    bound = client.post("/m/bind", form)
    assert (bound.status_code, bound.url) == (302, "/m/draw/dining")
    drawn = client.post("/api/v1/draws", {"category": "dining"}, content_type="application/json")
    assert drawn.status_code == 200


def test_a_wrong_field_is_named_at_the_field(county, phone_of):
    client = phone_of()
    code = ask_code(client, "19900007778").json()["demo_code"]
    good = {"name": "王小明", "phone": "19900007778", "code": code, "consent": "1"}
    wrong = {"name": "1", "phone": "123", "code": f"{(int(code) + 1) % 10**6:06d}", "consent": ""}
    found = {}
    for field, value in wrong.items():
        response = client.post("/m/bind", good | {field: value})
        found[field] = list(response.context["form"].errors)
    assert found == {field: [field] for field in wrong}


def test_a_code_costs_work_and_each_solution_counts_once(county, phone_of):
    client = phone_of()
    assert ask_code(client, "19900007779", altcha="nonsense").json()["code"] == "challenge_failed"
    solution = solved(client)
    assert ask_code(client, "19900007779", altcha=solution).status_code == 200
    assert ask_code(client, "19900007780", altcha=solution).json()["code"] == "challenge_failed"


def test_binding_leads_only_to_our_own_pages(county, phone_of):
    client = phone_of()
    for number, onward in enumerate(("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example")):
        phone = f"1990000778{number}"
        code = ask_code(client, phone).json()["demo_code"]
        form = {"name": "王小明", "phone": phone, "code": code, "consent": "1", "next": onward}
        assert client.post("/m/bind", form).url == "/m/"


@pytest.mark.parametrize(
    ("longitude", "latitude", "verdict"), [(124.02, 45.0, "inside"), (116.4, 39.9, "outside"), (None, None, "unasked")]
)
def test_only_the_verdict_about_the_place_is_kept(county, wang, phone_of, longitude, latitude, verdict):
    corners = [[123.3, 44.6], [124.4, 44.6], [124.4, 45.4], [123.3, 45.4], [123.3, 44.6]]
    county.campaign.boundary = {"type": "Polygon", "coordinates": [corners]}
    county.campaign.place_policy = "required"
    county.campaign.save()
    given = {"longitude": longitude, "latitude": latitude} if longitude else {}
    phone_of(wang).post("/m/place", given)
    wang.refresh_from_db()
    assert wang.place == verdict


def test_privacy_lets_people_correct_withdraw_and_delete(county, wang, zhao, phone_of):
    phone_of(wang).post("/m/privacy", {"do": "correct", "name": "王晓明"})
    wang.person.refresh_from_db()
    assert wang.person.name == "王晓明"
    factories.drawn(county, wang)
    kept = phone_of(wang).post("/m/privacy", {"do": "delete"})
    assert (kept.status_code, "1 张未用完" in kept.content.decode()) == (409, True)
    assert phone_of(zhao).post("/m/privacy", {"do": "delete"}).status_code == 302
    zhao.person.refresh_from_db()
    assert (zhao.person.name, zhao.person.phone) == (None, None)
    assert phone_of(zhao).get("/m/coupons").status_code == 302


def test_notices_are_shown_in_their_time(county, at):
    now = clock.now()
    for title, start, end in (("旧", -2, -1), ("今", -1, 1), ("后", 1, 2)):
        day = dt.timedelta(days=1)
        Notice.objects.create(
            campaign=county.campaign,
            title=title,
            body="内容",
            shown_from=now + start * day,
            shown_until=now + end * day,
        )
    assert [notice.title for notice in Client().get("/m/notices").context["notices"]] == ["今"]
