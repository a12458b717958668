"""A campaign's books in Beancount's format, so that somebody else's program can prove the same sums.

Each transfer is one transaction. The balances asserted at the end do *not* come from the transfers: they come from
the coupons' states, the kept balances, the redemptions and the settlement, so that a transfer that was tampered with
breaks an assertion.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TextIO

from django.db import connection, transaction
from django.db.models import Max

from coupons.ledger import Party
from coupons.models import Balance, Campaign, ChangeRequest, Transfer
from coupons.models.books import Account
from huigou import clock
from reports import reconcile
from reports.models import SettlementLine
from reports.reconcile import sums as other_path

CURRENCY = "CNY"
CHUNK = 20_000
NAMES = {
    Account.TREASURY: "Equity:Treasury",
    Account.POOL: "Assets:Pool:B{key}",
    Account.ROUND: "Assets:Round:A{key}",
    Account.HELD: "Assets:Held:B{key}",
    Account.PENDING: "Assets:Pending:B{key}",
    Account.PAYABLE: "Assets:Payable:M{key}",
    Account.FORFEITED: "Assets:Forfeited:B{key}",
    Account.DISALLOWED: "Assets:Disallowed:M{key}",
    Account.PAID: "Expenses:Paid:M{key}",
    Account.RETURNED: "Assets:Returned",
    Account.CARRIED: "Assets:Carried",
}


def account(party: Party) -> str:
    """Return an account's name in Beancount."""
    return NAMES[Account(party.kind)].format(key=party.key)


def amount(fen: int) -> str:
    """Return 12.34 CNY for 1234 fen, without separators."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d} {CURRENCY}"


def export(campaign: Campaign, out: TextIO) -> int:
    """Write the whole campaign; return how many transfers. One snapshot, in a transaction of its own.

    The books are checked before and the outcome stands in the head; red books freeze, and are written all the same:
    this file is what somebody else looks at them with.
    """
    report = reconcile.check(campaign)
    reconcile.freeze_if_red(campaign, report.findings)
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        rows = Transfer.objects.filter(campaign=campaign)
        count = 0
        first, last = dt.date(1970, 1, 1), dt.date(1970, 1, 1)
        if (latest := rows.aggregate(at=Max("at"))["at"]) is not None:
            last = clock.local(latest).date()
        out.write(f'option "title" "{campaign.code}"\noption "operating_currency" "{CURRENCY}"\n\n')
        out.write(f"; 核对 {len(report.lines)} 项，问题 {len(report.findings)} 个\n")
        for found in report.findings:
            out.write(f"; {found.message}\n")
        out.write("\n")
        for name in sorted({account(party) for party in _parties(campaign.pk)}):
            out.write(f"{first} open {name} {CURRENCY}\n")
        out.write("\n")
        for row in _transfers(campaign.pk):
            out.write(_transaction(*row))
            count += 1
        # A balance is asserted at the beginning of a day: the day after the last transfer.
        for party, fen in sorted(expected(campaign).items()):
            out.write(f"{last + dt.timedelta(days=1)} balance {account(party)} {amount(fen)}\n")
    return count


def _parties(campaign_id: int) -> set[Party]:
    rows = Transfer.objects.filter(campaign_id=campaign_id)
    debits = rows.values_list("debit_kind", "debit_key").distinct()
    credits_ = rows.values_list("credit_kind", "credit_key").distinct()
    return {Party(*pair) for pair in (*debits, *credits_)}


Row = tuple[int, str, dt.datetime, Party, Party, int, int | None]


def _transfers(campaign_id: int) -> Iterator[Row]:
    after = 0
    fields = ("pk", "code", "at", "debit_kind", "debit_key", "credit_kind", "credit_key", "amount_fen", "coupon_id")
    while True:
        page = Transfer.objects.filter(campaign_id=campaign_id, pk__gt=after).order_by("pk")
        chunk = list(page.values_list(*fields)[:CHUNK])
        if not chunk:
            return
        for pk, code, at, debit_kind, debit_key, credit_kind, credit_key, fen, coupon in chunk:
            yield pk, code, at, Party(debit_kind, debit_key), Party(credit_kind, credit_key), fen, coupon
        after = chunk[-1][0]


def _transaction(pk: int, code: str, at: dt.datetime, debit: Party, credit: Party, fen: int, coupon: int | None) -> str:
    what = f"{pk}" if coupon is None else f"{pk} coupon {coupon}"
    return (
        f'{clock.local(at).date()} * "{code}" "{what}"\n'
        f"  {account(credit)}  {amount(fen)}\n  {account(debit)}  {amount(-fen)}\n"
    )


def expected(campaign: Campaign) -> dict[Party, int]:
    """Return what each account must hold, in fen, by another way than the transfers."""
    found = dict.fromkeys(_parties(campaign.pk), 0)
    funds = ChangeRequest.objects.filter(campaign=campaign, verb="fund", executed_at__isnull=False)
    found[Party(Account.TREASURY)] = -sum(sum(change.payload["batches"].values()) for change in funds)
    kept = Balance.objects.filter(campaign=campaign, account_kind=Account.POOL)
    found |= {Party(Account.POOL, key): fen for key, fen in kept.values_list("account_key", "amount_fen")}
    found |= {Party(Account.ROUND, key): fen for key, fen in _query(other_path.ROUNDS, campaign)}
    for state, batch, fen in _query(other_path.STATES, campaign):
        if state in (Account.HELD, Account.PENDING, Account.FORFEITED):
            found[Party(state, batch)] = fen
    for merchant, fen in _query(other_path.USED, campaign):
        found[Party(Account.PAYABLE, merchant)] = fen
    refused = dict(_query(other_path.SETTLED, campaign))
    lines = {line.merchant_id: line for line in SettlementLine.objects.filter(settlement__campaign=campaign)}
    for merchant in refused.keys() | lines.keys():
        line, off = lines.get(merchant), refused.get(merchant, 0)
        paid, back = (line.paid_fen, line.clawed_back_fen) if line else (0, 0)
        found[Party(Account.PAYABLE, merchant)] = found.get(Party(Account.PAYABLE, merchant), 0) - off - paid
        if Party(Account.PAID, merchant) in found:
            found[Party(Account.PAID, merchant)] = paid - back
        if Party(Account.DISALLOWED, merchant) in found:
            found[Party(Account.DISALLOWED, merchant)] = off + back
    return _given_away(campaign, found)


def _given_away(campaign: Campaign, found: dict[Party, int]) -> dict[Party, int]:
    """Take what approved changes returned or carried over out of where it was; the pool's kept balance has it."""
    for change in ChangeRequest.objects.filter(
        campaign=campaign, verb__in=["return", "carry"], executed_at__isnull=False
    ):
        to = Party(Account.RETURNED if change.verb == "return" else Account.CARRIED)
        for kind, key, fen in change.payload["accounts"]:
            found[to] = found.get(to, 0) + fen
            if kind != Account.POOL:
                found[Party(kind, key)] = found.get(Party(kind, key), 0) - fen
    known = _parties(campaign.pk)
    return {party: fen for party, fen in found.items() if fen or party in known}


def _query(sql: str, campaign: Campaign) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"campaign": campaign.pk})
        return [(*row[:-1], int(row[-1])) for row in cursor.fetchall()]
