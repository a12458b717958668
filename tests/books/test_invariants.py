"""Each invariant sees its own violation, one forged case or more each; on honest books it says nothing."""

from __future__ import annotations

import pytest
from django.db import connection

from coupons import lifecycle
from coupons.models import Campaign
from reports import reconcile, settlement
from reports.reconcile import snapshot
from tests import factories
from tests.books import walk
from tests.books.forging import forge, sealed, undone

pytestmark = pytest.mark.django_db(transaction=True)

NEW = (  # what @new stands for below
    "INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,"
    " coupon_id, step, subject_kind, actor_kind, change_id, at)"
)

# invariant: the tables whose triggers are off, the constraints dropped before, and what is then written
FORGERIES: dict[str, list[tuple[tuple[str, ...], tuple[str, ...], str]]] = {
    "sums_to_zero": [
        (
            ("coupons_transfer",),
            ("coupons_transfer.transfer_positive",),
            "UPDATE coupons_transfer SET amount_fen = -amount_fen WHERE code = 'scan'",
        ),
        (
            ("coupons_transfer",),
            ("coupons_transfer.transfer_moves",),
            "UPDATE coupons_transfer SET debit_kind = credit_kind, debit_key = credit_key WHERE code = 'scan'",
        ),
    ],
    "treasury_gave_what_was_approved": [
        # An approved request's number stands on a second payment.
        (
            (),
            ("coupons_transfer.transfer_request_once",),
            "@new SELECT campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen, NULL,"
            " NULL, '', 'system', change_id, at FROM coupons_transfer WHERE code = 'fund'",
        ),
        (("coupons_campaign",), (), "UPDATE coupons_campaign SET budget_fen = 1 WHERE id = %(campaign)s"),
    ],
    "nothing_negative": [
        (
            (),
            (),
            "@new SELECT id, 'undrawn', 'round', 0, 'pool', 1, 1, NULL, NULL, '', 'system', NULL, now()"
            " FROM coupons_campaign WHERE id = %(campaign)s",
        )
    ],
    "kept_balances_agree": [
        ((), (), "UPDATE coupons_balance SET amount_fen = amount_fen + 1 WHERE campaign_id = %(campaign)s")
    ],
    "states_agree": [
        (
            ("coupons_coupon",),
            (),
            "UPDATE coupons_coupon SET state = 'expired', ended_at = now() WHERE state = 'held'",
        ),
        (
            ("coupons_coupon",),
            (),
            "UPDATE coupons_coupon SET state = 'held', ended_at = NULL WHERE state = 'forfeited'",
        ),
    ],
    "rounds_agree": [
        (("coupons_allotment",), (), "UPDATE coupons_allotment SET count = count + 1 WHERE round_id = %(round)s")
    ],
    "merchants_agree": [
        (
            ("merchants_redemption",),
            (),
            "UPDATE merchants_redemption SET merchant_id = (SELECT max(id) FROM merchants_merchant)"
            " WHERE state = 'used'",
        )
    ],
    "settlement_agrees": [
        ((), (), "UPDATE reports_settlementline SET counted_fen = counted_fen + 10000"),
        (
            (),
            (),
            "UPDATE reports_settlementline SET paid_fen = counted_fen, payment_no = '财付1' WHERE counted_fen > 0",
        ),
        (("reports_settlementuse",), (), "UPDATE reports_settlementuse SET verdict = 'disallowed'"),
    ],
    "nothing_sealed_changed": [
        (("coupons_transfer",), (), "UPDATE coupons_transfer SET amount_fen = amount_fen + 1 WHERE code = 'fund'"),
        (("coupons_transfer",), (), "DELETE FROM coupons_transfer WHERE code = 'scan'"),
        # The sums stay, the rows do not: who did it, and which of two like coupons it was.
        (("coupons_transfer",), (), "UPDATE coupons_transfer SET actor_id = 4711 WHERE code = 'complete'"),
        (
            ("coupons_transfer",),
            ("coupons_transfer.transfer_step_once",),
            "UPDATE coupons_transfer t SET coupon_id = CASE t.coupon_id WHEN x.lo THEN x.hi ELSE x.lo END"
            " FROM (SELECT min(coupon_id) lo, max(coupon_id) hi FROM coupons_transfer WHERE code = 'scan') x"
            " WHERE t.code = 'scan' AND t.coupon_id IN (x.lo, x.hi)",
        ),
    ],
    "coupons_lived_once": [
        (("coupons_transfer",), (), "UPDATE coupons_transfer SET amount_fen = 20000 WHERE code = 'scan'"),
        (("coupons_transfer",), (), "DELETE FROM coupons_transfer WHERE code = 'draw'"),
        (
            ("coupons_transfer",),
            ("coupons_transfer.transfer_one_ending",),
            "@new SELECT campaign_id, 'expire', 'held', credit_key, 'pool', credit_key, amount_fen,"
            " coupon_id, step + 1, '', 'system', NULL, at FROM coupons_transfer WHERE code = 'forfeit'",
        ),
        (("coupons_coupon",), (), "UPDATE coupons_coupon SET steps = steps + 1 WHERE state = 'held'"),
    ],
    "changes_were_approved": [
        (
            ("coupons_transfer",),
            ("coupons_transfer.transfer_needs_approval",),
            "UPDATE coupons_transfer SET change_id = NULL WHERE code = 'fund'",
        ),
        (
            ("coupons_transfer",),
            (),
            "UPDATE coupons_transfer SET change_id = (SELECT id FROM coupons_changerequest WHERE verb = 'launch' AND"
            " campaign_id = %(campaign)s) WHERE code = 'fund'",
        ),
        (
            ("coupons_changerequest",),
            ("coupons_changerequest.change_four_eyes",),
            "UPDATE coupons_changerequest SET checker_department = maker_department WHERE verb = 'fund'",
        ),
        (
            ("coupons_changerequest",),
            (),
            "UPDATE coupons_changerequest SET payload = payload || '{\"x\": 1}' WHERE verb = 'launch'",
        ),
    ],
    "draws_gave_what_they_show": [
        (("coupons_deck",), (), "UPDATE coupons_deck SET next_ticket = next_ticket + 1"),
        (("coupons_draw",), (), "UPDATE coupons_draw SET ticket = ticket + 100 WHERE ticket = 3"),
        (
            ("coupons_coupon",),
            (),
            "UPDATE coupons_coupon SET face_fen = 20000, threshold_fen = 60000 WHERE state = 'held'",
        ),
    ],
    "spent_by_the_rules": [
        (
            ("merchants_redemption",),
            ("merchants_redemption.redemption_threshold",),
            "UPDATE merchants_redemption SET amount_fen = threshold_fen - 1 WHERE state = 'used'",
        ),
        (
            ("merchants_redemption",),
            (),
            "UPDATE merchants_redemption SET threshold_fen = face_fen WHERE state = 'used'",
        ),
        (
            ("merchants_redemption",),
            (),
            "UPDATE merchants_redemption SET outlet_id = (SELECT max(id) FROM merchants_outlet) WHERE state = 'used'",
        ),
        (("merchants_clerk",), (), "UPDATE merchants_clerk SET unbound_at = bound_at"),
        (
            ("merchants_redemption",),
            ("merchants_redemption.redemption_times_in_order",),
            "UPDATE merchants_redemption SET scanned_at = scanned_at + interval '9 days' WHERE state = 'used'",
        ),
        (
            ("merchants_redemption",),
            (),
            "UPDATE merchants_redemption SET consumer_id = (SELECT max(id) FROM coupons_consumer) WHERE state = 'used'",
        ),
        (
            ("merchants_redemption",),
            ("merchants_redemption.redemption_unentered_is_empty",),
            "UPDATE merchants_redemption SET state = 'recalled' WHERE state = 'used'",
        ),
    ],
    "every_step_was_told": [(("coupons_event",), (), "DELETE FROM coupons_event WHERE verb = 'scan'")],
    "kept_sums_agree": [
        (("coupons_coupon",), (), "UPDATE coupons_coupon SET state = 'used' WHERE state = 'forfeited'"),
        (
            ("merchants_redemption",),
            ("merchants_redemption.redemption_unentered_is_empty",),
            "UPDATE merchants_redemption SET state = 'recalled' WHERE state = 'used'",
        ),
        # The web's own role can write this one.
        (
            (),
            (),
            "INSERT INTO coupons_consumerstep (block, day, place, is_bound, n)"
            " VALUES (0, '2022-06-25', 'unasked', true, 1)",
        ),
    ],
}


@pytest.fixture
def scene(county, at) -> factories.County:  # type: ignore[no-untyped-def]
    """Somebody's coupon is used, another's forfeited, one is scanned, one held; a settlement is collected."""
    li = factories.a_clerk(factories.a_merchant(county, name="乾安火锅店"), "李店员")
    wu = factories.a_clerk(factories.a_merchant(county, name="乾安饭庄"), "吴店员")
    coupons = factories.drawn_by_many(county, factories.some_consumers(5))
    factories.used(coupons[0], li)
    factories.scanned(coupons[1], li)
    at(county.rounds[0].closes_at)
    lifecycle.sweep()
    at(county.rounds[1].opens_at)
    lifecycle.sweep()
    walk_on = factories.drawn_by_many(county, factories.some_consumers(3), number=2)
    at(county.rounds[0].entry_until)
    from merchants import redemption

    assert redemption.forfeit_overdue() == 1
    factories.scanned(walk_on[0], wu)
    settlement.collect(county.campaign)
    return county


def found(campaign: Campaign, name: str) -> list[reconcile.Finding]:
    invariant = next(each for each in reconcile.INVARIANTS if each.__name__ == name)
    return list(invariant(snapshot.read(campaign.pk)))


def test_each_invariant_sees_its_own_violation(scene):
    assert FORGERIES.keys() == {each.__name__ for each in reconcile.INVARIANTS}
    sealed(scene.campaign)
    missed = []
    given = {"campaign": scene.campaign.pk, "round": scene.rounds[1].pk}
    for name, cases in FORGERIES.items():
        assert found(scene.campaign, name) == []
        for tables, without, statement in cases:
            with undone():
                forge(statement.replace("@new", NEW), tables=tables, without=without, **given)
                if not found(scene.campaign, name):
                    missed.append((name, statement))
    assert missed == []


def test_a_frozen_settlement_that_the_ledger_does_not_owe_is_found(county, wang, li, at):
    factories.used(factories.drawn(county, wang), li)
    walk.to_the_end(county, at)
    made = walk.audited(county.campaign)
    at(settlement.due_at(county.campaign))
    factories.agreed(
        settlement.propose_settle(made, maker=factories.a_staff("industry"), reason="结算"),
        factories.a_staff("finance"),
    )
    assert found(county.campaign, "settlement_agrees") == []
    with undone(), connection.cursor() as cursor:
        cursor.execute("UPDATE reports_settlementline SET counted_fen = 0, counted = 0")
        assert {each.code for each in found(county.campaign, "settlement_agrees")} == {"counted", "owed"}
