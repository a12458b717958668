"""The end of a campaign: both ways out for what is left, and a database that takes nothing afterwards."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from coupons import closing, funding, ledger
from coupons.errors import BALANCE_SHORT, CLOSING_EARLY, NOT_SETTLED, STILL_LEFT
from coupons.ledger import CARRIED, RETURNED
from coupons.models import Campaign, ChangeRequest, Freeze, Notice, Round, Transfer
from huigou import clock
from huigou.errors import Refusal
from huigou.rules import constraint_of
from merchants.models import Attempt
from reports import reconcile
from tests import factories
from tests.books import walk

pytestmark = pytest.mark.django_db(transaction=True)
TOTAL_FEN = 200_000  # twenty coupons of 100 yuan


@pytest.fixture
def ended(county, wang, li, at):
    """Wang's coupon was used, one is held and lapses, nineteen were never drawn; the shop is paid."""
    factories.used(factories.drawn(county, wang), li)
    factories.drawn(county, factories.a_consumer("钱"))
    walk.to_the_end(county, at)
    return county


def test_what_is_left_goes_back_to_the_treasury(ended, at):
    walk.paid(walk.audited(ended.campaign), at)
    walk.closed(ended.campaign)
    found = ledger.balances(ended.campaign.pk)
    assert found[RETURNED] == TOTAL_FEN - 10_000
    assert {party.kind for party, fen in found.items() if fen} == {"treasury", "returned", "paid"}
    assert reconcile.check(ended.campaign).findings == []


def test_what_is_left_is_carried_into_the_next_campaign(ended, at, bureau):
    walk.paid(walk.audited(ended.campaign), at)
    walk.closed(ended.campaign, carry=True)
    assert ledger.balances(ended.campaign.pk)[CARRIED] == 190_000
    following = factories.a_county({("dining", 100): 19}, launched=False, opens_at=clock.now()).campaign
    factories.agreed(funding.propose_fund(following, maker=bureau, reason="上期结转", carried_from=ended.campaign))
    assert ledger.pool_fen(following.pk) == {following.category_set.get().batches.get().pk: 190_000}
    assert funding.carried_fen(ended.campaign.pk) == 0
    third = factories.a_county({("dining", 100): 1}, launched=False, opens_at=clock.now()).campaign
    with pytest.raises(Refusal) as refused:
        funding.propose_fund(third, maker=bureau, reason="再转一次", carried_from=ended.campaign)
    assert refused.value.reason is BALANCE_SHORT


def test_nothing_is_given_away_while_a_coupon_is_out(county, wang, bureau, at):
    factories.drawn(county, wang)
    with pytest.raises(Refusal) as refused:
        closing.propose_return(county.campaign, maker=bureau, reason="太早")
    assert refused.value.reason is CLOSING_EARLY


def test_the_closing_books_the_last_round_when_no_sweep_ran(county, wang, bureau, at):
    factories.drawn(county, wang)
    at(county.rounds[-1].entry_until)
    factories.agreed(closing.propose_return(county.campaign, maker=bureau, reason="活动结束"))
    assert ledger.balances(county.campaign.pk)[RETURNED] == TOTAL_FEN
    assert Round.objects.filter(booked_at=None).count() == 0


def test_the_books_do_not_close_on_money(ended, at, bureau):
    with pytest.raises(Refusal) as refused:
        closing.propose_close(ended.campaign, maker=bureau, reason="结账")
    assert refused.value.reason is NOT_SETTLED
    walk.paid(walk.audited(ended.campaign), at)
    with pytest.raises(Refusal) as refused:
        closing.propose_close(ended.campaign, maker=bureau, reason="结账")
    assert refused.value.reason is STILL_LEFT


# One write of each kind, in SQL, as the web's role would send it.
WRITES = {
    "transfer": "INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key,"
    " amount_fen, subject_kind, actor_kind, at) SELECT id, 'undrawn', 'round', 0, 'pool', 1, 1, '', 'system', now()"
    " FROM coupons_campaign WHERE id = %(campaign)s",
    "balance": "UPDATE coupons_balance SET amount_fen = amount_fen + 1 WHERE campaign_id = %(campaign)s",
    "campaign": "UPDATE coupons_campaign SET budget_fen = budget_fen + 1 WHERE id = %(campaign)s",
    "reopening": "UPDATE coupons_campaign SET closed_at = NULL WHERE id = %(campaign)s",
    "category": "UPDATE coupons_category SET name = '新' WHERE campaign_id = %(campaign)s",
    "batch": "INSERT INTO coupons_batch (category_id, face_fen, name, planned, created_at)"
    " SELECT id, 777, '新券', 1, now() FROM coupons_category WHERE campaign_id = %(campaign)s",
    "round": "UPDATE coupons_round SET entry_until = entry_until + interval '1 day' WHERE campaign_id = %(campaign)s",
    "new round": "INSERT INTO coupons_round (campaign_id, number, opens_at, closes_at, entry_until, pause_notice,"
    " entropy_source, entropy_value, postponed_notice, registration_minutes) SELECT id, 99, '2023-01-01', '2023-01-02',"
    " '2023-01-03', '', '', '', '', 1 FROM coupons_campaign WHERE id = %(campaign)s",
    "allotment": "UPDATE coupons_allotment SET count = count + 1"
    " WHERE round_id IN (SELECT id FROM coupons_round WHERE campaign_id = %(campaign)s)",
    "deck": "UPDATE coupons_deck SET next_ticket = next_ticket + 1"
    " WHERE round_id IN (SELECT id FROM coupons_round WHERE campaign_id = %(campaign)s)",
    "draw": "INSERT INTO coupons_draw (deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn,"
    " entry_hash, channel) SELECT deck_id, ticket + 100, 0, drawn_at, kind, consumer_id, 'x'::bytea || int8send(id), turn, entry_hash, channel"  # noqa: E501
    " FROM coupons_draw WHERE deck_id IN (SELECT d.id FROM coupons_deck d JOIN coupons_round r ON r.id = d.round_id"
    " WHERE r.campaign_id = %(campaign)s)",
    "coupon": "UPDATE coupons_coupon SET state = 'held', steps = steps + 1, ended_at = NULL WHERE state = 'used'",
    "event": "INSERT INTO coupons_event (verb, coupon_id, actor_kind, at, note)"
    " SELECT 'draw', draw_id, 'system', now(), '' FROM coupons_coupon",
    "redemption": "UPDATE merchants_redemption SET note = '改'",
    "change": "INSERT INTO coupons_changerequest (verb, campaign_id, payload, payload_sha256, summary, reason, state,"
    " maker_id, maker_key, maker_department, made_at, checker_key, checker_department, decision_note)"
    " SELECT 'fund', campaign_id, '{}', repeat('0', 64), 'x', 'x', 'proposed', maker_id, '', '', now(), '', '', ''"
    " FROM coupons_changerequest WHERE campaign_id = %(campaign)s LIMIT 1",
    "share": "INSERT INTO coupons_seedshare (round_id, custodian, commitment, committed_at)"
    " SELECT id, 'audit', 'x', now() FROM coupons_round WHERE campaign_id = %(campaign)s",
    "settlement": "UPDATE reports_settlement SET sha256 = repeat('0', 64) WHERE campaign_id = %(campaign)s",
    "settlement line": "UPDATE reports_settlementline SET uses = uses + 1",
    "opinion": "INSERT INTO reports_auditopinion (line_id, opinion, text, auditor_id, at)"
    " SELECT line_id, opinion, text, auditor_id, at FROM reports_auditopinion",
    "plan finding": "INSERT INTO coupons_planfinding (campaign_id, code, sheet, cell, message, reason, accepted_by,"
    " accepted_at) VALUES (%(campaign)s, 'x', '', '', 'x', 'x', 'x', now())",
}


def refused_by(sql: str, campaign: Campaign) -> str:
    """Return the constraint that refused a statement, 'nothing' when it went through; it is rolled back."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, {"campaign": campaign.pk})
            assert cursor.rowcount > 0, "the statement must touch a row, or it proves nothing"
            transaction.set_rollback(True)
    except DatabaseError as error:
        return constraint_of(error) or str(error)
    return "nothing"


def test_after_the_closing_every_kind_of_write_is_refused(ended, at):
    walk.paid(walk.audited(ended.campaign), at)
    campaign = walk.closed(ended.campaign)
    # A dealt round's release and shares were fixed before, by a guard of their own.
    expected = dict.fromkeys(WRITES, "books_closed") | {"allotment": "round_is_dealt", "share": "round_is_dealt"}
    assert {name: refused_by(sql, campaign) for name, sql in WRITES.items()} == expected


def test_before_the_closing_these_writes_meet_no_closed_books(ended, at):
    """The negative control: it is the closing that refuses them."""
    walk.paid(walk.audited(ended.campaign), at)
    outcomes = {name: refused_by(sql, ended.campaign) for name, sql in WRITES.items() if name != "reopening"}
    assert "books_closed" not in outcomes.values()
    guarded_otherwise = {name: outcome for name, outcome in outcomes.items() if outcome != "nothing"}
    assert guarded_otherwise == {"allotment": "round_is_dealt", "share": "round_is_dealt"}


def test_an_approval_left_open_cannot_be_given_after_the_closing(ended, at, bureau, leaders):
    from coupons import approval

    walk.paid(walk.audited(ended.campaign), at)
    late = approval.propose("fund", ended.campaign, {"batches": {}}, summary="晚", reason="晚", maker=bureau)
    campaign = walk.closed(ended.campaign)
    with pytest.raises(DatabaseError, match="closed"):
        approval.approve(late.pk, leaders)
    assert ChangeRequest.objects.get(pk=late.pk).state == "proposed"
    assert Transfer.objects.filter(campaign=campaign, change=late).count() == 0


def test_the_log_of_attempts_notices_and_the_alarm_go_on_after_the_closing(ended, at):
    walk.paid(walk.audited(ended.campaign), at)
    campaign = walk.closed(ended.campaign)
    Attempt.objects.create(verb="scan", outcome="coupon_used", at=clock.now())
    Notice.objects.create(campaign=campaign, title="结账公告", body="账已结清", shown_from=clock.now())
    Freeze.objects.create(
        campaign=campaign, findings=[{"code": "1", "message": "试", "fingerprint": "0"}], frozen_at=clock.now()
    )
    Round.objects.filter(campaign=campaign).update(revealed_at=clock.now())
