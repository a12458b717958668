"""Who may take part: in the county or vouched for, not on the exclusion list, and not by binding again and again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from coupons import consumers, lifecycle
from coupons.models import Campaign, Consumer, Draw, Exclusion, Station, StationClerk
from huigou import clock, geo
from huigou.models import Department
from tests import factories
from tests.people_data.test_binding import PHONE, bound
from tests.redemption.ground import held, outcome

pytestmark = pytest.mark.django_db
SKETCH = Path(__file__).resolve().parents[2] / "coupons" / "demo_plan" / "county.geojson"
CENTRE = (124.00, 45.00)
ELSEWHERE = (125.32, 43.88)
PLACES = [
    # policy, verdict, what a draw says
    ("off", "unasked", "ok"),
    ("off", "outside", "ok"),
    ("declared", "unasked", "place_needed"),
    ("declared", "outside", "place_needed"),
    ("declared", "declared", "ok"),
    ("declared", "inside", "ok"),
    ("declared", "vouched", "ok"),
    ("required", "unasked", "place_needed"),
    ("required", "declared", "place_needed"),
    ("required", "inside", "ok"),
    ("required", "vouched", "ok"),
]


def a_live_county(at, **settings: object) -> factories.County:
    at("2022-06-25 08:30")
    made = factories.a_county(boundary=json.loads(SKETCH.read_text()), **settings)
    lifecycle.deal(made.rounds[0].pk)
    at("2022-06-25 09:05")
    return made


def a_station_clerk(name: str = "") -> StationClerk:
    staff = factories.a_staff(Department.STATION, name)
    station, _ = Station.objects.get_or_create(name="安字村服务站")
    return StationClerk.objects.create(staff=staff, station=station)


def locate(consumer: Consumer, county: factories.County, spot=CENTRE, **more: object) -> str:
    lng, lat = spot
    return consumers.set_place(
        consumer, county.campaign, longitude=lng, latitude=lat, **{"datum": geo.Datum.WGS84, **more}
    )


# ---- place


@pytest.mark.parametrize(("policy", "verdict", "said"), PLACES)
def test_each_policy_lets_through_what_it_says(at, policy, verdict, said):
    county = a_live_county(at, place_policy=policy)
    signed = a_station_clerk() if verdict == "vouched" else None
    consumer = factories.a_consumer(place=verdict, vouched_by=signed)
    assert outcome(lambda: held(county, consumer)) == said


def test_a_position_leaves_only_its_verdict(at):
    county = a_live_county(at)
    consumer = factories.a_consumer()
    assert locate(consumer, county) == "inside"
    row = Consumer.objects.filter(pk=consumer.pk).values().get()
    assert (row["place"], row["place_at"]) == ("inside", clock.now())
    assert not [value for value in row.values() if isinstance(value, float) or "124" in str(value)]


def test_the_datums_are_kept_apart_at_the_boundary(at):
    """A point 100 m inside in WGS-84 is outside when its figures are taken for GCJ-02, half a kilometre off."""
    county = a_live_county(at)
    boundary = geo.parse(county.campaign.boundary)
    lat = 45.0
    steps = (boundary.box.west + n * 1e-3 for n in range(2000))
    inside = next(lng for lng in steps if boundary.covers(lng, lat, geo.Datum.WGS84))
    spot = (inside + 1e-3, lat)
    assert locate(factories.a_consumer(), county, spot) == "inside"
    assert locate(factories.a_consumer(), county, spot, datum=geo.Datum.GCJ02) == "outside"
    same_place = geo.to_gcj02(*spot)
    assert locate(factories.a_consumer(), county, tuple(same_place), datum=geo.Datum.GCJ02) == "inside"


def test_a_phones_own_error_counts_at_the_boundary_but_not_beyond_a_kilometre(at):
    county = a_live_county(at)
    boundary = geo.parse(county.campaign.boundary)
    west = (boundary.box.west - 0.005, 44.98)  # some 400 m outside
    off_m = boundary.distance_m(*west, geo.Datum.WGS84)
    assert 300 < off_m < 500
    assert locate(factories.a_consumer(), county, west) == "outside"
    assert locate(factories.a_consumer(), county, west, accuracy_m=off_m + 1) == "inside"
    assert locate(factories.a_consumer(), county, ELSEWHERE, accuracy_m=1e9) == "outside"


def test_a_declaration_or_a_worse_measurement_undoes_no_proof(at):
    county = a_live_county(at)
    near, vouched = factories.a_consumer(), factories.a_consumer(phone=PHONE)
    locate(near, county)
    consumers.vouch_place(PHONE, a_station_clerk().staff)
    for consumer in (near, vouched):
        proof = Consumer.objects.get(pk=consumer.pk).place
        assert consumers.declare_place(consumer) == proof
        assert locate(consumer, county, ELSEWHERE) == proof
    doubtful = factories.a_consumer()
    assert locate(doubtful, county, ELSEWHERE) == "outside"
    assert consumers.declare_place(doubtful) == "declared"
    assert locate(doubtful, county) == "inside"


def test_a_village_station_vouches_for_somebody_who_gives_no_position(at):
    county = a_live_county(at, place_policy="required")
    consumer = factories.a_consumer(phone=PHONE)
    assert outcome(lambda: held(county, consumer)) == "place_needed"
    clerk = a_station_clerk()
    assert outcome(lambda: consumers.vouch_place("19900009999", clerk.staff)) == "vouch_unbound"
    assert outcome(lambda: consumers.vouch_place(PHONE, factories.a_staff(Department.INDUSTRY))) == "no_station"
    consumers.vouch_place(PHONE, clerk.staff)
    consumer.refresh_from_db()
    assert (consumer.place, consumer.vouched_by) == ("vouched", clerk)
    assert outcome(lambda: held(county, consumer)) == "ok"
    Station.objects.update(is_active=False)
    assert outcome(lambda: consumers.vouch_place(PHONE, clerk.staff)) == "no_station"


def test_the_database_wants_a_name_behind_a_vouching(at):
    consumer = factories.a_consumer()
    with pytest.raises(IntegrityError, match="consumer_vouch_signed"), transaction.atomic():
        Consumer.objects.filter(pk=consumer.pk).update(place="vouched")


def test_a_position_from_wechat_comes_in_its_own_datum_through_the_page(at):
    county = a_live_county(at, place_policy="declared")
    consumer = factories.a_consumer()
    phone = Client()
    phone.cookies[consumers.COOKIE] = consumers.cookie_of(consumer)
    lng, lat = geo.to_gcj02(*CENTRE)
    sent = {"longitude": lng, "latitude": lat, "datum": "gcj02", "accuracy": "30"}
    assert phone.post("/m/place", sent).status_code == 302
    assert Consumer.objects.get().place == "inside"
    assert "粗略手绘" in phone.get("/m/place").content.decode()
    assert phone.post("/m/place", {**sent, "datum": "mars"}).status_code == 302
    assert county.campaign.county in phone.get("/m/place").content.decode()


# ---- the boundary in the back office


@pytest.fixture
def desk(bureau) -> Client:
    client = Client(headers={"X-Requested-With": "dialog"})
    client.force_login(bureau)
    return client


def deed(campaign: Campaign, code: str) -> str:
    return f"/admin/coupons/campaign/{campaign.pk}/deed/{code}/"


def test_a_boundary_is_drawn_before_it_counts(county, desk):
    path = deed(county.campaign, "boundary")
    assert path in desk.get(f"/admin/coupons/campaign/{county.campaign.pk}/page/").content.decode()
    sent = {"text": SKETCH.read_text(), "datum": ""}
    shown = desk.post(path, sent)
    text = shown.content.decode()
    assert shown.status_code == 422
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in text
    assert "约 4,371 平方公里" in text
    assert "WGS-84" in text
    assert Campaign.objects.get().boundary is None
    assert desk.post(path, {**sent, "seen": "on"}).status_code == 200
    kept = Campaign.objects.get()
    assert (kept.boundary["properties"]["coarse"], kept.boundary_datum) == (True, "WGS-84")
    page = desk.get(f"/admin/coupons/campaign/{kept.pk}/page/").content.decode()
    assert "<svg" in page
    assert "粗略手绘的示意边界" in page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "请粘贴 GeoJSON"),
        ("{", "不是合法的 JSON"),
        ('{"type": "Polygon", "coordinates": [[[124,45],[124.1,45],[124.1,45.1],[124,45]]]}', "未注明坐标系"),
        (
            '{"type":"Feature","properties":{"datum":"wgs84"},"geometry":{"type":"Polygon",'
            '"coordinates":[[[45,124],[45,124.1],[45.1,124.1],[45,124]]]}}',
            "经纬度像是写反了",
        ),
    ],
)
def test_a_bad_boundary_is_refused_with_the_place_of_the_fault(county, desk, text, said):
    answer = desk.post(deed(county.campaign, "boundary"), {"text": text, "seen": "on"})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    # An empty field is the form's to refuse; everything else is the reader's.
    assert (geo.BAD_BOUNDARY.next_step in answer.content.decode()) == bool(text)
    assert Campaign.objects.get().boundary is None


def test_the_policy_is_fixed_with_the_launch_and_the_boundary_with_the_closing(county):
    assert outcome(lambda: consumers.set_policy(county.campaign.pk, "required")) == "already_launched"
    draft = factories.a_county(launched=False)
    assert outcome(lambda: consumers.set_policy(draft.campaign.pk, "required")) == "ok"
    Campaign.objects.filter(pk=draft.campaign.pk).update(launched_at=clock.now(), closed_at=clock.now())
    assert outcome(lambda: consumers.set_boundary(draft.campaign.pk, SKETCH.read_text())) == "books_closed"


# ---- the exclusion list


def test_refused_or_shown_as_the_policy_says(at):
    for number, (policy, said) in enumerate((("refuse", "excluded"), ("show", "ok"))):
        county = a_live_county(at, exclusion_policy=policy)
        consumer = factories.a_consumer(phone=f"199000055{number:02d}")
        consumers.exclude(consumer.person.phone, Exclusion.Source.STAFF, "工信局职工")
        assert outcome(lambda c=county, who=consumer: held(c, who)) == said
        Exclusion.objects.update(removed_at=clock.now())
        assert outcome(lambda c=county, who=consumer: held(c, who)) == "ok"


def test_whoever_is_excluded_and_drew_all_the_same_is_shown_to_the_discipline_inspection(at):
    county = a_live_county(at, exclusion_policy="show")
    drew, idle = factories.a_consumer(phone="19900005501"), factories.a_consumer(phone="19900005502")
    for consumer in (drew, idle):
        consumers.exclude(consumer.person.phone, Exclusion.Source.STAFF, "职工")
    held(county, drew)
    watch = Client()
    watch.force_login(factories.a_staff(Department.DISCIPLINE))
    everybody = watch.get("/admin/coupons/exclusion/").content.decode()
    assert f"/admin/coupons/consumer/{drew.pk}/" in everybody
    assert f"/admin/coupons/consumer/{idle.pk}/" not in everybody
    only = watch.get("/admin/coupons/exclusion/?drew=yes").content.decode()
    assert [page.count("职工</") for page in (everybody, only)] == [2, 1]
    assert "19900005501" not in everybody


# ---- one person, one phone


def test_a_phone_binds_anew_five_times_a_month_and_keeps_one_win(county, at):
    for number in range(consumers.binding.BINDINGS_OF_A_PHONE):
        consumer = bound()
        if number == 0:
            held(county, consumer)
        consumers.unbind(consumer)
    assert outcome(bound) == "too_many_bindings"
    at("2022-07-26 10:00")
    assert outcome(bound) == "ok"
    assert Draw.objects.count() == 1


def test_signing_in_again_on_the_same_number_is_no_new_binding(county):
    first = bound()
    assert {bound().pk for _ in range(6)} == {first.pk}


def test_one_device_binds_a_family_and_no_village(county, settings, at):
    settings.PHONES_PER_DEVICE = 3
    said = [outcome(lambda n=n: bound(phone=f"199000066{n:02d}", device="d")) for n in range(4)]
    assert said == ["ok", "ok", "ok", "device_full"]
    assert outcome(lambda: bound(phone="19900006600", device="d")) == "ok"  # one of the three comes back
    assert outcome(lambda: bound(phone="19900006603", device="other")) == "ok"
    at("2022-06-26 10:00")
    assert outcome(lambda: bound(phone="19900006604", device="d")) == "ok"
