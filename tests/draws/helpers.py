"""What the tests of the draw do again and again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from coupons import fairness, publishing, seeds
from coupons.drawing.facts import contents_from
from coupons.models import Coupon, Deck, Draw, Event, Transfer
from huigou.errors import Reason, Refusal
from tests.conftest import as_owner


def take_away(client: Client, number: int = 1) -> tuple[Any, str]:
    """Return a round's file and the published lines as anybody downloads them: lines first, as the page does."""
    client.get(f"/public/rounds/{number}/")  # signs what is late
    published = client.get("/public/heads").getvalue().decode()
    return json.loads(client.get(f"/public/rounds/{number}/round.json").getvalue()), published


def verified(document: Any, published: str | None) -> list[fairness.Finding]:
    """Return what the verifier says."""
    return fairness.verify(document, None if published is None else fairness.read_published(published))


def findings_of(document: Any, published: str | None) -> set[str]:
    """Return the codes of what the verifier says."""
    return {finding.code for finding in verified(document, published)}


@contextmanager
def refused(reason: Reason) -> Iterator[None]:
    """Expect a refusal for this reason."""
    with pytest.raises(Refusal) as no:
        yield
    assert no.value.code == reason.code


GUARDED = (
    "draw",
    "deck",
    "coupon",
    "transfer",
    "event",
    "head",
    "round",
    "seedshare",
    "registration",
    "registrantlist",
)


@contextmanager
def forging() -> Iterator[Callable[..., list[tuple]]]:
    """Let a test write whatever it likes: as the tables' owner, with every trigger of ours switched off."""

    def run(statement: str, *values: object) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(statement, list(values))
            return cursor.fetchall() if cursor.description else []

    def triggers(switch: str) -> None:
        for table in GUARDED:
            run(f"ALTER TABLE coupons_{table} {switch} TRIGGER USER")

    with as_owner():
        triggers("DISABLE")
        try:
            yield run
        finally:
            triggers("ENABLE")


def cards_of(deck: Deck) -> list[int]:
    """Return a deck's cards in the order that its seed fixes, by the specification's own code."""
    seed = seeds.deck_seed(deck.round_id, deck.category.code)
    return fairness.Deck(seed, contents_from(deck.contents)).cards(0, deck.size)


def whole(deck: Deck) -> int:
    """Return how many tickets are out, having seen that each is one row, gets its card, and is chained and booked."""
    deck.refresh_from_db()
    rows = list(Draw.objects.filter(deck=deck).order_by("ticket"))
    assert [row.ticket for row in rows] == list(range(deck.next_ticket))
    assert [row.face_fen for row in rows] == cards_of(deck)[: deck.next_ticket]
    head = fairness.chain_start(contents_from(deck.contents).deck_id, bytes(deck.commitment), bytes(deck.plan_hash))
    for entry, after in publishing.log_of(deck):
        head = fairness.link(head, contents_from(deck.contents).deck_id, *entry)
        assert head == after
    assert head == bytes(deck.head)
    won = [row for row in rows if row.face_fen and row.kind == Draw.Kind.DRAW]
    assert len({bytes(row.pseudonym) for row in won}) == len(won)
    coupons = Coupon.objects.filter(draw__deck=deck)
    assert set(coupons.values_list("draw_id", "face_fen")) == {(row.pk, row.face_fen) for row in won}
    booked = Transfer.objects.filter(coupon__draw__deck=deck, code=Transfer.Code.DRAW)
    assert sorted(booked.values_list("coupon_id", "amount_fen")) == sorted((row.pk, row.face_fen) for row in won)
    assert Event.objects.filter(verb="draw", coupon__draw__deck=deck).count() == len(won)
    return deck.next_ticket
