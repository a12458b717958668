"""What the tests of the database's guards try: statements that are rolled back, and the scene they are tried on."""

from __future__ import annotations

from django.db import DatabaseError, connection, transaction

from huigou.rules import constraint_of


def rows(text: str, *params: object) -> list[tuple]:  # type: ignore[type-arg]
    with connection.cursor() as cursor:
        cursor.execute(text, params)
        return cursor.fetchall()


def tried(text: str, params: object = None) -> str:
    """Return the constraint (or the words) that refused a statement, 'nothing' when it went through; rolled back."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(text, params)
            touched = cursor.rowcount
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            transaction.set_rollback(True)
    except DatabaseError as error:
        return constraint_of(error) or str(error).splitlines()[0]
    return "nothing" if touched else "no row was touched"


TRANSFER = (
    "INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,"
    " coupon_id, step, subject_kind, actor_kind, at) SELECT campaign_id, {code}, {debit}, 0, {credit}, {key}, {fen},"
    " {coupon}, {step}, '', 'system', now() FROM coupons_transfer WHERE code = 'draw' LIMIT 1"
)


def transfer(**given: object) -> str:
    """Return a statement that writes a transfer into the scene's campaign."""
    plain = {
        "code": "'undrawn'", "debit": "'round'", "credit": "'pool'", "key": 2, "fen": 1, "coupon": "NULL",
        "step": "NULL",
    }  # fmt: skip
    return TRANSFER.format(**(plain | given))
