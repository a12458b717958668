"""What clerks see: a look locks nothing, five refusals are five screens, an entry is booked once."""

from __future__ import annotations

import datetime as dt
import io
import uuid

import pytest
import qrcode
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from coupons import approval, codes
from coupons.models import Coupon, Freeze
from huigou import clock
from merchants.models import Outlet, Redemption
from reports import reconcile
from tests import factories
from tests.pages.conftest import keeps_to_the_policy

pytestmark = pytest.mark.django_db(transaction=True)


def token_of(coupon: Coupon) -> str:
    """Return what the holder's QR holds now."""
    return codes.show(coupon.pk, clock.now()).token


def post(client: Client, path: str, **body: object):  # type: ignore[no-untyped-def]
    """Post as the pages' scripts do."""
    return client.post(path, body, content_type="application/json")


def test_a_stranger_is_sent_to_a_shop_and_locks_nothing(county, wang, zhao, phone_of):
    coupon = factories.drawn(county, wang)
    link = f"/shop/c/{token_of(coupon)}"
    assert "请到适用商家出示" in phone_of(zhao).get(link).content.decode()
    assert phone_of(zhao).post(link).status_code == 401
    assert post(phone_of(zhao), "/api/v1/scans", token=token_of(coupon)).status_code == 401
    coupon.refresh_from_db()
    assert coupon.state == Coupon.State.HELD


def test_a_look_locks_nothing_and_the_clerks_post_locks(county, wang, li, phone_of):
    coupon = factories.drawn(county, wang)
    clerk, link = phone_of(li), f"/shop/c/{token_of(coupon)}"
    look = clerk.get(link)
    coupon.refresh_from_db()
    assert (look.status_code, coupon.state) == (200, Coupon.State.HELD)
    keeps_to_the_policy(look)
    locked = clerk.post(link, {"claim": look.context["claim"], "key": look.context["key"]})
    scan = Redemption.objects.get()
    assert locked.url == f"/shop/redemptions/{scan.pk}"
    assert clerk.get(link).url == locked.url


def test_reading_longer_than_the_code_lives_does_not_lose_the_scan(county, wang, li, phone_of, at):
    coupon = factories.drawn(county, wang)
    clerk, link = phone_of(li), f"/shop/c/{token_of(coupon)}"
    claim = clerk.get(link).context["claim"]
    at("2022-06-25 09:07:30")
    assert clerk.get(link).context["refusal"].code == "code_stale"
    other = factories.a_clerk(li.outlet, "孙店员")
    assert phone_of(other).post(link, {"claim": claim}).context["refusal"].code == "code_stale"
    assert clerk.post(link, {"claim": claim}).status_code == 302


def test_a_claim_dies_after_five_minutes(county, wang, li, phone_of, at):
    coupon = factories.drawn(county, wang)
    link = f"/shop/c/{token_of(coupon)}"
    claim = phone_of(li).get(link).context["claim"]
    at("2022-06-25 09:10:01")
    assert phone_of(li).post(link, {"claim": claim}).context["refusal"].code == "code_stale"


def test_scan_to_finished_by_script_and_a_repeated_entry_is_booked_once(county, wang, li, phone_of):
    coupon = factories.drawn(county, wang)
    clerk = phone_of(li)
    scan = post(clerk, "/api/v1/scans", token=token_of(coupon), key=str(uuid.uuid4())).json()
    form = clerk.get(scan["url"])
    keeps_to_the_policy(form)
    assert form.context["entry_page"]["threshold_fen"] == 30_000
    entry = {"amount": "318.00", "kind": "3", "key": str(uuid.uuid4())}
    answers = [post(clerk, f"/api/v1/redemptions/{scan['id']}/complete", **entry).json() for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert Redemption.objects.get().amount_fen == 31_800
    done = clerk.get(answers[0]["url"]).content.decode()
    assert "218.00" in done


def test_scan_by_short_code_and_by_photo(county, wang, zhao, li, phone_of):
    clerk = phone_of(li)
    first, second = factories.drawn(county, wang), factories.drawn(county, zhao)
    assert post(clerk, "/api/v1/scans", short_code=codes.show(first.pk, clock.now()).short_code).status_code == 200
    picture = io.BytesIO()
    qrcode.make(f"http://testserver/shop/c/{token_of(second)}").save(picture, "PNG")
    photo = SimpleUploadedFile("frame.png", picture.getvalue(), "image/png")
    token = clerk.post("/api/v1/scans/photo", {"photo": photo}).json()["token"]
    assert token == token_of(second)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 64])
def test_a_photo_without_a_code_says_so(county, li, phone_of, content):
    photo = SimpleUploadedFile("x.png", content or b" ", "image/png")
    refused = phone_of(li).post("/api/v1/scans/photo", {"photo": photo})
    assert (refused.status_code, refused.json()["code"]) == (400, "code_unreadable")


def test_five_refusals_are_five_screens(at, phone_of):
    from coupons import lifecycle

    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 20, ("book", 50): 20})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    wang, zhao = factories.a_consumer("王小明"), factories.a_consumer("赵生")
    li = factories.a_clerk(factories.a_merchant(county, ["dining"]))
    clerk = phone_of(li)
    dinner = factories.drawn(county, wang, "dining")
    factories.used(dinner, li)
    used = post(clerk, "/api/v1/scans", token=token_of(dinner)).json()
    wrong = post(clerk, "/api/v1/scans", token=token_of(factories.drawn(county, wang, "book"))).json()
    late = factories.drawn(county, zhao, "dining")
    scan = factories.scanned(late, li)
    under = post(clerk, f"/api/v1/redemptions/{scan.pk}/complete", amount="299.99", kind="2").json()
    clerk.post(f"/shop/redemptions/{scan.pk}/recall")
    at("2022-06-30 00:00")
    expired = post(clerk, "/api/v1/scans", token=token_of(late)).json()
    screens = [answer["screen"] for answer in (used, expired, wrong, under)]
    assert screens == ["used", "expired", "wrong", "under"]
    assert all(answer["message"] and answer["next"] for answer in (used, expired, wrong, under))
    assert under["message"] == "消费未达到300元，还差0.01元"
    page = clerk.get(f"/shop/c/{token_of(late)}")
    assert (page.status_code, page.context["screen"]) == (409, "expired")
    keeps_to_the_policy(page)
    # The fifth, a dead network, is the page's own: its words and its place are there before it dies.
    assert '<template id="refusal">' in clerk.get("/shop/scan").content.decode()


def test_another_purchase_is_asked_for_with_its_own_receipt(at, phone_of):
    from coupons import lifecycle

    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 20, ("book", 50): 20})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    wang = factories.a_consumer()
    li = factories.a_clerk(factories.a_merchant(county))
    factories.used(factories.drawn(county, wang, "dining"), li)
    second = factories.drawn(county, wang, "book")
    clerk = phone_of(li)
    refused = post(clerk, "/api/v1/scans", token=token_of(second)).json()
    assert refused["code"] == "second_coupon"
    asks = clerk.get(refused["url"])
    assert (asks.status_code, asks.context["needs_another"]) == (200, True)
    form = {"claim": asks.context["claim"], "another": "1", "receipt_no": "0092"}
    assert clerk.post(refused["url"], form).status_code == 302
    assert Redemption.objects.latest("pk").is_second is True


def test_recall_gives_the_coupon_back(county, wang, li, phone_of):
    coupon = factories.drawn(county, wang)
    scan = factories.scanned(coupon, li)
    other = factories.a_clerk(factories.a_merchant(county))
    assert phone_of(other).post(f"/shop/redemptions/{scan.pk}/recall").status_code == 404
    assert phone_of(li).post(f"/shop/redemptions/{scan.pk}/recall").status_code == 302
    coupon.refresh_from_db()
    assert coupon.state == Coupon.State.HELD


def test_another_shops_redemption_does_not_exist(county, wang, li, phone_of):
    scan = factories.scanned(factories.drawn(county, wang), li)
    other = phone_of(factories.a_clerk(factories.a_merchant(county)))
    for path in (f"/shop/redemptions/{scan.pk}", f"/shop/redemptions/{scan.pk}/done"):
        assert other.get(path).status_code == 404


def test_the_list_puts_pending_first_and_sums_the_day(county, li, phone_of, at):
    buyers = factories.some_consumers(3)
    coupons = factories.drawn_by_many(county, buyers)
    factories.used(coupons[0], li, 31_850)
    factories.used(coupons[1], li, 40_000)
    scan = factories.scanned(coupons[2], li)
    context = phone_of(li).get("/shop/redemptions").context
    assert [row["id"] for row in context["pending"]] == [scan.pk]
    assert context["sums"] == {"count": 2, "face": "200", "amount": "718.50"}
    at("2022-06-26 08:00")
    assert phone_of(li).get("/shop/redemptions").context["sums"]["count"] == 0
    assert phone_of(li).get("/shop/redemptions?day=2022-06-25").context["sums"]["count"] == 2


def test_the_list_asks_the_database_as_often_for_many_rows_as_for_one(county, li, phone_of):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    coupons = factories.drawn_by_many(county, factories.some_consumers(10))
    clerk, counts = phone_of(li), []
    for some in (coupons[:2], coupons[2:]):
        factories.used(some[0], li)
        for coupon in some[1:]:
            factories.scanned(coupon, li)
        with CaptureQueriesContext(connection) as asked:
            clerk.get("/shop/redemptions")
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_clerk_of_two_shops_of_a_chain_changes_between_them_and_no_further(county, wang, li, phone_of):
    """Each shop keeps its own list: what one locked the other does not enter."""
    station = Outlet.objects.create(merchant=li.outlet.merchant, name="站前店")
    there = factories.a_clerk(station)
    there.person = li.person
    there.save()
    elsewhere = factories.a_clerk(factories.a_merchant(county, name="别家"), "孙店员")
    scan = factories.scanned(factories.drawn(county, wang), li)
    phone = phone_of(li)
    assert [row["id"] for row in phone.get("/shop/redemptions").context["pending"]] == [scan.pk]
    assert phone.post("/shop/me", {"outlet": elsewhere.outlet_id}).status_code == 400
    assert phone.post("/shop/me", {"outlet": station.pk}).url == "/shop/"
    moved = phone.get("/shop/redemptions").context
    assert (moved["clerk"], moved["pending"]) == (there, [])
    assert phone.get(f"/shop/redemptions/{scan.pk}").status_code == 404
    phone.post("/shop/me", {"outlet": li.outlet_id})
    assert phone.get(f"/shop/redemptions/{scan.pk}").status_code == 200


def test_only_the_owner_unbinds_and_only_in_the_own_firm(county, li, phone_of):
    owner = factories.a_clerk(li.outlet, "店主", is_owner=True)
    elsewhere = factories.a_clerk(factories.a_merchant(county))
    assert phone_of(li).post("/shop/clerks", {"clerk": owner.pk}).status_code == 403
    assert phone_of(owner).post("/shop/clerks", {"clerk": elsewhere.pk}).status_code == 403
    assert phone_of(owner).post("/shop/clerks", {"clerk": li.pk}).status_code == 302
    assert phone_of(li).get("/shop/redemptions").url == "/shop/bind"


@pytest.mark.parametrize(
    "path", ["/shop/", "/shop/scan", "/shop/redemptions", "/shop/clerks", "/shop/me", "/shop/bind"]
)
def test_clerks_page_keeps_to_the_policy(county, li, phone_of, path):
    response = phone_of(li).get(path)
    assert response.status_code == 200
    keeps_to_the_policy(response)


def test_a_complaint_reaches_the_bureau_and_its_answer_the_consumer(county, wang, li, phone_of):
    coupon = factories.drawn(county, wang)
    use = factories.used(coupon, li)
    phone = phone_of(wang)
    assert phone.get(f"/m/problem?coupon={coupon.pk}").context["chosen"] == use.merchant_id
    phone.post("/m/problem", {"merchant": use.merchant_id, "coupon": coupon.pk, "text": "多收了钱"})
    [complaint] = phone.get("/m/problem").context["complaints"]
    assert (complaint.redemption_id, complaint.text) == (use.pk, "多收了钱")
    assert phone.post("/m/problem", {"merchant": use.merchant_id, "text": " "}).status_code == 400


def test_a_freeze_stops_the_countdown_and_the_release_moves_the_end(county, wang, li, phone_of, auditor, leaders, at):
    """Half an hour before the end the books freeze; the clerk's pages say half an hour for as long as it stands."""
    scan = factories.scanned(factories.drawn(county, wang), li)
    clerk = phone_of(li)
    pages = ("/shop/redemptions", f"/shop/redemptions/{scan.pk}")

    def end() -> str:
        return clock.spoken(clerk.get(pages[1]).context["redemption"]["entry_until"], end=True)

    def said() -> list[tuple[str, bool]]:
        texts = [clerk.get(page).content.decode() for page in pages]
        assert end() in texts[1]
        return [("还剩 <b>30 分 0 秒</b>" in text, "data-until" in text) for text in texts]

    until = scan.entry_until
    at(until - dt.timedelta(minutes=30))
    assert said() == [(False, True)] * 2  # the control: a clock that runs
    freeze = Freeze.objects.create(
        campaign=county.campaign, findings=[{"code": "x", "message": "x", "fingerprint": "x"}], frozen_at=clock.now()
    )
    for later in (10, 200):
        at(until + dt.timedelta(minutes=later))
        assert said() == [(True, False)] * 2
        grown = until + dt.timedelta(minutes=later + 30)
        assert clerk.get(pages[1]).context["redemption"]["entry_until"] == grown
        assert clerk.get("/shop/scan").context["first_due"] == grown
    approval.approve(reconcile.propose_release(freeze, maker=auditor, reason="查明").pk, leaders)
    assert said() == [(False, True)] * 2
    scan.refresh_from_db()
    assert clerk.get(pages[1]).context["redemption"]["entry_until"] == scan.entry_until == grown
    at(grown - dt.timedelta(seconds=1))
    assert post(clerk, f"/api/v1/redemptions/{scan.pk}/complete", amount="318.00", kind="3").status_code == 200


def test_what_was_over_before_the_freeze_shows_no_second_chance(county, wang, li, phone_of, at):
    scan = factories.scanned(factories.drawn(county, wang), li)
    at(scan.entry_until)
    Freeze.objects.create(
        campaign=county.campaign, findings=[{"code": "1", "message": "试", "fingerprint": "0"}], frozen_at=clock.now()
    )
    at(scan.entry_until + dt.timedelta(hours=1))
    window = phone_of(li).get(f"/shop/redemptions/{scan.pk}").context["redemption"]
    assert (window["entry_until"], window["stands_still"]) == (scan.entry_until, False)
