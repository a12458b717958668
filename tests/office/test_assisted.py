"""代抽: somebody present at a village station draws by its clerk's hand: same deck, same limits, listed apart."""

from __future__ import annotations

import datetime as dt
import re
import threading
import uuid
from unittest import mock

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from coupons import assisting, codes, consumers, drawing, lifecycle
from coupons.assisting import Present
from coupons.consumers import verifying
from coupons.errors import DESK_SMS_TOO_MANY
from coupons.ledger import Actor
from coupons.models import Assist, Consumer, Coupon, Deck, Draw, Event, PaperPrint, Person, Station
from huigou import clock
from huigou.errors import Refusal
from huigou.models import Department
from merchants import redemption
from merchants.errors import PAPER_DIGITS
from merchants.models import Attempt, Redemption
from merchants.redemption import ScanOptions, scanning
from tests import factories
from tests.redemption.ground import at_once, drawn_here, outcome

PHONE = "19900007788"
whole = pytest.mark.django_db(transaction=True)  # a draw commits on a connection of its own


@pytest.fixture
def within(db: None):  # type: ignore[no-untyped-def]
    """Let draws be written by the batcher's writer on the test's own connection, whose end takes everything back."""

    with mock.patch.object(drawing, "draw", drawn_here):
        yield


def code_for(phone: str) -> str:
    """Return the code that the station's page had sent to a phone."""
    with mock.patch.object(verifying.secrets, "randbelow", return_value=123456):
        consumers.send_code(phone, assisting.SMS_PURPOSE)
    return "123456"


def come(county: factories.County, villager, name: str = "孙大爷", phone: str = PHONE) -> tuple[Consumer, str]:
    return assisting.identify(Present(name, phone, code_for(phone), consents=True), villager, county.campaign)


def assisted(county: factories.County, villager, **who: str) -> Assist:  # type: ignore[no-untyped-def]
    consumer, proof = come(county, villager, **who)
    return assisting.draw_for(villager, consumer, "dining", proof, uuid.uuid4())


def refused(deed) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(Refusal) as caught:
        deed()
    return caught.value.code


@pytest.mark.usefixtures("within")
def test_a_station_draws_from_the_same_deck_and_the_log_says_so(county, villager):
    before = Deck.objects.get().next_ticket
    assist = assisted(county, villager)
    drawn = Draw.objects.get()
    assert (assist.draw_id, assist.outcome, assist.proof) == (drawn.pk, "ok", "sms")
    assert (drawn.channel, drawn.station, drawn.ticket) == ("station", Station.objects.get(), before)
    assert Deck.objects.get().next_ticket == before + 1
    coupon = assisting.coupon_of(assist)
    assert coupon is not None
    assert coupon.holder.person.masked_phone == "199****7788"
    assert Event.objects.get(coupon=coupon).actor_kind == "staff"
    assert Event.objects.get(coupon=coupon).actor_id == villager.pk


@pytest.mark.usefixtures("within")
def test_the_same_limits_hold_across_phone_and_station(county, villager):
    first = assisted(county, villager)
    again = assisting.identify(Present("孙大爷", PHONE, card_seen=True, consents=True), villager, county.campaign)
    twice = refused(lambda: assisting.draw_for(villager, again[0], "dining", again[1], uuid.uuid4()))
    assert (twice, Draw.objects.count()) == ("assist_already", 1)
    # And the other way round: whoever drew by phone has had the round's turn.
    own = factories.a_consumer("王小明", "19900007799")
    factories.drawn(county, own)
    assert refused(lambda: assisted(county, villager, name="王小明", phone="19900007799")) == "assist_already"
    assert Draw.objects.count() == 2
    # Refused ones are listed too.
    assert sorted(Assist.objects.values_list("outcome", flat=True)) == ["assist_already", "assist_already", "ok"]
    assert Assist.objects.get(outcome="ok") == first


@pytest.mark.usefixtures("within")
def test_a_repeated_request_is_one_draw(county, villager):
    consumer, proof = come(county, villager)
    key = uuid.uuid4()
    rows = {assisting.draw_for(villager, consumer, "dining", proof, key).pk for _ in range(3)}
    assert (len(rows), Draw.objects.count()) == (1, 1)


@whole
def test_two_stations_at_the_same_instant_draw_once(county, villager):
    other = factories.a_staff(Department.STATION, "二")
    assisting.assign(Station.objects.create(name="赞字村服务站"), other)
    consumer, proof = come(county, villager)
    deeds = [
        (lambda who=who: assisting.draw_for(who, consumer, "dining", proof, uuid.uuid4()))
        for who in (villager, other) * 3
    ]
    assert sorted(at_once(deeds)) == ["assist_already"] * 5 + ["ok"]
    assert (Draw.objects.count(), Coupon.objects.count()) == (1, 1)


@pytest.mark.usefixtures("within")
def test_somebody_on_the_exclusion_list_is_refused_here_too(county, villager):
    consumers.exclude(PHONE, "staff", "本局人员")
    assert refused(lambda: assisted(county, villager)) == "excluded"
    assert (Draw.objects.count(), Assist.objects.get().outcome) == (0, "excluded")


@pytest.mark.django_db
def test_nobody_is_made_up_at_a_station(county, villager):
    def by_card(name, phone=PHONE):  # type: ignore[no-untyped-def]
        return assisting.identify(Present(name, phone, card_seen=True, consents=True), villager, county.campaign)

    assert refused(lambda: by_card("孙大爷")) == "assist_proof"  # a phone that was never proven
    assert not Person.objects.filter(phone_last4="7788").exists()
    come(county, villager)
    assert refused(lambda: by_card("别的人")) == "assist_name"
    assert by_card("孙大爷")[1] == Assist.Proof.SEEN
    unasked = Present("孙大爷", PHONE, card_seen=True)
    assert refused(lambda: assisting.identify(unasked, villager, county.campaign)) == "assist_consent"
    wrong = Present("孙大爷", PHONE, code="000000", consents=True)
    assert refused(lambda: assisting.identify(wrong, villager, county.campaign)) == "bad_code"


@pytest.mark.django_db
def test_the_station_vouches_for_the_place_only_where_one_is_asked(county, villager):
    consumer, _ = come(county, villager)
    assert consumer.place == Consumer.Place.UNASKED
    county.campaign.place_policy = "required"
    consumer, _ = assisting.identify(Present("孙大爷", PHONE, card_seen=True, consents=True), villager, county.campaign)
    assert consumer.place == Consumer.Place.VOUCHED


@pytest.mark.django_db
def test_only_the_clerk_of_an_active_station_draws(county, villager, bureau):
    consumer = factories.a_consumer()
    idle = factories.a_staff(Department.STATION, "无站")
    for who in (bureau, idle):
        assert refused(lambda who=who: assisting.draw_for(who, consumer, "dining", "sms", uuid.uuid4())) == "no_station"
    Station.objects.update(is_active=False)
    assert refused(lambda: assisting.draw_for(villager, consumer, "dining", "sms", uuid.uuid4())) == "no_station"
    assert refused(lambda: assisting.assign(Station.objects.get(), bureau)) == "not_station_staff"


@pytest.mark.usefixtures("within")
def test_an_assisted_draw_is_never_rewritten(county, villager, zhao):
    assist = assisted(county, villager)
    for change in ({"consumer": zhao}, {"outcome": "excluded", "draw": None}, {"proof": "seen"}):
        with pytest.raises(DatabaseError, match="never rewritten"), transaction.atomic():
            Assist.objects.filter(pk=assist.pk).update(**change)
    with pytest.raises(DatabaseError, match="never rewritten"), transaction.atomic():
        Assist.objects.filter(pk=assist.pk)._raw_delete("default")


# ---- paper


def printed(assist: Assist, villager, reason: str = "") -> str:  # type: ignore[no-untyped-def]
    """Print a coupon and return the token on the sheet."""
    serial = assisting.print_paper(assist.draw_id, villager, reason).serial
    return codes.paper_token(assist.draw_id, serial)


def scan(li, token: str, digits: str = "") -> Redemption:  # type: ignore[no-untyped-def]
    return redemption.scan(li, redemption.coupon_from_token(token), ScanOptions(paper_last4=digits))


@pytest.mark.usefixtures("within")
def test_paper_is_spent_with_the_holders_last_four(county, villager, li):
    token = printed(assisted(county, villager), villager)
    assert outcome(lambda: scan(li, token)) == "paper_digits"
    assert outcome(lambda: scan(li, token, "7789")) == "paper_digits"
    done = scan(li, token, "7788")
    redemption.complete(li, done.pk, redemption.Entry(done.threshold_fen, "2"))
    assert Coupon.objects.get().state == Coupon.State.USED
    assert outcome(lambda: scan(li, token, "7788")) == "coupon_used"


@pytest.mark.usefixtures("within")
def test_paper_is_spent_with_the_stations_word_once(county, villager, li):
    assist = assisted(county, villager)
    token = printed(assist, villager)
    older, word = (assisting.confirm(assist.draw_id, villager) for _ in range(2))
    assert outcome(lambda: scan(li, token, older if older != word else "000000")) == "paper_digits"
    done = scan(li, token, word)
    redemption.recall(done.pk, Actor("clerk", li.pk), "试", clerk=li)
    assert outcome(lambda: scan(li, token, word)) == "paper_digits"  # used up with the scan that it proved


@pytest.mark.usefixtures("within")
def test_the_stations_word_lasts_half_an_hour(county, villager, li, at):
    assist = assisted(county, villager)
    token = printed(assist, villager)
    word = assisting.confirm(assist.draw_id, villager)
    at(clock.now() + dt.timedelta(minutes=30))
    assert outcome(lambda: scan(li, token, word)) == "paper_digits"


@pytest.mark.usefixtures("within")
def test_a_lost_paper_is_replaced_and_the_old_one_is_dead(county, villager, li):
    assist = assisted(county, villager)
    old = printed(assist, villager)
    assert refused(lambda: printed(assist, villager)) == "reprint_reason"
    new = printed(assist, villager, "遗失")
    assert outcome(lambda: scan(li, old, "7788")) == "paper_replaced"
    assert outcome(lambda: scan(li, new, "7788")) == "ok"
    assert refused(lambda: printed(assist, villager, "再打")) == "not_printable"
    assert list(PaperPrint.objects.order_by("serial").values_list("serial", "reason")) == [(1, ""), (2, "遗失")]


@pytest.mark.usefixtures("within")
def test_a_paper_code_is_bound_to_one_coupon_and_one_print(county, villager):
    token = printed(assisted(county, villager), villager)
    assert codes.read_token(token, clock.now()) == codes.Presented(Coupon.objects.get().pk, is_paper=True, serial=1)
    for forged in (token[:-1] + ("A" if token[-1] != "A" else "B"), codes.paper_token(10**6, 1)):
        assert outcome(lambda forged=forged: redemption.coupon_from_token(forged)) in ("code_stale", "paper_replaced")


@whole
def test_guesses_at_a_lost_papers_digits_end_after_five(county, villager, li):
    token = printed(assisted(county, villager), villager)
    guesses = [(lambda digits=f"{n:04d}": scan(li, token, digits)) for n in range(12)]
    assert sorted(at_once(guesses)) == ["paper_digits"] * 5 + ["paper_tries"] * 7
    assert Attempt.objects.filter(outcome=PAPER_DIGITS.code).count() == 5
    assert outcome(lambda: scan(li, token, "7788")) == "paper_tries"  # the right ones too, for ten minutes


@whole
def test_without_the_queue_more_guesses_pass_than_five(county, villager, li):
    """The negative control of the test above: the harness sees the race when the clerk's row is not locked."""
    token = printed(assisted(county, villager), villager)
    together, real = threading.Barrier(8), Attempt.objects.filter

    def unlocked(clerk, presented, options):  # type: ignore[no-untyped-def]
        return scanning.logged("scan", clerk, presented.coupon_id, lambda: scanning._scan(clerk, presented, options))

    def counted(*args, **more):  # type: ignore[no-untyped-def]
        rows = real(*args, **more)
        found = rows.count()
        together.wait(timeout=20)
        return mock.Mock(count=lambda: found)

    with (
        mock.patch.object(scanning, "_scan_paper", unlocked),
        mock.patch.object(Person.objects, "select_for_update", return_value=Person.objects.all()),
        mock.patch.object(Coupon.objects, "select_for_update", return_value=Coupon.objects.all()),
        mock.patch.object(Attempt.objects, "filter", counted),
    ):
        outcomes = at_once([(lambda digits=f"{n:04d}": scan(li, token, digits)) for n in range(8)])
    assert outcomes.count("paper_digits") > 5


# ---- pages


def form_of(page: str) -> dict[str, str]:
    return {"key": re.search(r'name="key" value="([^"]+)"', page)[1]}  # type: ignore[index]


def test_the_limits_of_texts_are_told_the_station_in_its_own_words(county, villager, desk_of, at, settings):
    desk, address = desk_of(villager), reverse("admin:coupons_assist_draw")
    entered = form_of(desk.get(address).content.decode()) | {"name": "孙大爷", "phone": PHONE, "do": "send"}
    begun = at("2022-06-25 09:05")
    said = []
    for minutes in (0, 0, *range(1, 11)):
        at(begun + dt.timedelta(minutes=minutes))
        page = desk.post(address, entered).content.decode()
        said.append(re.findall(r"<p><b>(.*?)</b></p><p>(.*?)</p>", page))
    assert said[0] == said[2] == []
    assert said[1] == [("刚向这个号码发过短信", "请 60 秒后再发")]
    many = DESK_SMS_TOO_MANY(whose="这个号码", instead="以前绑定过的可改为当面核验身份证件")
    assert said[11] == [(many.message, many.next_step)]
    assert str(many) == "这个号码今天的短信次数已满（以前绑定过的可改为当面核验身份证件，或明天再发）"


@whole
def test_the_stations_page_from_code_to_sheet(county, villager, desk_of, li):
    desk, address = desk_of(villager), reverse("admin:coupons_assist_draw")
    entered = form_of(desk.get(address).content.decode()) | {
        "name": "孙大爷", "phone": PHONE, "category": "dining", "consents": "on",
    }  # fmt: skip
    with mock.patch.object(verifying.secrets, "randbelow", return_value=654321):
        sent = desk.post(address, entered | {"do": "send"}).content.decode()
    assert "验证码已发送" in sent
    assert 'value="孙大爷"' in sent

    unproven = desk.post(address, entered | {"do": "draw"})
    assert (unproven.status_code, Draw.objects.count()) == (400, 0)
    drawn = desk.post(address, entered | {"do": "draw", "code": "654321"})
    assist = Assist.objects.get()
    assert drawn.url == reverse("admin:coupons_assist_page", args=[assist.pk])
    page = desk.get(drawn.url).content.decode()
    assert "100<small>元</small> 餐饮消费券" in page
    assert PHONE not in page

    sheet = reverse("admin:coupons_assist_paper", args=[assist.pk])
    assert desk.get(sheet).status_code == 404  # nothing is printed by a look
    deed = reverse("admin:coupons_assist_rowdeed", args=[assist.pk, "paper"])
    assert desk.get(deed).status_code == 200
    assert PaperPrint.objects.count() == 0
    assert desk.post(deed).url == sheet
    paper = desk.get(sheet).content.decode()
    assert "7788" not in paper  # what proves the holder does not stand on the paper
    assert "300 元" in paper

    word = desk.post(reverse("admin:coupons_assist_rowdeed", args=[assist.pk, "confirm"]), {"reason": "火锅店来电"})
    digits = re.search(r'desk-code">([\d ]+)<', word.content.decode())[1].replace(" ", "")  # type: ignore[index]
    assert scan(li, codes.paper_token(assist.draw_id, 1), digits).state == Redemption.State.PENDING


@pytest.mark.usefixtures("within")
def test_a_station_sees_its_own_and_the_bureau_sees_all_apart(county, villager, desk_of):
    mine = assisted(county, villager)
    other = factories.a_staff(Department.STATION, "二")
    assisting.assign(Station.objects.create(name="赞字村服务站"), other)
    theirs = assisted(county, other, name="周奶奶", phone="19900007700")
    listed = reverse("admin:coupons_assist_changelist")
    at_station = desk_of(villager).get(listed).content.decode()
    assert ("让字村服务站</td>" in at_station, "赞字村服务站</td>" in at_station) == (True, False)
    assert "共 <b>1</b> 条" in at_station
    assert desk_of(villager).get(reverse("admin:coupons_assist_page", args=[theirs.pk])).status_code == 404
    assert desk_of(villager).get(reverse("admin:coupons_assist_page", args=[mine.pk])).status_code == 200
    factories.drawn(county, factories.a_consumer())
    for department in (Department.INDUSTRY, Department.DISCIPLINE):
        assert "共 <b>2</b> 条" in desk_of(department).get(listed).content.decode()
    # On 优惠券领取 they are told apart by 途径.
    coupons = reverse("admin:coupons_coupon_changelist")
    counts = [desk_of("industry").get(f"{coupons}?channel={way}").content.decode() for way in ("station", "self")]
    assert ["共 <b>2</b> 条" in counts[0], "共 <b>1</b> 条" in counts[1]] == [True, True]


@pytest.mark.usefixtures("within")
def test_where_a_round_draws_jointly_the_station_registers(at, villager):
    at("2022-06-25 08:30")
    county = factories.a_county(draw_mode="lottery")
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    assist = assisted(county, villager)
    assert (assist.outcome, assist.draw_id, Draw.objects.count()) == ("registered", None, 0)
    assert assisting.coupon_of(assist) is None
