"""One snapshot of a campaign's books, and what a finding in it looks like."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection, transaction

from coupons.ledger import Party
from coupons.models import Campaign
from reports.models import Seal

AT_MOST = 50  # findings per invariant: enough to see what happened, few enough to read
# Sealed transfers up to which even the minutely check reads every row again, so that an old row altered by a
# superuser freezes within that minute. Above it the minute goes on from the sealed sums and reads what is new; old
# rows are then the full check's (nightly, before exports, on demand). 200,000 transfers took 0.5 s on two cores.
REREAD_UP_TO = 2_000_000


@dataclass(frozen=True)
class Finding:
    """Something the books say that cannot be. ``fingerprint`` stays the same while the same thing is wrong."""

    code: str
    message: str
    fingerprint: str

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message, "fingerprint": self.fingerprint}


def finding(code: str, message: str, *what: object) -> Finding:
    """Return a finding whose fingerprint is made of the code and of what is wrong by how much."""
    text = "|".join(str(part) for part in (code, *what))
    return Finding(code, message, hashlib.sha256(text.encode()).hexdigest()[:16])


@dataclass(frozen=True)
class Flow:
    """All transfers of one code between two accounts, together."""

    code: str
    debit: Party
    credit: Party
    fen: int
    least_fen: int
    count: int

    def with_more(self, other: Flow) -> Flow:
        """Return both of one way together."""
        least = min(self.least_fen, other.least_fen)
        return replace(self, fen=self.fen + other.fen, least_fen=least, count=self.count + other.count)


@dataclass
class Sums:
    """Balances of a part of the transfers, in fen, how many they are, and what they are made of."""

    fen: dict[str, int] = field(default_factory=dict)  # "kind:key"
    count: int = 0
    flows: dict[tuple[str, Party, Party], Flow] = field(default_factory=dict)

    def add(self, flow: Flow) -> None:
        for party, fen in ((flow.debit, -flow.fen), (flow.credit, flow.fen)):
            key = f"{party.kind}:{party.key}"
            self.fen[key] = self.fen.get(key, 0) + fen
        self.count += flow.count
        way = (flow.code, flow.debit, flow.credit)
        self.flows[way] = self.flows[way].with_more(flow) if way in self.flows else flow

    def as_rows(self) -> list[list[Any]]:
        """Return the flows as a seal keeps them."""
        return [[f.code, *f.debit, *f.credit, f.fen, f.least_fen, f.count] for _, f in sorted(self.flows.items())]


@dataclass
class Snapshot:
    """What the invariants read: one campaign at one instant. ``since`` is a horizon; 0 looks at every row."""

    campaign: Campaign
    now: dt.datetime
    horizon: int
    since: int
    seal: Seal | None
    flows: list[Flow]
    sealed: Sums  # what lies below the seal's horizon, as it reads today
    sealable: Sums  # what lies below this snapshot's own horizon: every transaction there has ended
    sealed_digest: str
    sealable_digest: str
    balances: dict[Party, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sums: dict[Party, int] = defaultdict(int)
        for flow in self.flows:
            sums[flow.debit] -= flow.fen
            sums[flow.credit] += flow.fen
        self.balances = dict(sums)

    @property
    def transfers(self) -> int:
        return sum(flow.count for flow in self.flows)

    def rows(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        """Run a query of an invariant; %(campaign)s, %(since)s and %(limit)s are given."""
        given = {"campaign": self.campaign.pk, "since": self.since, "limit": AT_MOST, **params}
        with connection.cursor() as cursor:
            cursor.execute(sql, given)
            return cursor.fetchall()

    def total(self, *codes: str, debit: str = "", credit: str = "") -> dict[int, int]:
        """Return {account key: fen} that moved under these codes out of (or into) accounts of a kind."""
        sums: dict[int, int] = defaultdict(int)
        for flow in self.flows:
            if not codes or flow.code in codes:
                if debit and flow.debit.kind == debit:
                    sums[flow.debit.key] += flow.fen
                if credit and flow.credit.kind == credit:
                    sums[flow.credit.key] += flow.fen
        return dict(sums)

    def of_kind(self, kind: str) -> dict[int, int]:
        """Return {account key: fen} of all accounts of a kind that hold something."""
        return {party.key: fen for party, fen in self.balances.items() if party.kind == kind and fen}


# ``low`` is 0 where every row is read again, else the seal's horizon.
_FLOWS = """
SELECT code, debit_kind, debit_key, credit_kind, credit_key, xact < %(edge)s, xact < %(horizon)s,
       sum(amount_fen), min(amount_fen), count(*)
  FROM coupons_transfer WHERE campaign_id = %(campaign)s AND xact >= %(low)s
 GROUP BY code, debit_kind, debit_key, credit_kind, credit_key, xact < %(edge)s, xact < %(horizon)s
"""


# Sums do not see two rows that changed places, or an altered actor or moment: every column of every row does. XOR,
# so that the digest of what is sealed and the digest of what came after make that of both.
_DIGEST = """
SELECT coalesce(bit_xor(h) FILTER (WHERE xact < %(edge)s), 0),
       coalesce(bit_xor(h) FILTER (WHERE xact < %(horizon)s), 0)
  FROM (SELECT xact, hashtextextended(ROW(id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,
               coupon_id, step, subject_kind, subject_id, actor_kind, actor_id, change_id, xact,
               extract(epoch FROM at))::text, 0) AS h
          FROM coupons_transfer WHERE campaign_id = %(campaign)s AND xact >= %(low)s) rows
"""


@contextmanager
def taken(campaign_id: int, *, only_new: bool) -> Iterator[Snapshot]:
    """Take a snapshot in a transaction of its own, REPEATABLE READ and read only.

    ``only_new`` lets the invariants on single rows look only at what came after the last seal, and takes the sealed
    sums as they are once there are more than REREAD_UP_TO rows behind them.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield read(campaign_id, only_new=only_new)


def read(campaign_id: int, *, only_new: bool = False) -> Snapshot:
    """Read what the invariants look at, as the running transaction sees it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT huigou_now(), pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        now, horizon = cursor.fetchone()
        campaign = Campaign.objects.get(pk=campaign_id)
        seal = Seal.objects.filter(campaign=campaign).first()
        if seal is not None and seal.horizon > horizon:
            seal = None  # restored into another server, whose transactions count anew
        edge = seal.horizon if seal else 0
        goes_on = only_new and seal is not None and bool(seal.flows) and seal.transfers > REREAD_UP_TO
        given = {"edge": edge, "horizon": horizon, "campaign": campaign.pk, "low": edge if goes_on else 0}
        cursor.execute(_FLOWS, given)
        rows = cursor.fetchall()
        cursor.execute(_DIGEST, given)
        sealed_digest, sealable_digest = cursor.fetchone()
    flows, sealed, sealable = [], Sums(), Sums()
    if goes_on and seal is not None:
        rows = [(*way, True, True, fen, least, count) for *way, fen, least, count in seal.flows] + rows
        sealed_digest ^= int(seal.digest)
        sealable_digest ^= int(seal.digest)
    for code, debit_kind, debit_key, credit_kind, credit_key, is_sealed, can_be, fen, least, count in rows:
        debit, credit = Party(debit_kind, debit_key), Party(credit_kind, credit_key)
        flow = Flow(code, debit, credit, int(fen), least, count)
        flows.append(flow)
        if is_sealed:
            sealed.add(flow)
        if can_be:
            sealable.add(flow)
    digests = str(sealed_digest), str(sealable_digest)
    return Snapshot(campaign, now, horizon, edge if only_new else 0, seal, flows, sealed, sealable, *digests)
