"""The ledger refuses, in the database itself and to the web's own role."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from coupons import ledger, lifecycle
from coupons.errors import BALANCE_SHORT, OVER_BUDGET, WRONG_STATE
from coupons.funding import propose_fund
from coupons.ledger import SYSTEM, TREASURY, Move, Party
from coupons.models import Balance, Coupon, Transfer
from huigou import clock
from huigou.errors import Refusal
from huigou.rules import constraint_of
from huigou.tables import APPEND_ONLY
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def refusal_of(sql: str, *params: object) -> str:
    """Return what the database says to a statement of the web's role; it is rolled back in any case."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, params)
            transaction.set_rollback(True)
    except DatabaseError as error:
        return str(error).splitlines()[0]
    return "nothing"


def tables() -> list[str]:
    from huigou.rights import table_of

    return [table_of(label) for label in APPEND_ONLY]


@pytest.mark.parametrize("verb", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_web_can_only_add_to_append_only_tables(db, verb):
    answers = {table: refusal_of(verb.format(table)) for table in tables()}
    assert answers == {table: f"permission denied for table {table}" for table in tables()}


def test_the_triggers_stand_behind_the_rights(county, as_owner):
    """The negative control of the rights: with the owner's, the triggers still refuse."""
    with as_owner():
        for verb in ("UPDATE coupons_transfer SET amount_fen = 1", "DELETE FROM coupons_transfer"):
            assert "Cannot update or delete rows" in refusal_of(verb)
        assert "Cannot truncate" in refusal_of("TRUNCATE coupons_transfer CASCADE")


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE coupons_transfer DISABLE TRIGGER ALL",
        "DROP TRIGGER pgtrigger_transfer_append_only_0c2b1 ON coupons_transfer",
        "SET session_replication_role = 'replica'",
        "GRANT UPDATE ON coupons_transfer TO PUBLIC",
    ],
)
def test_the_web_cannot_switch_a_guard_off(county, sql):
    answer = refusal_of(sql)
    granted_nothing = sql.startswith("GRANT") and refusal_of("UPDATE coupons_transfer SET step = 0").startswith(
        "permission denied"
    )
    assert "must be owner" in answer or "permission denied" in answer or "does not exist" in answer or granted_nothing


def _birth(county: factories.County, coupon: Coupon, **changes: object) -> Move:
    given = {
        "code": "draw",
        "debit": Party("round", county.rounds[0].allotments.get().pk),
        "credit": Party("held", coupon.batch_id),
        "amount_fen": coupon.face_fen,
        "coupon_id": coupon.pk,
        "step": 0,
    }
    return Move(**(given | changes))


def _constraint(county: factories.County, move: Move) -> str:
    with pytest.raises(IntegrityError) as refused:
        ledger.post(county.campaign.pk, [move], actor=SYSTEM, at=clock.now())
    return constraint_of(refused.value)


def test_a_coupon_is_born_once(county, wang):
    coupon = factories.drawn(county, wang)
    assert _constraint(county, _birth(county, coupon)) == "transfer_step_once"
    assert _constraint(county, _birth(county, coupon, step=5)) == "transfer_birth_is_step_zero"


def test_a_coupon_ends_once(county, wang, at):
    coupon = factories.drawn(county, wang)
    at(county.rounds[0].closes_at)
    lifecycle.sweep()
    coupon.refresh_from_db()
    assert coupon.state == Coupon.State.EXPIRED
    second = Move("expire", Party("held", coupon.batch_id), Party("pool", coupon.batch_id), 10_000, coupon.pk, 7)
    assert _constraint(county, second) == "transfer_one_ending"
    with pytest.raises(Refusal) as refused, transaction.atomic():  # noqa: PT012
        stale = Coupon(pk=coupon.pk, state=Coupon.State.HELD, steps=1, face_fen=10_000, batch_id=coupon.batch_id)
        lifecycle.scan(stale, campaign_id=county.campaign.pk, redemption_id=1, actor=SYSTEM, at=clock.now())
    assert refused.value.reason is WRONG_STATE


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"amount_fen": 0}, "transfer_positive"),
        ({"amount_fen": -1}, "transfer_positive"),
        ({"credit": Party("pool", 1), "debit": Party("pool", 1)}, "transfer_moves"),
        ({"credit": TREASURY}, "transfer_treasury_only_gives"),
        ({"code": "pay"}, "transfer_needs_approval"),
        ({"code": "fund", "debit": TREASURY}, "transfer_needs_approval"),
        ({"coupon_id": None, "step": 3}, "transfer_coupon_step"),
    ],
)
def test_a_transfer_that_cannot_be_is_refused(county, changes, constraint):
    given = {"code": "undrawn", "debit": Party("round", 0), "credit": Party("pool", 2), "amount_fen": 1}
    assert _constraint(county, Move(**(given | changes))) == constraint


def test_the_pool_gives_no_more_than_it_holds(county):
    batch = county.batches["dining", 100]
    held_fen = ledger.pool_fen(county.campaign.pk)[batch.pk]
    move = Move("release", Party("pool", batch.pk), Party("round", 0), held_fen + 1)
    with pytest.raises(Refusal) as refused:
        ledger.post(county.campaign.pk, [move], actor=SYSTEM, at=clock.now())
    assert refused.value.reason is BALANCE_SHORT
    assert Balance.objects.get(account_key=batch.pk).amount_fen == held_fen
    assert not Transfer.objects.filter(credit_key=0, credit_kind="round", code="release", amount_fen=held_fen + 1)


def test_no_more_is_funded_than_the_budget(county, bureau):
    with pytest.raises(Refusal) as refused:
        propose_fund(county.campaign, maker=bureau, reason="再拨一次")
    assert refused.value.reason is OVER_BUDGET
