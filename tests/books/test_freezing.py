"""Red books: found within a minute by us and by bean-check; money stands still, and two people release it."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
from celery.schedules import crontab
from django.core.management import CommandError, call_command
from django.test import Client

from coupons import approval, closing, codes, consumers, drawing, lifecycle
from coupons.models import Coupon, Freeze, Round, Transfer
from huigou import clock
from huigou.celery import app
from huigou.errors import FROZEN, Refusal
from merchants import binding, redemption
from merchants.models import Redemption
from reports import beancount, exports, reconcile, settlement
from reports.errors import FREEZE_GREW, NOT_FROZEN
from reports.tasks import check_books, check_new
from tests import factories
from tests.books import walk
from tests.books.forging import forge, sealed
from tests.redemption.ground import shown

pytestmark = pytest.mark.django_db(transaction=True)
TAMPER = "UPDATE coupons_transfer SET amount_fen = amount_fen + 100 WHERE code = 'draw' AND coupon_id = %(coupon)s"


def refusal(deed) -> object:  # type: ignore[no-untyped-def]
    with pytest.raises(Refusal) as refused:
        deed()
    return refused.value.reason


@pytest.fixture
def coupon(county, wang) -> Coupon:
    """Wang's coupon, of whose birth somebody later alters the amount."""
    return factories.drawn(county, wang)


@pytest.fixture
def frozen(county, coupon, li) -> Freeze:
    """The books are red and frozen: one transfer was tampered with."""
    sealed(county.campaign)
    forge(TAMPER, coupon=coupon.pk)
    check_new()
    return Freeze.objects.get()


def bean_check(county: factories.County, folder: Path) -> int:
    """Return the exit code of somebody else's program on the exported books."""
    path = folder / "books.beancount"
    with path.open("w", encoding="utf-8") as out:
        beancount.export(county.campaign, out)
    return subprocess.run([Path(sys.executable).parent / "bean-check", path], capture_output=True).returncode


def test_one_tampered_transfer_is_found_by_us_and_by_bean_check(county, coupon, li, tmp_path):
    factories.used(factories.drawn(county, factories.a_consumer("钱")), li)
    sealed(county.campaign)
    call_command("check_books")
    assert bean_check(county, tmp_path) == 0
    forge(TAMPER, coupon=coupon.pk)
    assert bean_check(county, tmp_path) == 1
    with pytest.raises(CommandError):
        call_command("check_books")
    codes = {found["code"] for found in Freeze.objects.get().findings}
    assert codes == {"life", "states", "round", "sealed_sum", "sealed_digest"}


def test_what_runs_each_minute_freezes_what_was_tampered_with(county, coupon, frozen):
    """check_new is on the timetable at most a minute apart; the nightly one looks at every row."""
    new, nightly = app.conf.beat_schedule["check-new-entries"], app.conf.beat_schedule["check-books-nightly"]
    assert (new["task"], nightly["task"]) == (check_new.name, check_books.name)
    assert new["schedule"] <= 60
    assert isinstance(nightly["schedule"], crontab)
    assert "sealed_sum" in {found["code"] for found in frozen.findings}


def test_an_honest_minute_freezes_nothing(county, coupon, li):
    factories.used(coupon, li)
    assert check_new() == {str(county.campaign.pk): 0}
    assert check_books() == {str(county.campaign.pk): 0}
    assert not Freeze.objects.exists()


def test_two_checks_at_once_make_one_freeze(county, coupon, frozen):
    check_new()
    check_books()
    assert Freeze.objects.get() == frozen


# ---- what stands still, and what it says to whom


def test_everything_that_moves_money_is_refused_while_frozen(county, coupon, frozen, li, zhao, bureau, at):
    ask = drawing.Ask(factories.deck_of(county).pk, zhao.pk, turn=1)
    assert refusal(lambda: drawing.draw(ask)) is FROZEN
    assert refusal(lambda: redemption.scan(li, shown(coupon))) is FROZEN
    at(county.rounds[0].closes_at)
    assert refusal(lambda: lifecycle.book_round(county.rounds[0].pk)) is FROZEN
    assert refusal(lambda: lifecycle.deal(county.rounds[1].pk)) is FROZEN
    assert refusal(lambda: closing.propose_return(county.campaign, maker=bureau, reason="返还")) is FROZEN
    assert refusal(lambda: reconcile.guard(county.campaign, "导出")) is FROZEN
    assert refusal(lambda: settlement.freeze(settlement.collect(county.campaign))) is FROZEN
    for verb, payload in {
        "realloc": {"shifts": []},
        "reverse": {"redemption": 0, "full_refund": True},
        "disallow": {"settlement": settlement.collect(county.campaign).pk, "uses": {}},
        "clawback": {"line": 0, "fen": 1},
        "return": {"accounts": []},
        "carry": {"accounts": []},
        "close": {},
    }.items():
        change = approval.propose(verb, county.campaign, payload, summary="试", reason="试", maker=bureau)
        # A disallowance asks for a locked settlement first, and none is locked while the books are red.
        expected = "settlement_state" if verb == "disallow" else "books_frozen"
        with pytest.raises(Refusal) as refused:
            factories.agreed(change)
        assert (verb, refused.value.code) == (verb, expected)


def test_the_settlements_steps_are_refused_while_frozen(county, coupon, li, bureau, finance, leaders, at):
    factories.used(coupon, li)
    walk.to_the_end(county, at)
    made = walk.audited(county.campaign)
    at(settlement.due_at(county.campaign))
    settle = settlement.propose_settle(made, maker=bureau, reason="结算")
    Freeze.objects.create(
        campaign=county.campaign, findings=[{"code": "1", "message": "试", "fingerprint": "0"}], frozen_at=clock.now()
    )
    assert refusal(lambda: approval.approve(settle.pk, finance)) is FROZEN
    forge("DELETE FROM coupons_freeze", tables=("coupons_freeze",))
    approval.approve(settle.pk, finance)  # the control: without the freeze it goes through
    made.refresh_from_db()
    pay = settlement.propose_pay(made, {made.lines.get().pk: "财付1"}, maker=finance, reason="付款")
    Freeze.objects.create(
        campaign=county.campaign, findings=[{"code": "1", "message": "试", "fingerprint": "0"}], frozen_at=clock.now()
    )
    assert refusal(lambda: approval.approve(pay.pk, leaders)) is FROZEN


def test_consumers_and_clerks_read_a_plain_sentence(county, coupon, frozen, li, zhao):
    phone = Client(headers={"x-requested-with": "huigou"})
    phone.cookies[consumers.COOKIE] = consumers.cookie_of(zhao)
    home = phone.get("/m/")
    assert home.status_code == 200
    assert "账目核对中" in home.content.decode()
    drawn = phone.post("/api/v1/draws", {"category": "dining", "turn": 1}, content_type="application/json")
    assert (drawn.status_code, drawn.json()["code"]) == (503, "books_frozen")
    assert drawn.json()["message"] == "账目核对中，暂停办理：抽奖"
    assert phone.get("/m/coupons").status_code == 200

    counter = Client(headers={"x-requested-with": "huigou"})
    counter.cookies[binding.COOKIE] = binding.cookie_of(li)
    page = counter.get("/shop/scan")
    assert page.status_code == 200
    assert "账目核对中" in page.content.decode()
    refused = counter.post(
        "/api/v1/scans", {"token": codes.show(coupon.pk, clock.now()).token}, content_type="application/json"
    )
    assert (refused.status_code, refused.json()["code"]) == (503, "books_frozen")


def test_an_export_checks_first_and_its_cover_says_red(county, coupon, li, bureau):
    factories.used(coupon, li)
    sealed(county.campaign)
    forge(TAMPER, coupon=coupon.pk)
    job = exports.ask("uses", {}, bureau)
    exports.run(job.pk)
    assert Freeze.objects.filter(campaign=county.campaign).exists()


# ---- entries go on, expiry waits


def test_an_entry_is_taken_while_frozen_and_its_window_grows_by_the_freeze(county, coupon, li, finance, auditor, at):
    made = factories.scanned(coupon, li)
    sealed(county.campaign)
    until = made.entry_until
    at(until - dt.timedelta(hours=1))
    forge(TAMPER, coupon=coupon.pk)
    check_books()
    at(until + dt.timedelta(hours=5))
    assert redemption.forfeit_overdue() == 0
    entered = redemption.complete(li, made.pk, redemption.Entry(30_000, "3"))
    assert entered.state == Redemption.State.USED


def test_a_window_cut_into_is_longer_by_the_freeze_and_no_more(county, coupon, li, auditor, leaders, at):
    made = factories.scanned(coupon, li)
    sealed(county.campaign)
    until = made.entry_until
    at(until - dt.timedelta(hours=1))
    forge(TAMPER, coupon=coupon.pk)
    check_books()
    at(until + dt.timedelta(hours=2))
    _release(auditor, leaders)
    made.refresh_from_db()
    assert made.entry_until == until + dt.timedelta(hours=3)
    assert Round.objects.get(pk=county.rounds[0].pk).entry_until == until + dt.timedelta(hours=3)
    at(until + dt.timedelta(hours=3) - dt.timedelta(milliseconds=1))
    assert redemption.forfeit_overdue() == 0
    at(until + dt.timedelta(hours=3))
    assert refusal(lambda: redemption.complete(li, made.pk, redemption.Entry(30_000, "3"))).code == "entry_late"
    assert redemption.forfeit_overdue() == 1


def test_a_window_that_was_over_before_the_freeze_stays_over(county, coupon, li, at):
    made = factories.scanned(coupon, li)
    at(made.entry_until)
    Freeze.objects.create(
        campaign=county.campaign, findings=[{"code": "1", "message": "试", "fingerprint": "0"}], frozen_at=clock.now()
    )
    at(made.entry_until + dt.timedelta(hours=1))
    assert refusal(lambda: redemption.complete(li, made.pk, redemption.Entry(30_000, "3"))).code == "entry_late"


def test_a_frozen_campaigns_overdue_scans_do_not_take_anothers_places(county, li, at):
    """More of them are overdue, and earlier, than one run takes: the other campaign's is booked all the same."""
    for coupon in factories.drawn_by_many(county, factories.some_consumers(3)):
        factories.scanned(coupon, li)
    other = factories.a_county(opens_at=county.rounds[0].opens_at)
    at(other.rounds[0].opens_at)
    lifecycle.deal(other.rounds[0].pk)
    theirs = factories.drawn(other, factories.a_consumer("钱"))
    scan = factories.scanned(theirs, factories.a_clerk(factories.a_merchant(other)))
    Freeze.objects.create(campaign=county.campaign, findings=[], frozen_at=clock.now())
    at(scan.entry_until)
    assert redemption.forfeit_overdue(limit=1) == 1
    scan.refresh_from_db()
    assert scan.state == Redemption.State.FORFEITED
    assert redemption.forfeit_overdue(limit=1) == 0
    forge("DELETE FROM coupons_freeze", tables=("coupons_freeze",))
    assert [redemption.forfeit_overdue(limit=2) for _ in range(3)] == [2, 1, 0]


def test_expiry_waits_for_the_release_and_is_booked_then(county, coupon, frozen, auditor, leaders, at):
    at(county.rounds[0].closes_at + dt.timedelta(hours=6))
    assert lifecycle.sweep() == {"booked": 0, "dealt": 0}
    coupon.refresh_from_db()
    assert coupon.state == Coupon.State.HELD
    assert not Coupon.objects.filter(pk=coupon.pk).redeemable(clock.now()).exists()  # the clock decided already
    _release(auditor, leaders)
    assert lifecycle.sweep()["booked"] == 1
    coupon.refresh_from_db()
    assert coupon.state == Coupon.State.EXPIRED
    assert Transfer.objects.filter(coupon=coupon, code="expire").count() == 1


# ---- the release


def _release(auditor, leaders) -> None:  # type: ignore[no-untyped-def]
    change = reconcile.propose_release(Freeze.objects.get(released_at=None), maker=auditor, reason="已查明，逐项认可")
    approval.approve(change.pk, leaders)


def test_one_person_releases_nothing(county, coupon, frozen, auditor):
    change = reconcile.propose_release(frozen, maker=auditor, reason="查明")
    for checker in (auditor, factories.a_staff("audit", "同事")):
        with pytest.raises(Refusal):
            approval.approve(change.pk, checker)
    frozen.refresh_from_db()
    assert frozen.released_at is None


def test_a_released_finding_does_not_freeze_again_and_a_new_one_does(county, coupon, frozen, li, auditor, leaders, at):
    _release(auditor, leaders)
    check_new()
    check_books()
    assert Freeze.objects.filter(released_at=None).count() == 0
    # The coupon lives on, and the same fault with it.
    factories.used(coupon, li)
    check_new()
    check_books()
    assert Freeze.objects.filter(released_at=None).count() == 0
    forge("UPDATE coupons_transfer SET actor_id = 4711 WHERE code = 'release'")
    check_new()
    [found] = Freeze.objects.get(released_at=None).findings
    assert found["code"] == "sealed_digest"


def test_a_release_names_every_finding_that_stands(county, coupon, frozen, auditor, leaders):
    change = reconcile.propose_release(frozen, maker=auditor, reason="查明")
    assert change.payload["fingerprints"] == sorted(found["fingerprint"] for found in frozen.findings)
    forge("UPDATE coupons_transfer SET actor_id = 4711 WHERE code = 'release'")
    check_new()
    assert refusal(lambda: approval.approve(change.pk, leaders)) is FREEZE_GREW
    _release(auditor, leaders)
    later = approval.propose("unfreeze", county.campaign, change.payload, summary="再", reason="再", maker=auditor)
    assert refusal(lambda: approval.approve(later.pk, leaders)) is NOT_FROZEN


def test_another_campaigns_money_moves_on(county, coupon, frozen):
    other = factories.a_county({("dining", 100): 5}, opens_at=clock.now() + dt.timedelta(days=90))
    assert lifecycle.deal(other.rounds[0].pk)
