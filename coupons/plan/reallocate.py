"""Re-allocation after round 5 (plan, clause 6.1: 第五轮结束后根据各品类消费券使用情况进行适当调整).

Use and forecast per batch, what a move would do to the remaining rounds, and the approved move itself, which conserves
money to the fen: whole coupons of one batch become whole coupons of another.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, Q

from coupons import approval, ledger
from coupons.errors import BALANCE_SHORT, NOT_DIVISIBLE, PREVIOUS_NOT_BOOKED, REALLOC_TOO_EARLY
from coupons.ledger import Actor, Move, Party
from coupons.lifecycle import freezing
from coupons.models import Batch, Campaign, ChangeRequest, Coupon, Round, Transfer
from coupons.models.books import Account, ActorKind
from huigou import clock
from huigou.errors import BAD_INPUT
from huigou.models import Staff
from huigou.money import short_yuan, yuan

DEFAULT_AFTER = (5, 7)  # the county's plan: after five of seven rounds


@dataclass(frozen=True)
class BatchUse:
    """How a batch was used so far, in coupons, and where it goes if nothing is moved."""

    batch: Batch
    planned: int
    drawn: int
    used: int
    live: int
    lapsed: int
    in_pool: int
    rounds_left: int

    @property
    def use_rate(self) -> float | None:
        """Used among those whose fate is known; None before any is."""
        known = self.used + self.lapsed
        return self.used / known if known else None

    @property
    def forecast_used(self) -> int:
        """Coupons used by the end if the rate stays: what lapses in one round is released again in the next."""
        rate = self.use_rate or 0.0
        pool, used = float(self.in_pool), self.used + self.live * rate
        lapsed_now = self.live * (1 - rate)
        for rounds_left in range(self.rounds_left, 0, -1):
            pool, lapsed_now = pool + lapsed_now, 0.0
            released = math.ceil(pool / rounds_left)
            used += released * rate
            pool, lapsed_now = pool - released, released * (1 - rate)
        return round(used)


@dataclass(frozen=True)
class Shift:
    """A wish: so many coupons of one batch become coupons of another."""

    source: int
    target: int
    count: int


@dataclass(frozen=True)
class Exchange:
    """A shift that divides: ``count`` coupons of the source are ``becomes`` of the target, the same fen."""

    source: Batch
    target: Batch
    count: int
    becomes: int

    @property
    def amount_fen(self) -> int:
        return self.count * self.source.face_fen

    def __str__(self) -> str:
        return (
            f"{self.source.category.name}{self.count}×{short_yuan(self.source.face_fen)}元"
            f" → {self.target.category.name}{self.becomes}×{short_yuan(self.target.face_fen)}元"
        )


@dataclass(frozen=True)
class Forecast:
    """What the remaining rounds would release of one batch: before and after the exchanges, in coupons per round."""

    batch: Batch
    before: list[int]
    after: list[int]


def after_round(campaign: Campaign) -> int:
    """Return after which round money may be moved: the campaign's own setting, else five sevenths of its rounds."""
    if campaign.realloc_after is not None:
        return campaign.realloc_after
    part, whole = DEFAULT_AFTER
    return math.ceil(campaign.rounds.count() * part / whole)


def use(campaign: Campaign, now: dt.datetime) -> list[BatchUse]:
    """Return how each batch was used so far and what is left of it."""
    State = Coupon.State
    counts = {
        row["batch"]: row
        for row in Coupon.objects.filter(round__campaign=campaign)
        .values("batch")
        .annotate(
            drawn=Count("pk"),
            used=Count("pk", filter=Q(state__in=[State.USED, State.FORFEITED])),
            # A held coupon past its end is lapsed, whether or not a sweep has booked it.
            lapsed=Count("pk", filter=Q(state=State.EXPIRED) | Q(state=State.HELD, expires_at__lte=now)),
        )
    }
    pool = ledger.pool_fen(campaign.pk)
    rounds_left = campaign.rounds.filter(dealt_at=None).count()
    uses = []
    for batch in _batches(campaign):
        row = counts.get(batch.pk, {"drawn": 0, "used": 0, "lapsed": 0})
        live = row["drawn"] - row["used"] - row["lapsed"]
        in_pool = pool.get(batch.pk, 0) // batch.face_fen
        uses.append(
            BatchUse(batch, batch.planned, row["drawn"], row["used"], live, row["lapsed"], in_pool, rounds_left)
        )
    return uses


def _batches(campaign: Campaign) -> Sequence[Batch]:
    found = Batch.objects.filter(category__campaign=campaign, category__is_active=True).select_related("category")
    return list(found.order_by("category__position", "face_fen"))


def exchange(source: Batch, target: Batch, count: int) -> Exchange:
    """Return what ``count`` coupons of one batch become in another; whole coupons, the same fen.

    Raises NOT_DIVISIBLE with the nearest amounts that do divide, BAD_INPUT for a move to itself or of nothing.
    """
    if source.pk == target.pk or count <= 0 or source.category.campaign_id != target.category.campaign_id:
        raise BAD_INPUT(what="调整内容")
    becomes, rest = divmod(count * source.face_fen, target.face_fen)
    if not rest:
        return Exchange(source, target, count, becomes)
    unit = target.face_fen // math.gcd(source.face_fen, target.face_fen)
    near = [n for n in (count // unit * unit, (count // unit + 1) * unit) if n]
    raise NOT_DIVISIBLE(offers="；".join(_offer(source, target, n) for n in near))


def _offer(source: Batch, target: Batch, count: int) -> str:
    becomes = count * source.face_fen // target.face_fen
    return f"{count}×{short_yuan(source.face_fen)}元={becomes}×{short_yuan(target.face_fen)}元"


def exchanges(campaign: Campaign, shifts: Iterable[Shift]) -> list[Exchange]:
    """Return the exchanges of several shifts; raises NOT_DIVISIBLE, BAD_INPUT, BALANCE_SHORT over the pool."""
    batches = {batch.pk: batch for batch in _batches(campaign)}
    done: list[Exchange] = []
    out: dict[int, int] = defaultdict(int)
    for shift in shifts:
        if shift.source not in batches or shift.target not in batches:
            raise BAD_INPUT(what="优惠券")
        done.append(exchange(batches[shift.source], batches[shift.target], shift.count))
        out[shift.source] += done[-1].amount_fen
    pool = ledger.pool_fen(campaign.pk)
    if any(pool.get(batch, 0) < fen for batch, fen in out.items()):
        raise BALANCE_SHORT()
    if not done:
        raise BAD_INPUT(what="调整内容")
    return done


def simulate(campaign: Campaign, shifts: Iterable[Shift]) -> list[Forecast]:
    """Return what each remaining round would release of each batch before and after, if nothing more came back."""
    pool = ledger.pool_fen(campaign.pk)
    moved = dict(pool)
    for step in exchanges(campaign, shifts):
        moved[step.source.pk] = moved.get(step.source.pk, 0) - step.amount_fen
        moved[step.target.pk] = moved.get(step.target.pk, 0) + step.amount_fen
    rounds_left = campaign.rounds.filter(dealt_at=None).count()
    return [
        Forecast(
            batch,
            spread(pool.get(batch.pk, 0) // batch.face_fen, rounds_left),
            spread(moved.get(batch.pk, 0) // batch.face_fen, rounds_left),
        )
        for batch in _batches(campaign)
    ]


def spread(coupons: int, rounds_left: int) -> list[int]:
    """Return how the rounds left release so many coupons: ceil(what is in the pool / rounds left), one by one."""
    released = []
    for left in range(rounds_left, 0, -1):
        released.append(-(-coupons // left))
        coupons -= released[-1]
    return released


def refuse_if_early(campaign: Campaign, now: dt.datetime) -> None:
    """Raise REALLOC_TOO_EARLY until that round is over, PREVIOUS_NOT_BOOKED until its value is back in the pool."""
    after = after_round(campaign)
    last: Round | None = campaign.rounds.filter(number__lte=after).order_by("-number").first()
    if last is None or now < last.closes_at:
        raise REALLOC_TOO_EARLY(after=after)
    waiting = campaign.rounds.filter(closes_at__lte=now, booked_at=None).order_by("number").first()
    if waiting is not None:
        raise PREVIOUS_NOT_BOOKED(number=waiting.number)


def propose(campaign: Campaign, shifts: Iterable[Shift], *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for a re-allocation; raises what ``exchanges`` and ``refuse_if_early`` raise."""
    refuse_if_early(campaign, clock.now())
    steps = exchanges(campaign, shifts)
    return approval.propose(
        "realloc",
        campaign,
        {"shifts": [[s.source.pk, s.target.pk, s.count, s.becomes] for s in steps]},
        summary=f"调整 {yuan(sum(s.amount_fen for s in steps))} 元：" + "；".join(map(str, steps)),
        reason=reason,
        maker=maker,
    )


@approval.executes("realloc")
def reallocate(change: ChangeRequest) -> None:
    """Move the approved amounts between batches of the pool. Raises BALANCE_SHORT when a round took them meanwhile."""
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=change.campaign_id)
    freezing.refuse_if_frozen(campaign.pk, "品类调整")
    now = clock.now()
    refuse_if_early(campaign, now)
    shifts = [Shift(source, target, count) for source, target, count, _ in change.payload["shifts"]]
    moves = [
        Move(
            Transfer.Code.REALLOCATE,
            Party(Account.POOL, step.source.pk),
            Party(Account.POOL, step.target.pk),
            step.amount_fen,
            subject_kind="change",
            subject_id=change.pk,
        )
        for step in exchanges(campaign, shifts)
    ]
    ledger.post(campaign.pk, moves, actor=Actor(ActorKind.STAFF, change.checker_id), at=now, change=change)
