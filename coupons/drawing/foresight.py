"""What the draw would say to somebody now, for pages: the same verdict, without a lock and without a ticket."""

from __future__ import annotations

import datetime as dt

from django.db.models import Exists, OuterRef

from coupons.drawing.facts import DeckFacts, facts_of, pseudonym
from coupons.drawing.together import Ask, _Person, _Switches, _verdict
from coupons.models import Campaign, Consumer, Deck, Draw, Exclusion, Freeze
from huigou.errors import Refusal


def draws_of(consumer: Consumer, deck_id: int) -> list[Draw]:
    """Return a person's draws from a deck, earliest first, over every binding of the phone."""
    name = pseudonym(facts_of(deck_id), bytes(consumer.phone_key))
    return list(Draw.objects.filter(deck_id=deck_id, pseudonym=name, kind=Draw.Kind.DRAW).order_by("turn"))


def has_drawn(consumer_id: int, fact: DeckFacts) -> bool:
    """Say whether somebody drew from a deck, over every binding of the phone."""
    key = Consumer.objects.filter(pk=consumer_id).values_list("phone_key", flat=True).first()
    drawn = Draw.objects.filter(deck_id=fact.deck_id, kind=Draw.Kind.DRAW)
    return key is not None and drawn.filter(pseudonym=pseudonym(fact, bytes(key))).exists()


def foresee(consumer: Consumer, deck_id: int, draws: list[Draw], now: dt.datetime) -> Refusal | None:
    """Return what a draw would be refused with at ``now``; before the opening, what it would be refused with then.

    A promise of nothing: the draw itself asks again after its lock.
    """
    fact = facts_of(deck_id)
    frozen = Freeze.objects.filter(campaign_id=OuterRef("pk"), released_at=None)
    excluded = Exclusion.objects.filter(phone_key=consumer.phone_key, removed_at=None)
    look = (
        Campaign.objects.filter(pk=fact.campaign_id)
        .annotate(is_frozen=Exists(frozen), is_excluded=Exists(excluded))
        .values("is_frozen", "is_excluded", "closed_at")
        .get()
    )
    deck = Deck.objects.select_related("round", "category").get(pk=deck_id)
    paused = None
    if deck.round.paused_at is not None:
        paused = deck.round.pause_notice
    elif deck.category.paused_at is not None:
        paused = deck.category.pause_notice
    person = _Person(
        bytes(consumer.phone_key),
        consumer.session_version,
        is_bound=consumer.unbound_at is None,
        place=consumer.place,
        is_excluded=look["is_excluded"],
    )
    switch = _Switches(
        now=max(now, fact.opens_at),
        is_frozen=look["is_frozen"] or look["closed_at"] is not None,
        paused=paused,
        last_ticket=None,
    )
    mine = [(d.pk, d.ticket, d.face_fen, d.turn, d.drawn_at, bytes(d.entry_hash), None) for d in draws]
    verdict = _verdict(Ask(deck_id, consumer.pk, turn=len(mine) + 1), fact, person, switch, mine)
    if verdict is None and deck.left <= 0:
        return fact.sold_out_refusal()
    return verdict if isinstance(verdict, Refusal) else None
