"""What `make run` puts before a visitor: the county's plan, re-dated, approved by two departments, and lived in."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Max, Min

from coupons.models import Campaign, ChangeRequest, Coupon, Draw, Head, Round, SeedShare
from huigou import clock
from huigou.models import ClockShift
from merchants.models import BindingCode, Complaint, Merchant, Redemption
from reports import reconcile
from reports.demonstration.bringing_up import last_nine, past
from reports.demonstration.playing import WITH_A_RECORD
from tests.conftest import moment

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture(autouse=True)
def _a_folder_of_its_own(tmp_path, settings) -> None:
    """A demonstration leaves a trace in its folder while the clock is set back; tests beside this one would see it."""
    settings.VAR_DIR = tmp_path


@pytest.mark.parametrize(
    ("now", "opened_on"),
    [
        ("2026-03-10 08:30", "2026-03-09"),
        ("2026-03-10 08:59:59.999", "2026-03-09"),
        ("2026-03-10 09:00", "2026-03-10"),
        ("2026-03-10 00:00:30", "2026-03-09"),
        ("2026-03-01 00:10", "2026-02-28"),
    ],
)
def test_the_last_nine(now, opened_on):
    assert str(last_nine(moment(now))) == opened_on


def test_started_just_after_midnight_round_one_is_open(at):
    present = at("2026-03-10 00:00:30")
    call_command("create_demo", people=0, verbosity=0)
    rounds = list(Round.objects.order_by("number"))
    assert len(rounds) == 7
    assert rounds[0].opens_at == moment("2026-03-09 09:00")
    assert rounds[0].state(present) == "open"
    assert rounds[0].dealt_at == present
    assert rounds[1].opens_at == moment("2026-03-14 09:00")


def test_an_old_demonstration_says_where_it_stands_and_how_to_get_a_fresh_one(at, capsys, settings):
    at("2026-03-10 20:00")
    call_command("create_demo", people=0)
    assert "现在：第1轮可以抽奖，至3月14日24:00\n" in capsys.readouterr().out
    Round.objects.filter(number=2).update(opens_at=moment("2026-03-15 10:00"))
    for when, said in (
        ("2026-03-15 09:30", "现在：轮次之间，第2轮将于3月15日10:00开始\n"),
        ("2026-04-13 23:59", "现在：第7轮可以抽奖，至4月13日24:00\n"),
        (
            "2026-04-14 00:00",
            f"重新开始：按 Ctrl-C 停止，删除 {settings.VAR_DIR}（其中数据不再保留），再运行 make run\n",
        ),
    ):
        at(when)
        call_command("create_demo", people=0)
        assert said in capsys.readouterr().out
    assert Campaign.objects.count() == 1


@pytest.fixture
def lived_in(at, as_owner) -> Campaign:
    at("2026-03-10 20:00")
    with as_owner():
        call_command("create_demo", people=30, verbosity=0)
    return Campaign.objects.get()


def test_the_first_day_is_lived_through_the_real_verbs(lived_in, as_owner):
    campaign, round_ = lived_in, Round.objects.get(number=1)
    until = round_.opens_at + dt.timedelta(hours=11)

    # Two people of two departments, and everything sealed and signed before 9:00.
    assert set(
        ChangeRequest.objects.filter(state="approved").values_list("maker_department", "checker_department")
    ) == {("industry", "finance")}
    assert SeedShare.objects.aggregate(last=Max("published_at"))["last"] < round_.dealt_at < round_.opens_at
    assert Head.objects.filter(tickets=0).aggregate(last=Max("signed_at"))["last"] < round_.opens_at

    drawn = Draw.objects.aggregate(first=Min("drawn_at"), last=Max("drawn_at"))
    assert round_.opens_at < drawn["first"] < drawn["last"] < until
    assert Coupon.objects.filter(state=Coupon.State.USED).count() > 10
    assert not Redemption.objects.filter(scanned_at__gte=until).exists()
    assert ChangeRequest.objects.get(state="proposed").verb == "reverse"
    assert reconcile.check(campaign).findings == []

    # The clock runs true again, and a second run adds nothing.
    assert not ClockShift.objects.exclude(frozen_at=None).exists()
    before = Coupon.objects.count(), BindingCode.objects.count()
    with as_owner():
        call_command("create_demo", verbosity=0)
    assert (Coupon.objects.count(), BindingCode.objects.count()) == before
    only_invented_shops_have_a_bad_record()


def only_invented_shops_have_a_bad_record() -> None:
    invented = dict(WITH_A_RECORD)
    blemished = Merchant.objects.exclude(state__in=[Merchant.State.ACTIVE, Merchant.State.APPLIED])
    complained = Merchant.objects.filter(pk__in=Complaint.objects.values("merchant"))
    breached = Merchant.objects.filter(inspections__is_breach=True)
    assert {shop.name for rows in (blemished, complained, breached) for shop in rows} == set(invented)
    waiting = BindingCode.objects.filter(used_at=None)
    assert {code.outlet.merchant.state for code in waiting.select_related("outlet__merchant")} == {"active"}
    assert waiting.count() == 3


def test_a_killed_run_does_not_leave_the_clock_standing(at, as_owner):
    with as_owner():
        killed = past()
        killed.__enter__()  # in the middle of it: nobody comes to its end
        clock.shift(frozen_at=at("2022-06-25 09:00"))
        call_command("create_demo", people=0, verbosity=0)
    assert clock.now().year > 2022
    assert Round.objects.get(number=1).state(clock.now()) == "open"


def test_no_demonstration_where_real_people_are(settings):
    settings.DEMO = False
    with pytest.raises(CommandError, match="演示"):
        call_command("create_demo", verbosity=0)
    assert not Campaign.objects.exists()
