"""What a consumer shows: a token that lives 30 to 60 s, eight digits beside it, a paper with the phone's last four."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coupons import assisting, codes
from coupons.codes import Presented
from huigou import clock
from huigou.errors import Refusal
from huigou.models import Department
from merchants import redemption
from merchants.models import Attempt
from merchants.redemption import ScanOptions
from tests import factories
from tests.redemption.ground import held, outcome

SHOWN_AT = dt.datetime(2022, 6, 25, 9, 30, tzinfo=clock.SHANGHAI)  # the beginning of a step


def seconds(count: float) -> dt.datetime:
    return SHOWN_AT + dt.timedelta(seconds=count)


@pytest.mark.parametrize(
    ("age_s", "good"), [(0, True), (29.999, True), (30, True), (59.999, True), (60, False), (61, False), (3600, False)]
)
def test_a_token_lives_for_this_step_and_the_next(age_s, good):
    token = codes.show(7, SHOWN_AT).token
    assert codes.read_token(token, seconds(age_s)) == (Presented(7, is_paper=False) if good else None)
    digits = codes.show(7, SHOWN_AT).short_code
    assert (7 in codes.read_short(digits, seconds(age_s))) is good


@pytest.mark.parametrize("age_s", [0, 15, 29.999])
def test_at_any_moment_of_a_step_it_lives_at_least_30_s_and_less_than_61(age_s):
    shown = codes.show(7, seconds(age_s))
    assert codes.read_token(shown.token, seconds(age_s + 30)) is not None
    assert codes.read_token(shown.token, seconds(age_s + 61)) is None
    assert shown.valid_until == seconds(30)


def test_a_token_from_the_future_is_none():
    assert codes.read_token(codes.show(7, seconds(30)).token, SHOWN_AT) is None


@given(st.integers(0, 10**8 - 1), st.integers(2, 2**31 // codes.STEP_S))
@settings(deadline=None)
def test_eight_digits_lead_back_to_one_coupon(coupon_id, step):
    at = dt.datetime.fromtimestamp(step * codes.STEP_S, tz=clock.SHANGHAI)
    digits = codes.short_code(coupon_id, step)
    assert len(digits) == 8
    assert codes.read_short(digits, at)[0] == coupon_id


@given(st.one_of(st.text(max_size=60), st.binary(max_size=40).map(lambda b: base64.urlsafe_b64encode(b).decode())))
@settings(deadline=None)
def test_a_forged_token_is_none_and_never_falls_over(token):
    assert codes.read_token(token, SHOWN_AT) is None


@given(st.data())
@settings(deadline=None)
def test_one_changed_letter_is_a_forgery(data):
    token = codes.show(7, SHOWN_AT).token
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCabc019-_").filter(lambda letter: letter != token[at]))
    assert codes.read_token(token[:at] + other + token[at + 1 :], SHOWN_AT) is None


@pytest.mark.parametrize("typed", ["", "123", "123456789", "abcdefgh", "－－－－", "²" * 8, "①②③④⑤⑥⑦⑧"])
def test_what_is_not_eight_digits_means_no_coupon(typed):
    assert codes.read_short(typed, SHOWN_AT) == []


def test_digits_of_a_chinese_keyboard_are_digits():
    typed = codes.show(7, SHOWN_AT).short_code.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    assert 7 in codes.read_short(typed, SHOWN_AT)


# ---- at the counter


@pytest.fixture
def li(trades):
    return factories.a_clerk(factories.a_merchant(trades, name="乾安火锅店"), "李店员")


@pytest.mark.django_db
def test_a_61_second_old_token_is_refused_with_what_to_do(trades, li, at):
    at(SHOWN_AT)
    coupon = held(trades, factories.a_consumer(), "dining")
    token = codes.show(coupon.pk, SHOWN_AT).token
    at(seconds(59))
    assert redemption.coupon_from_token(token) == Presented(coupon.pk, is_paper=False)
    at(seconds(61))
    with pytest.raises(Refusal) as caught:
        redemption.coupon_from_token(token)
    assert (caught.value.code, "截图无效" in caught.value.next_step) == ("code_stale", True)


@pytest.mark.django_db
def test_a_paper_coupon_needs_the_holders_last_four(trades, li):
    coupon = held(trades, factories.a_consumer(phone="19900004321"), "dining")
    assisting.print_paper(coupon.pk, factories.a_staff(Department.STATION))
    paper = redemption.coupon_from_token(codes.paper_token(coupon.pk, 1))
    assert paper == Presented(coupon.pk, is_paper=True, serial=1)
    for digits in ("", "4320", "19900004321"):
        assert outcome(lambda d=digits: redemption.scan(li, paper, ScanOptions(paper_last4=d))) == "paper_digits"
    assert outcome(lambda: redemption.scan(li, paper, ScanOptions(paper_last4="4321"))) == "ok"


def wrong_digits(coupon_id: int, when: dt.datetime) -> str:
    """Return eight digits that are not this coupon's now."""
    return f"{(int(codes.show(coupon_id, when).short_code) + 1) % 10**8:08d}"


@pytest.mark.django_db
def test_five_wrong_short_codes_in_ten_minutes(trades, li, at):
    now = at(SHOWN_AT)
    coupon = held(trades, factories.a_consumer(), "dining")
    for _ in range(5):
        assert outcome(lambda: redemption.token_from_short(li, wrong_digits(coupon.pk, now))) == "code_stale"
    right = codes.show(coupon.pk, now).short_code
    assert outcome(lambda: redemption.token_from_short(li, right)) == "short_code_tries"
    colleague = factories.a_clerk(li.outlet, "吴店员")
    assert redemption.token_from_short(colleague, right).coupon_id == coupon.pk
    later = at(SHOWN_AT + dt.timedelta(minutes=10))
    assert redemption.token_from_short(li, codes.show(coupon.pk, later).short_code).coupon_id == coupon.pk
    assert Attempt.objects.filter(verb="short").count() == 5


@pytest.mark.django_db
def test_a_right_short_code_may_be_spoken_with_spaces(trades, li, at):
    now = at(SHOWN_AT)
    coupon = held(trades, factories.a_consumer(), "dining")
    digits = codes.show(coupon.pk, now).short_code
    assert redemption.token_from_short(li, f"{digits[:4]} {digits[4:]}").coupon_id == coupon.pk
