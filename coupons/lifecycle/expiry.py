"""Book what the clock has ended: coupons not used lapse, undrawn cards and their value go back to the pool.

Set-based, in bounded steps, each its own transaction under the round's row lock, so that twenty runs at once do the
work of one and a run killed midway loses nothing but its last step. Expiry never decides, it books: validity was
decided by the clock at the scan.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import DatabaseError, connection, transaction

from coupons import ledger
from coupons.ledger import SYSTEM, Move, Party
from coupons.lifecycle import freezing
from coupons.models import Campaign, Coupon, Deck, Round, Transfer
from coupons.models.books import Account
from huigou import clock
from huigou.errors import Refusal

log = logging.getLogger(__name__)

# 5,000 coupons a transaction: well under a second of held locks, and few enough commits for five million.
STEP = 5_000

_EXPIRE = """
WITH due AS (
    SELECT draw_id FROM coupons_coupon WHERE round_id = %(round)s AND state = 'held'
     ORDER BY draw_id LIMIT %(step)s FOR NO KEY UPDATE
), ended AS (
    UPDATE coupons_coupon c SET state = 'expired', steps = c.steps + 1, ended_at = c.expires_at
      FROM due WHERE c.draw_id = due.draw_id AND c.state = 'held'
    RETURNING c.draw_id, c.batch_id, c.face_fen, c.steps - 1 AS step
), moved AS (
    INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,
                                  coupon_id, step, subject_kind, subject_id, actor_kind, at)
    SELECT %(campaign)s, 'expire', 'held', batch_id, 'pool', batch_id, face_fen, draw_id, step, 'round', %(round)s,
           'system', %(now)s FROM ended
), told AS (
    INSERT INTO coupons_event (verb, coupon_id, actor_kind, at, note)
    SELECT 'expire', draw_id, 'system', %(now)s, '' FROM ended
)
SELECT batch_id, sum(face_fen), count(*) FROM ended GROUP BY batch_id
"""


def expire_step(round_id: int, step: int = STEP) -> int:
    """Expire up to ``step`` held coupons of a round that is over; return how many. Doubled runs are harmless."""
    with transaction.atomic():
        # In the order of every writer: round, then coupons. A second run waits here and then finds nothing.
        round_ = Round.objects.select_for_update(no_key=True).get(pk=round_id)
        now = clock.now()
        if now < round_.closes_at:
            return 0
        freezing.refuse_if_frozen(round_.campaign_id, "到期入账")
        with connection.cursor() as cursor:
            cursor.execute(_EXPIRE, {"round": round_id, "campaign": round_.campaign_id, "step": step, "now": now})
            rows = cursor.fetchall()
        ledger.keep_balances(round_.campaign_id, ((Party(Account.POOL, batch), int(fen)) for batch, fen, _ in rows))
    return sum(count for _, _, count in rows)


def book_round(round_id: int, progress: Callable[[int], object] | None = None) -> bool:
    """Book a round that is over in full: expire, return what was not drawn, mark it booked. False if nothing is due."""
    if not Round.objects.filter(pk=round_id, booked_at=None, dealt_at__isnull=False).exists():
        return False
    while expired := expire_step(round_id):
        if progress:
            progress(expired)
    from coupons import drawing

    with transaction.atomic():
        round_ = Round.objects.select_for_update(no_key=True).get(pk=round_id)
        # A draw that waits on a deck reads the clock after us and is refused; one that had it is committed and counted.
        decks = Deck.objects.select_for_update(no_key=True).filter(round_id=round_id).order_by("pk")
        deck_ids = list(decks.values_list("pk", flat=True))
        now = clock.now()
        if round_.booked_at is not None or now < round_.closes_at:
            return False
        freezing.refuse_if_frozen(round_.campaign_id, "到期入账")
        if Coupon.objects.filter(round_id=round_id, state=Coupon.State.HELD).exists():
            return False  # a recall slipped in between; the next sweep takes it
        for deck_id in deck_ids:
            drawing.void_lost(connection.connection, deck_id)
        _return_undrawn(round_, now)
        round_.booked_at = now
        round_.save(update_fields=["booked_at"])
    return True


def _return_undrawn(round_: Round, now: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.id, a.batch_id, b.face_fen, a.count - ("
            "   SELECT count(*) FROM coupons_coupon c WHERE c.round_id = a.round_id AND c.batch_id = a.batch_id) - ("
            "   SELECT count(*) FROM coupons_draw w JOIN coupons_deck d ON d.id = w.deck_id"
            "    WHERE d.round_id = a.round_id AND d.category_id = b.category_id AND w.kind = 'void'"
            "      AND w.face_fen = b.face_fen)"
            "  FROM coupons_allotment a JOIN coupons_batch b ON b.id = a.batch_id WHERE a.round_id = %s ORDER BY a.id",
            [round_.pk],
        )
        rows = cursor.fetchall()
    moves = [
        Move(
            Transfer.Code.UNDRAWN,
            Party(Account.ROUND, allotment),
            Party(Account.POOL, batch),
            face * left,
            subject_kind="round",
            subject_id=round_.pk,
        )
        for allotment, batch, face, left in rows
        if left
    ]
    ledger.post(round_.campaign_id, moves, actor=SYSTEM, at=now)  # type: ignore[arg-type]


def sweep() -> dict[str, int]:
    """Ask what is due and unbooked, and book it; then deal what may be dealt. Idempotent; catches up after any pause.

    A refusal (frozen, a missing share) or a fault of the database leaves that campaign for the next sweep and does not
    stop the others.
    """
    from coupons.lifecycle import dealing

    booked = dealt = 0
    now = clock.now()
    for campaign in Campaign.objects.open_books().filter(launched_at__isnull=False):
        for round_ in campaign.rounds.order_by("number"):
            try:
                if round_.dealt_at is None and now >= round_.opens_at - dealing.DEAL_AHEAD:
                    dealt += dealing.deal(round_.pk)
                if round_.booked_at is None and now >= round_.closes_at:
                    booked += book_round(round_.pk)
            except Refusal:
                break  # later rounds build on this one
            except DatabaseError:
                log.exception("round %d waits for the next sweep", round_.pk)
                break
    return {"booked": booked, "dealt": dealt}
