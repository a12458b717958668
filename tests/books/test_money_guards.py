"""Each constraint of the money's tables with its negative control: off, the forbidden row stands; on, it is refused."""

# ruff: noqa: S608 (codes and accounts are written here)

from __future__ import annotations

import pytest
from django.db import connection, transaction
from psycopg import sql

from huigou import rights
from tests.books.trying import rows, transfer, tried

pytestmark = pytest.mark.django_db(transaction=True)


def again(code: str) -> str:
    """Write the transfers of a code once more, each with what approved it."""
    return (
        "INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,"
        " subject_kind, actor_kind, change_id, at) SELECT campaign_id, code, debit_kind, debit_key, credit_kind,"
        f" credit_key, amount_fen, '', 'system', change_id, now() FROM coupons_transfer WHERE code = '{code}'"
    )


def twice(code: str, credit: str) -> str:
    """Write two transfers out of one shop's account, for one use, under an approved request."""
    return (
        "INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,"
        f" subject_kind, subject_id, actor_kind, change_id, at) SELECT campaign_id, '{code}', 'payable', 0, '{credit}',"
        " n, 1, 'redemption', 0, 'system', id, now() FROM coupons_changerequest, generate_series(1, 2) n"
        f" WHERE verb = '{code}'"
    )


# table.constraint: a write that it forbids
CONSTRAINTS = {
    "coupons_transfer.transfer_request_once": again("fund"),
    "coupons_transfer.transfer_released_once": again("release"),
    "coupons_transfer.transfer_undrawn_once": again("undrawn"),
    "coupons_transfer.transfer_paid_once": twice("pay", "paid"),
    "coupons_transfer.transfer_disallowed_once": twice("disallow", "disallowed"),
    "coupons_transfer.transfer_positive": transfer(fen=0),
    "coupons_transfer.transfer_moves": transfer(debit="'pool'", key=0),
    "coupons_transfer.transfer_treasury_only_gives": transfer(credit="'treasury'"),
    "coupons_transfer.transfer_coupon_step": transfer(step=3),
    "coupons_transfer.transfer_birth_is_step_zero": transfer(
        code="'draw'", credit="'held'", coupon="coupon_id", step=9
    ),
    "coupons_transfer.transfer_needs_approval": transfer(code="'pay'"),
    "coupons_transfer.transfer_step_once": transfer(code="'draw'", coupon="coupon_id", step=0, credit="'held'"),
    "coupons_transfer.transfer_one_ending": (
        "INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,"
        " coupon_id, step, subject_kind, actor_kind, at) SELECT campaign_id, 'forfeit', 'held', debit_key,"
        " 'forfeited', debit_key, amount_fen, coupon_id, step + 1, '', 'system', now()"
        " FROM coupons_transfer WHERE code = 'expire'"
    ),
    "coupons_balance.balance_not_negative": "UPDATE coupons_balance SET amount_fen = -1",
    "coupons_balance.balance_once": (
        "INSERT INTO coupons_balance (campaign_id, account_kind, account_key, amount_fen)"
        " SELECT campaign_id, account_kind, account_key, 1 FROM coupons_balance"
    ),
    "coupons_changerequest.change_four_eyes": (
        "UPDATE coupons_changerequest SET state = 'approved', checker_id = maker_id, decided_at = now()"
        " WHERE verb = 'unfreeze'"
    ),
    "coupons_changerequest.change_executed_if_approved": (
        "UPDATE coupons_changerequest SET executed_at = now() WHERE verb = 'unfreeze'"
    ),
    "coupons_freeze.freeze_one_at_a_time": (
        "INSERT INTO coupons_freeze (campaign_id, findings, frozen_at) SELECT campaign_id, '[]', now()"
        " FROM coupons_freeze"
    ),
    "coupons_deck.deck_ticket_in_size": "UPDATE coupons_deck SET next_ticket = size + 1",
    "coupons_draw.draw_ticket_once": (
        "INSERT INTO coupons_draw (deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn, entry_hash,"
        " channel) SELECT deck_id, ticket, 0, drawn_at, kind, (SELECT max(id) FROM coupons_consumer),"
        " 'other'::bytea, turn, entry_hash, channel FROM coupons_draw WHERE ticket = 0 LIMIT 1"
    ),
    "coupons_draw.draw_face": (
        "INSERT INTO coupons_draw (deck_id, ticket, face_fen, drawn_at, kind, pseudonym, turn, entry_hash, channel)"
        " SELECT deck_id, 999, -1, drawn_at, 'void', 'none'::bytea, 1, entry_hash, channel FROM coupons_draw"
        " WHERE ticket = 0 LIMIT 1"
    ),
    "coupons_draw.draw_has_consumer": (
        "INSERT INTO coupons_draw (deck_id, ticket, face_fen, drawn_at, kind, pseudonym, turn, entry_hash, channel)"
        " SELECT deck_id, 999, 0, drawn_at, 'draw', 'none'::bytea, 1, entry_hash, channel FROM coupons_draw"
        " WHERE ticket = 0 LIMIT 1"
    ),
    "merchants_redemption.redemption_once": (
        "INSERT INTO merchants_redemption (coupon_id, consumer_id, category_id, merchant_id, outlet_id, clerk_id,"
        " face_fen, threshold_fen, state, scanned_at, entry_until, kind, note, receipt_no, payment, is_second)"
        " SELECT coupon_id, consumer_id, category_id, merchant_id, outlet_id, clerk_id, face_fen, threshold_fen,"
        " 'pending', scanned_at, entry_until, '', '', '', '', false FROM merchants_redemption"
    ),
    "reports_settlementline.line_paid_within_counted": (
        "UPDATE reports_settlementline SET paid_fen = counted_fen + 1, payment_no = 'x'"
    ),
    "reports_settlement.settlement_state_known": "UPDATE reports_settlement SET state = 'gone'",
    "reports_settlement.settlement_hash_form": "UPDATE reports_settlement SET sha256 = repeat('Z', 64)",
    "reports_settlement.settlement_frozen_has_time": "UPDATE reports_settlement SET frozen_at = NULL",
    "reports_settlement.settlement_approved_has_time": "UPDATE reports_settlement SET approved_at = NULL",
    "reports_settlement.settlement_paid_has_time": "UPDATE reports_settlement SET state = 'paid'",
    "reports_settlementline.line_counts": "UPDATE reports_settlementline SET counted = uses + 1",
    "reports_settlementline.line_claw_back_within_paid": (
        "UPDATE reports_settlementline SET clawed_back_fen = paid_fen + 1"
    ),
    "reports_settlementline.line_payment_number": "UPDATE reports_settlementline SET paid_fen = counted_fen",
    "reports_auditopinion.opinion_text_given": (
        "INSERT INTO reports_auditopinion (line_id, opinion, text, auditor_id, at)"
        " SELECT line_id, opinion, ' ', auditor_id, at FROM reports_auditopinion"
    ),
}


def test_each_constraint_of_the_money_refuses_what_happens_without_it(settled):
    ours = {
        f"{table}.{name}"
        for table, name in rows(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND"
            " conrelid::regclass::text IN ('coupons_transfer', 'coupons_balance', 'reports_settlementline')"
            " AND conname NOT LIKE '%%_check'"
            " UNION SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index WHERE indisunique"
            " AND NOT indisprimary AND indrelid::regclass::text IN ('coupons_transfer', 'coupons_balance')"
        )
    }
    assert ours - CONSTRAINTS.keys() == set()
    missed = []
    for name, statement in CONSTRAINTS.items():
        table, constraint = name.split(".")
        if (said := tried(statement)) != constraint:
            missed.append((name, "on", said))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE NONE")
            if table == "merchants_redemption":  # its trigger stands before the index and names the same rule
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                assert tried(statement) == constraint
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}")
            cursor.execute(f"DROP INDEX IF EXISTS {constraint}")
            cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(rights.web_role())))
            if (said := tried(statement)) != "nothing":
                missed.append((name, "off", said))
            transaction.set_rollback(True)
    assert missed == []
