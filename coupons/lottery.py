"""报名摇号, the second mode: people register for some minutes, then one joint draw decides; speed plays no part.

When registration ends, the list of pseudonyms is fixed, hashed, signed and published. The joint draw gives the tickets
to the registrants in the order that the deck's seed shuffles them into, through the same rows, ledger and chain as the
wheel. Called by the sweep and by whoever looks at the page first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import F, QuerySet

from coupons import fairness, publishing, seeds
from coupons.drawing import together
from coupons.drawing.facts import DeckFacts, facts_of, pseudonym
from coupons.drawing.writing import write_rows
from coupons.errors import LIST_CHANGED, NOT_BOUND, REGISTRATION_OVER, WRONG_MODE
from coupons.fairness import signing
from coupons.models import Campaign, Consumer, Deck, Draw, RegistrantList, Registration, Round
from huigou import clock
from huigou.errors import Refusal

# Draws a transaction: a second or so of the deck's lock at most, and a kill loses no more than one step's work.
STEP = 500


def ends_at(round_: Round) -> dt.datetime:
    """Return when registration ends, exclusive; never after the round itself."""
    return min(round_.opens_at + dt.timedelta(minutes=round_.registration_minutes), round_.closes_at)


def register(consumer: Consumer, deck: Deck) -> Registration:
    """Put somebody on a deck's list, once; a repetition gets the same row.

    Raises WRONG_MODE, NOT_BOUND, ROUND_NOT_OPEN, REGISTRATION_OVER, FROZEN, ROUND_PAUSED, EXCLUDED, PLACE_NEEDED.
    """
    fact = facts_of(deck.pk)
    if fact.mode != fairness.LOTTERY:
        raise WRONG_MODE(mode=Campaign.DrawMode.WHEEL.label)
    name = pseudonym(fact, bytes(consumer.phone_key))
    if (known := Registration.objects.filter(deck=deck, pseudonym=name).first()) is not None:
        return known
    until = ends_at(deck.round)
    if clock.now() >= until:  # the many who come late touch no lock
        raise REGISTRATION_OVER(until=clock.spoken(until))
    try:
        with transaction.atomic():
            now = _allowed(fact, consumer, until)
            return Registration.objects.create(deck=deck, consumer=consumer, pseudonym=name, registered_at=now)
    except IntegrityError:
        known = Registration.objects.filter(deck=deck, pseudonym=name).first()
        if known is None:  # the list was signed while we came
            raise REGISTRATION_OVER(until=clock.spoken(until)) from None
        return known


def _allowed(fact: DeckFacts, consumer: Consumer, until: dt.datetime) -> dt.datetime:
    """Lock the deck with everybody else who registers, then read clock, person and switches, and refuse or go on."""
    conn = connection.connection
    # Signing the list takes the same row alone: it waits for us, or we wait and read the clock after it.
    conn.execute("SELECT 1 FROM coupons_deck WHERE id = %s FOR SHARE", [fact.deck_id])
    [person] = together.people_of(conn, [consumer.pk]).values() or [None]
    switch = together.switches_of(conn, [fact.deck_id])[fact.deck_id]
    if person is None or not person.is_bound or person.session_version != consumer.session_version:
        raise NOT_BOUND()
    if (refusal := together.standing(fact, person, switch)) is not None:
        raise refusal
    if switch.now >= until:
        raise REGISTRATION_OVER(until=clock.spoken(until))
    return switch.now


def fix_list(deck: Deck) -> RegistrantList | None:
    """Fix, sign and publish the list once registration has ended; return it, None while people may still register."""
    if (known := RegistrantList.objects.filter(deck=deck).first()) is not None:
        return known
    if clock.now() < ends_at(deck.round):
        return None
    with transaction.atomic():
        Deck.objects.select_for_update(no_key=True).get(pk=deck.pk)
        if (known := RegistrantList.objects.filter(deck=deck).first()) is not None:
            return known
        now = clock.now()
        label, names = facts_of(deck.pk).label, _names(deck)
        digest = fairness.registrants_hash(label, names)
        signed = signing.sign_registrants(
            publishing.signing_key(), label, len(names), digest, fairness.microseconds(now)
        )
        made = RegistrantList.objects.create(
            deck=deck, count=signed.people, digest=digest, signed_at=now, signature=signed.signature
        )
        # Out before it is committed: killed in between, the same list is signed once more, and never missing outside.
        publishing.publish_list(deck)
    return made


def _names(deck: Deck) -> list[bytes]:
    return [bytes(name) for name in Registration.objects.filter(deck=deck).values_list("pseudonym", flat=True)]


def joint_draw(deck: Deck, step: int = STEP) -> int:
    """Draw for everybody on the list, in steps that each commit; return how many tickets this call gave out.

    Idempotent: the deck's next ticket says how far it is, so that a killed run goes on where it stopped and two at
    once take turns. Raises LIST_CHANGED when the list is not the signed one, and ROUND_OVER, FROZEN or ROUND_PAUSED.
    """
    listed = fix_list(deck)
    if listed is None:
        return 0
    deck.refresh_from_db()
    fact, names = facts_of(deck.pk), _names(deck)
    if deck.next_ticket >= min(fact.size, listed.count):
        return 0
    if fairness.registrants_hash(fact.label, names) != bytes(listed.digest):
        raise LIST_CHANGED()
    seed = seeds.deck_seed(fact.round_id, deck.contents["category"])
    order = fairness.lottery_order(seed, names)[: fact.size]
    drawn = 0
    while done := _step(fact, order, step):
        drawn += done
    return drawn


def _step(fact: DeckFacts, order: Sequence[bytes], step: int) -> int:
    with transaction.atomic():
        conn = connection.connection
        [(_, ticket, head)] = conn.execute(together.LOCK, [[fact.deck_id]]).fetchall()
        switches = together.switches_of(conn, [fact.deck_id])
        switch = switches[fact.deck_id]
        if (refusal := together.stopped(fact, switch)) is not None:
            raise refusal
        tickets, heads = {fact.deck_id: ticket}, {fact.deck_id: bytes(head)}
        rows = together.void_rows(conn, {fact.deck_id: fact}, tickets, heads, switches)
        due = order[ticket : ticket + step]
        holders = _holders(fact.deck_id, due)
        ids = together.new_ids(conn, len(due))
        for name, draw_id in zip(due, ids, strict=True):
            ask = together.Ask(fact.deck_id, holders[name])
            rows.append(together.take(ask, fact, name, 1, draw_id, tickets, heads, switch.now))
        if rows:
            write_rows(conn, rows, tickets, heads)
    return len(due)


def _holders(deck_id: int, names: Sequence[bytes]) -> dict[bytes, int]:
    rows = Registration.objects.filter(deck=deck_id, pseudonym__in=names).values_list("pseudonym", "consumer_id")
    return {bytes(name): consumer for name, consumer in rows}


def draw_due() -> int:
    """Hold every joint draw whose registration has ended; return how many tickets were given out.

    A refusal (frozen, paused, a list that was tampered with) leaves that deck for the next sweep. A round that is over
    is drawn no more, but its list is still fixed: the published file says who was to take part.
    """
    now, drawn = clock.now(), 0
    rounds = Round.objects.open_at(now).filter(campaign__draw_mode=Campaign.DrawMode.LOTTERY)
    open_rounds = [r.pk for r in rounds.filter(campaign__launched_at__isnull=False) if now >= ends_at(r)]
    for deck in Deck.objects.filter(round__in=open_rounds).select_related("round").order_by("pk"):
        try:
            drawn += joint_draw(deck)
        except Refusal:
            continue
    over = Deck.objects.filter(round__closes_at__lte=now, contents__mode=fairness.LOTTERY, registrant_list=None)
    for deck in over.filter(round__campaign__closed_at=None).select_related("round").order_by("pk"):
        fix_list(deck)
    return drawn


class Undrawn(NamedTuple):
    """A joint draw that was not held, or not to its end; once its round is over, it never will be."""

    people: int  # registered
    given: int  # tickets given out
    missing: int  # tickets due to them and not given out; with the round's end their value lapses to the pool

    @property
    def word(self) -> str:
        return "未开完" if self.given else "未开奖"


def undrawn(campaign: Campaign, now: dt.datetime) -> dict[int, Undrawn]:
    """Return {deck id: what was not drawn} of the campaign's rounds that are over; one query where all is in order."""
    return _missing(Deck.objects.filter(round__campaign=campaign, round__closes_at__lte=now))


def awaited(campaign: Campaign, now: dt.datetime) -> dict[int, Undrawn]:
    """Return {deck id: what is still to be drawn} of open rounds whose registration has ended."""
    rounds = [round_.pk for round_ in Round.objects.filter(campaign=campaign).open_at(now) if now >= ends_at(round_)]
    return _missing(Deck.objects.filter(round__in=rounds))


def _missing(decks: QuerySet[Deck]) -> dict[int, Undrawn]:
    short = decks.filter(contents__mode=fairness.LOTTERY, next_ticket__lt=F("size"))
    found = {}
    listed_of = short.annotate(listed=F("registrant_list__count"))
    for deck_id, size, given, listed in listed_of.values_list("pk", "size", "next_ticket", "listed"):
        people = Registration.objects.filter(deck=deck_id).count() if listed is None else listed
        if (missing := min(size, people) - given) > 0:
            found[deck_id] = Undrawn(people, given, missing)
    return found


def result_of(consumer: Consumer, deck: Deck) -> Draw | None:
    """Return what the joint draw gave somebody, None without a ticket."""
    name = pseudonym(facts_of(deck.pk), bytes(consumer.phone_key))
    return Draw.objects.filter(deck=deck, pseudonym=name, kind=Draw.Kind.DRAW).first()


def is_registered(consumer: Consumer, deck: Deck) -> bool:
    """Say whether somebody is on the list, over every binding of the phone."""
    name = pseudonym(facts_of(deck.pk), bytes(consumer.phone_key))
    return Registration.objects.filter(deck=deck, pseudonym=name).exists()
