"""What a redemption may say, held by the database past every verb: a row written by hand is refused by its rule."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from coupons.models import Consumer, Coupon
from huigou import clock
from huigou.rules import RULE_BROKEN, constraint_of, refusal_of
from merchants import errors, redemption
from merchants.models import Redemption
from tests import factories
from tests.books.forging import trigger_off
from tests.redemption.ground import held, outcome

pytestmark = pytest.mark.django_db

LATER = dt.timedelta(days=30)
# {rule: what a scan's row says otherwise}, from the coupon, its clerk, and others who stand by
SCANS = {
    "redemption_of_its_coupon": lambda s: {"threshold_fen": s.coupon.threshold_fen + 1},
    "redemption_begins_pending": lambda s: {"state": "recalled", "ended_at": clock.now()},
    "redemption_within_its_life": lambda s: {"scanned_at": s.coupon.expires_at, "entry_until": clock.now() + LATER},
    "redemption_of_its_clerk": lambda s: {"clerk": s.elsewhere},
    "redemption_not_ones_own": lambda s: {"clerk": s.holder_as_clerk},
    "redemption_at_its_trade": lambda s: s.at(s.without_trade),
    "redemption_second_is_marked": lambda s: s.after_another(),
    "redemption_other_receipt": lambda s: s.after_another() | {"is_second": True, "receipt_no": "A-1"},
}
# {rule: what an entry's row says otherwise}
ENTRIES = {
    "redemption_cashless": {"payment": ""},
    "redemption_kind_of_its_trade": {"kind": "菜籽油"},
    "redemption_other_receipt": {"is_second": True, "receipt_no": "A-1"},
}


class Stand:
    """A held coupon, the clerk to whom it is shown, and who else is there."""

    def __init__(self, trades) -> None:  # type: ignore[no-untyped-def]
        self.trades, self.wang = trades, factories.a_consumer("王小明")
        self.li = factories.a_clerk(factories.a_merchant(trades, name="乾安火锅店"), "李店员")
        self.coupon = held(trades, self.wang, "fuel")

    @property
    def elsewhere(self):
        return factories.a_clerk(factories.a_merchant(self.trades, name="乾安饭庄"), "孙店员")

    @property
    def without_trade(self):
        return factories.a_clerk(factories.a_merchant(self.trades, ["dining"], name="乾安面馆"), "周店员")

    @property
    def holder_as_clerk(self):
        clerk = factories.a_clerk(self.li.outlet, "王店员")
        clerk.person_id = self.wang.person_id
        clerk.save(update_fields=["person"])
        return clerk

    def at(self, clerk) -> dict:
        return {"clerk": clerk, "outlet": clerk.outlet, "merchant": clerk.outlet.merchant}

    def after_another(self) -> dict:
        scan = factories.scanned(held(self.trades, self.wang, "dining"), self.li)
        redemption.complete(self.li, scan.pk, redemption.Entry(scan.threshold_fen, "2", receipt_no="A-1"))
        return {}

    def row(self, coupon: Coupon, **other: object) -> Redemption:
        given = {
            "coupon": coupon, "consumer_id": coupon.holder_id, "category_id": coupon.batch.category_id,
            "face_fen": coupon.face_fen, "threshold_fen": coupon.threshold_fen, "scanned_at": clock.now(),
            "entry_until": coupon.round.entry_until, **self.at(self.li),
        }  # fmt: skip
        return Redemption(**(given | other))


@pytest.fixture
def stand(trades):
    return Stand(trades)


def refused_by(write) -> str:  # type: ignore[no-untyped-def]
    try:
        with transaction.atomic():
            write()
    except IntegrityError as refused:
        return constraint_of(refused)
    return "nothing"


@pytest.mark.parametrize("rule", SCANS)
def test_a_scan_written_by_hand_is_refused_by_its_rule(stand, rule):
    said = SCANS[rule](stand)
    assert refused_by(stand.row(stand.coupon, **said).save) == rule
    with trigger_off("redemption_is_born"):  # the negative control
        assert refused_by(stand.row(stand.coupon, **said).save) == "nothing"


def test_a_scan_written_by_hand_that_breaks_no_rule_stands(stand):
    """The negative control; the same coupon once more is refused whatever its earlier scan has come to."""
    row = stand.row(stand.coupon)
    assert refused_by(row.save) == "nothing"
    Redemption.objects.filter(pk=row.pk).update(state="recalled", ended_at=clock.now())
    Coupon.objects.filter(pk=stand.coupon.pk).update(state="pending", steps=2)
    assert refused_by(stand.row(stand.coupon).save) == "redemption_once"


def test_one_pending_scan_is_a_persons_not_a_bindings(stand):
    """Who unbinds and binds again holds the earlier coupons under another number."""
    factories.scanned(held(stand.trades, stand.wang, "dining"), stand.li)
    Consumer.objects.filter(pk=stand.wang.pk).update(unbound_at=clock.now())
    now = clock.now()
    anew = Consumer.objects.create(
        person=stand.wang.person, phone_key=stand.wang.phone_key, consented_at=now, consent_version="1", bound_at=now
    )
    coupon = held(stand.trades, anew, "book")
    assert coupon.holder_id != stand.wang.pk
    assert refused_by(stand.row(coupon).save) == "redemption_one_pending"
    with trigger_off("redemption_is_born"):  # the negative control: the index alone knows bindings, not persons
        assert refused_by(stand.row(coupon).save) == "nothing"


@pytest.mark.parametrize("rule", ENTRIES)
def test_an_entry_written_by_hand_is_refused_by_its_rule(stand, rule):
    other = {"is_second": False, "receipt_no": "", "kind": "92号", "payment": "card"} | ENTRIES[rule]
    if other["is_second"]:
        first = factories.scanned(held(stand.trades, stand.wang, "dining"), stand.li)
        _entered(first, kind="2", receipt_no="A-1", payment="")
    row = stand.row(stand.coupon, is_second=other.pop("is_second"), receipt_no="A-2")
    row.save()
    assert refused_by(lambda: _entered(row, **other)) == rule
    with trigger_off("redemption_is_entered"):  # the negative control
        assert refused_by(lambda: _entered(row, **other)) == "nothing"


def test_an_entry_written_by_hand_that_breaks_no_rule_stands(stand):
    row = stand.row(stand.coupon)
    row.save()
    assert refused_by(lambda: _entered(row, kind="92号", payment="card")) == "nothing"


def _entered(row: Redemption, **said: object) -> None:
    now = clock.now()
    Redemption.objects.filter(pk=row.pk).update(
        state="used", amount_fen=row.threshold_fen, completed_at=now, ended_at=now, **said
    )


# ---- what a person reads


def test_what_the_verb_overlooks_the_counter_says_all_the_same(stand, monkeypatch):
    """Negative control of the Python checks: without them the database's refusal is the same sentence."""
    from merchants.redemption import scanning

    monkeypatch.setattr(scanning, "refuse_scan", lambda *_: None)
    monkeypatch.setattr(scanning, "_second_coupon", lambda *_: False)
    assert outcome(lambda: factories.scanned(stand.coupon, stand.without_trade)) == errors.WRONG_MERCHANT.code
    assert outcome(lambda: factories.scanned(stand.coupon, stand.holder_as_clerk)) == errors.OWN_COUPON.code
    factories.used(held(stand.trades, stand.wang, "dining"), stand.li)
    assert outcome(lambda: factories.scanned(stand.coupon, stand.li)) == errors.SECOND_COUPON.code
    elsewhere = stand.elsewhere
    factories.scanned(held(stand.trades, stand.wang, "book"), elsewhere)
    assert outcome(lambda: factories.scanned(stand.coupon, elsewhere)) == errors.ONE_AT_A_TIME.code


def test_a_rule_that_no_verb_speaks_for_is_a_refusal_in_chinese(stand):
    with pytest.raises(DatabaseError) as held_by, transaction.atomic():
        stand.row(stand.coupon, payment="cash").save()
    refusal = refusal_of(held_by.value)
    assert (refusal.reason, refusal.status) == (RULE_BROKEN, 409)
    assert refusal.message == "付款方式须是规定的几种之一，不含现金"
    with pytest.raises(DatabaseError) as unknown, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    assert refusal_of(unknown.value) is None
