"""What planning, pausing, moving and joint draws are refused for: at the desk, by the approval, on the page."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.db import connection
from django.urls import reverse

from coupons import approval, closing, custody, funding, lifecycle, lottery, pausing, seeds
from coupons.errors import (
    ALREADY_PAUSED,
    LIST_CHANGED,
    NOT_FUNDED,
    NOT_PAUSED,
    NOTHING_LEFT,
    PREVIOUS_NOT_BOOKED,
    REGISTRATION_OVER,
    RELEASE_OVER_POOL,
    ROUND_DEALT,
    ROUND_IS_OVER,
    ROUND_TIMES,
    WRONG_MODE,
)
from coupons.models import Registration, SeedShare
from coupons.plan import reallocate
from huigou.excel_reading import BAD_WORKBOOK, read_sheets
from huigou.models import Department
from tests import factories
from tests.books import walk
from tests.conftest import as_owner
from tests.refusals.unchanged import at_the_desk, on_the_page, refused, to_a_script

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def deed(desk, row, what: str, **data: object):  # type: ignore[no-untyped-def]
    return desk.post(reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_rowdeed", args=[row.pk, what]), data)


# ---- pauses


def test_a_pause_is_made_once_ended_once_and_not_made_of_what_is_over(county, desk_of, at):
    desk, (first, _) = desk_of(Department.INDUSTRY), county.rounds
    dining = county.categories["dining"]
    for row, what in ((first, str(first)), (dining, "餐饮")):
        at_the_desk(lambda row=row: deed(desk, row, "resume", reason="恢复"), NOT_PAUSED, what=what)
        assert deed(desk, row, "pause", reason="停电").status_code == 302
        at_the_desk(lambda row=row: deed(desk, row, "pause", reason="再停"), ALREADY_PAUSED, what=what)
    pausing.resume_round(first.pk)
    at(first.closes_at)
    at_the_desk(lambda: deed(desk, first, "pause", reason="停电"), ROUND_IS_OVER, number=1)


# ---- what is dealt is locked, and what is proposed must fit


def test_a_dealt_round_takes_no_other_release_time_share_or_public_number(county, desk_of, bureau, leaders):
    desk, (first, second) = desk_of(bureau), county.rounds
    batch = county.batches["dining", 100]
    ways = {
        "release": {f"batch_{batch.pk}": "3", "reason": "调整"},
        "postpone": {
            "opens_at_0": "2022-06-26", "opens_at_1": "09:00", "closes_at_0": "2022-06-30", "closes_at_1": "00:00",
            "opens_at": "2022-06-26 09:00", "closes_at": "2022-06-30 00:00", "notice": "延期一天", "reason": "份额未交",
        },
        "source": {"text": "体彩排列五第 22164 期", "reason": "公开"},
        "value": {"text": "12345", "reason": "公开"},
    }  # fmt: skip
    for what, entered in ways.items():
        at_the_desk(lambda what=what, entered=entered: deed(desk, first, what, **entered), ROUND_DEALT, number=1)
    SeedShare.objects.create(
        round=second, custodian=Department.AUDIT, commitment=bytes(32), committed_at=second.opens_at - 3 * DAY,
        committed_by=factories.a_staff(Department.AUDIT),
    )  # fmt: skip
    # Asked for before the dealing, approved after it: the approval is refused and stays open.
    counts = {batch.pk: 1}
    change = funding.propose_release(second, counts, maker=bureau, reason="调整")
    move = custody.propose_postponement(
        second, opens_at=second.opens_at + DAY, closes_at=second.closes_at, notice="延期", maker=bureau, reason="份额"
    )
    type(second).objects.filter(pk=second.pk).update(dealt_at=second.opens_at)
    second.refresh_from_db()
    for late in (change, move):
        with refused(ROUND_DEALT):
            approval.approve(late.pk, leaders)
    with refused(ROUND_DEALT):
        seeds.hand_over(second, factories.a_staff(Department.AUDIT), bytes(64))


def test_a_round_moves_only_later_and_between_its_neighbours(county, bureau, at):
    _, second = county.rounds
    wrong = [
        (second.opens_at - DAY, second.closes_at),  # earlier, and into round 1
        (second.opens_at, second.closes_at),  # not at all
        (second.closes_at, second.closes_at),  # no time left
        (county.rounds[0].opens_at, second.closes_at),
    ]
    for opens_at, closes_at in wrong:
        with refused(ROUND_TIMES):
            custody.propose_postponement(
                second, opens_at=opens_at, closes_at=closes_at, notice="延期", maker=bureau, reason="份额未交"
            )


def test_a_release_of_more_than_the_pool_holds_is_not_dealt(county, bureau, at):
    first, second = county.rounds
    batch = county.batches["dining", 100]
    with refused(RELEASE_OVER_POOL):
        funding.propose_release(second, {batch.pk: 21}, maker=bureau, reason="多放")
    # Asked for past the verb, and agreed: dealing does not believe it either.
    payload = {"round": second.pk, "counts": {str(batch.pk): 21}}
    asked = approval.propose("release", county.campaign, payload, summary="多放", reason="多放", maker=bureau)
    factories.agreed(asked)
    with refused(PREVIOUS_NOT_BOOKED):
        lifecycle.deal(second.pk)
    at(first.closes_at)
    lifecycle.book_round(first.pk)
    with refused(RELEASE_OVER_POOL):
        lifecycle.deal(second.pk)


def test_money_is_not_moved_between_batches_before_the_round_is_booked(at, bureau):
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 20, ("dining", 50): 20}, rounds=2, realloc_after=1)
    shift = reallocate.Shift(county.batches["dining", 100], county.batches["dining", 50], 1)
    at(county.rounds[0].closes_at)
    with refused(PREVIOUS_NOT_BOOKED):
        reallocate.propose(county.campaign, [shift], maker=bureau, reason="调整")


def test_a_campaign_without_money_does_not_go_live(at, bureau, leaders):
    at("2022-06-25 08:30")
    county = factories.a_county(launched=False)
    change = funding.propose_launch(county.campaign, maker=bureau, reason="方案核对完毕")
    with refused(NOT_FUNDED):
        approval.approve(change.pk, leaders)
    county.campaign.refresh_from_db()
    assert county.campaign.launched_at is None


def test_what_is_left_is_given_back_once(county, bureau, at):
    walk.to_the_end(county, at)
    factories.agreed(closing.propose_return(county.campaign, maker=bureau, reason="活动结束"))
    for again in (closing.propose_return, closing.propose_carry):
        with refused(NOTHING_LEFT):
            again(county.campaign, maker=bureau, reason="再来")


def test_what_is_no_workbook_is_refused_by_name(county):
    with refused(BAD_WORKBOOK):
        read_sheets(b"PK no workbook", "附件1.xlsx")


# ---- 报名摇号


def registered(client, category: str = "dining"):  # type: ignore[no-untyped-def]
    return client.post("/api/v1/registrations", json.dumps({"category": category}), "application/json")


@pytest.fixture
def listed(at) -> factories.County:  # type: ignore[no-untyped-def]
    """A campaign whose categories are drawn jointly, open since five minutes."""
    at("2022-06-25 08:30")
    made = factories.a_county(draw_mode="lottery")
    lifecycle.deal(made.rounds[0].pk)
    at("2022-06-25 09:05")
    return made


def test_nobody_registers_where_a_wheel_turns(county, wang, phone_of):
    to_a_script(lambda: registered(phone_of(wang)), WRONG_MODE, mode="幸运大转盘")


def test_a_late_registration_is_refused_by_script_and_page_and_an_early_one_stands(listed, at, phone_of):
    early, late = factories.a_consumer("王小明"), factories.a_consumer("赵生")
    first = registered(phone_of(early))
    assert first.status_code == 200
    until = lottery.ends_at(listed.rounds[0])
    at(until)
    lottery.joint_draw(factories.deck_of(listed))
    spoken = "6月25日" + until.astimezone(factories.FIRST_OPENING.tzinfo).strftime("%H:%M")
    to_a_script(lambda: registered(phone_of(late)), REGISTRATION_OVER, until=spoken)
    on_the_page(lambda: phone_of(late).post("/m/register/dining"), REGISTRATION_OVER, until=spoken)
    assert registered(phone_of(early)).json() == first.json()


def test_a_list_that_is_not_the_signed_one_gives_nobody_a_coupon(listed, at):
    people = [factories.a_consumer(name) for name in ("王小明", "赵生")]
    deck = factories.deck_of(listed)
    deck.round = listed.rounds[0]
    for person in people:
        lottery.register(person, deck)
    at(lottery.ends_at(listed.rounds[0]))
    assert lottery.fix_list(deck).count == 2
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE coupons_registration DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM coupons_registration WHERE consumer_id = %s", [people[1].pk])
        cursor.execute("ALTER TABLE coupons_registration ENABLE TRIGGER USER")
    assert Registration.objects.count() == 1
    with refused(LIST_CHANGED):
        lottery.joint_draw(deck)
