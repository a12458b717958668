"""The only writer of transfers.

An account is (kind, key) without a foreign key; one transfer row moves a positive whole amount of fen from one account
to another and cannot be unbalanced. Only the pool keeps a balance (`Balance`, CHECK >= 0): approved movements and
bookings draw on it. Everybody else's non-negativity follows from the coupon's way of life and the deck's CHECK.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

from coupons.errors import BALANCE_SHORT, BOOKS_CLOSED
from coupons.models import Balance, ChangeRequest, Transfer
from coupons.models.books import Account, ActorKind
from huigou.errors import Refusal
from huigou.rules import constraint_of

KEPT = (Account.POOL,)


class Party(NamedTuple):
    """An account: its kind and whose it is (batch, allotment or merchant number; 0 where there is only one)."""

    kind: str
    key: int = 0


@dataclass(frozen=True)
class Actor:
    """Who did it."""

    kind: str
    id: int | None = None


SYSTEM = Actor(ActorKind.SYSTEM)
TREASURY = Party(Account.TREASURY)
RETURNED = Party(Account.RETURNED)
CARRIED = Party(Account.CARRIED)


@dataclass(frozen=True)
class Move:
    """One transfer to be written."""

    code: str
    debit: Party
    credit: Party
    amount_fen: int
    coupon_id: int | None = None
    step: int | None = None
    subject_kind: str = ""
    subject_id: int | None = None


def post(
    campaign_id: int, moves: Iterable[Move], *, actor: Actor, at: dt.datetime, change: ChangeRequest | None = None
) -> list[Transfer]:
    """Write transfers and bring the kept balances along, in the caller's transaction.

    Raises BALANCE_SHORT when the pool does not hold the amount, BOOKS_CLOSED after the closing.
    """
    rows = [
        Transfer(
            campaign_id=campaign_id,
            code=move.code,
            debit_kind=move.debit.kind,
            debit_key=move.debit.key,
            credit_kind=move.credit.kind,
            credit_key=move.credit.key,
            amount_fen=move.amount_fen,
            coupon_id=move.coupon_id,
            step=move.step,
            subject_kind=move.subject_kind,
            subject_id=move.subject_id,
            actor_kind=actor.kind,
            actor_id=actor.id,
            change=change,
            at=at,
        )
        for move in moves
    ]
    with refusing():
        Transfer.objects.bulk_create(rows)
        keep_balances(campaign_id, ((Party(r.debit_kind, r.debit_key), -r.amount_fen) for r in rows))
        keep_balances(campaign_id, ((Party(r.credit_kind, r.credit_key), r.amount_fen) for r in rows))
    return rows


def keep_balances(campaign_id: int, changes: Iterable[tuple[Party, int]]) -> None:
    """Add changes (fen, signed) to the kept balances, in the order of keys so that two writers cannot deadlock."""
    sums: dict[Party, int] = defaultdict(int)
    for party, change_fen in changes:
        if party.kind in KEPT:
            sums[party] += change_fen
    for party, change_fen in sorted(sums.items()):
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE coupons_balance SET amount_fen = amount_fen + %s"
                " WHERE campaign_id = %s AND account_kind = %s AND account_key = %s",
                [change_fen, campaign_id, party.kind, party.key],
            )
            if cursor.rowcount == 0:
                Balance.objects.create(
                    campaign_id=campaign_id, account_kind=party.kind, account_key=party.key, amount_fen=change_fen
                )


_REFUSED_BY = {"balance_not_negative": BALANCE_SHORT, "books_closed": BOOKS_CLOSED}


class refusing(transaction.Atomic):
    """A savepoint in which the database's own refusals of a movement become ours."""

    def __init__(self) -> None:
        super().__init__(using=None, savepoint=True, durable=False)

    def __exit__(self, kind, error, trace):  # type: ignore[no-untyped-def]
        super().__exit__(kind, error, trace)
        if (reason := _REFUSED_BY.get(constraint_of(error))) is not None:
            raise Refusal(reason) from error


def violates(error: IntegrityError, name: str) -> bool:
    """Say whether this error is the named constraint's."""
    return constraint_of(error) == name


def balance_fen(campaign_id: int, party: Party) -> int:
    """Return an account's balance in fen, summed from the transfers."""
    rows = Transfer.objects.filter(campaign_id=campaign_id)
    into = rows.filter(credit_kind=party.kind, credit_key=party.key).aggregate(s=Sum("amount_fen"))["s"] or 0
    out = rows.filter(debit_kind=party.kind, debit_key=party.key).aggregate(s=Sum("amount_fen"))["s"] or 0
    return into - out


def pool_fen(campaign_id: int) -> dict[int, int]:
    """Return {batch id: fen in the pool} from the kept balances."""
    rows = Balance.objects.filter(campaign_id=campaign_id, account_kind=Account.POOL)
    return dict(rows.values_list("account_key", "amount_fen"))


def balances(campaign_id: int) -> dict[Party, int]:
    """Return every account's balance in fen, summed from the transfers in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, key, sum(fen) FROM ("
            " SELECT credit_kind AS kind, credit_key AS key, amount_fen AS fen FROM coupons_transfer"
            "  WHERE campaign_id = %s"
            " UNION ALL SELECT debit_kind, debit_key, -amount_fen FROM coupons_transfer WHERE campaign_id = %s"
            ") moves GROUP BY kind, key",
            [campaign_id, campaign_id],
        )
        return {Party(kind, key): int(fen) for kind, key, fen in cursor.fetchall()}
