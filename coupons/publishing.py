"""What everybody may see of the draw: signed heads while it runs, shares and the whole log after the round.

Heads are signed every few seconds with the platform's Ed25519 key and go to the database, to the public page and to a
file outside the database (``var/heads/``), one JSON line each, which the county may mirror anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Max, Q

from coupons import drawing, fairness, seeds
from coupons.drawing.facts import contents_from
from coupons.fairness import signing
from coupons.models import Deck, Draw, Head, Round
from huigou import clock


def signing_key() -> bytes:
    """Return the platform's Ed25519 private key, 32 bytes."""
    return bytes.fromhex(settings.SIGNING_KEY)


def publish_commitments(round_: Round) -> None:
    """Append the commitments of a round's shares to the file outside the database, once they are frozen."""
    for share in round_.shares.order_by("custodian"):
        _append(fairness.commitment_line(round_.campaign.code, round_.number, share.custodian, bytes(share.commitment)))


def heads_file() -> Path:
    """Return the file outside the database to which heads are appended."""
    return Path(settings.VAR_DIR) / "heads" / "heads.jsonl"


def publish_heads() -> int:
    """Sign the head of each log that is new or has grown since its last published one; return how many.

    A deck's first head is that of its empty log, signed before the opening: it fixes what was sealed.
    """
    grown = (
        Deck.objects.annotate(published=Max("heads__tickets"))
        .filter(Q(published=None) | Q(published__lt=F("next_ticket")), round__campaign__closed_at=None)
        .order_by("pk")
    )
    return sum(_publish(deck.pk) for deck in grown)


def _publish(deck_id: int) -> bool:
    with transaction.atomic():
        # Two publishers at once must not both sign: the second finds it done.
        deck = Deck.objects.select_for_update(no_key=True).get(pk=deck_id)
        now = clock.now()
        if Head.objects.filter(deck=deck, tickets=deck.next_ticket).exists():
            return False
        # A head counts log entries: a ticket that is out without a draw is listed as void before it is signed.
        if drawing.void_lost(connection.connection, deck.pk):
            deck.refresh_from_db()
        label = contents_from(deck.contents).deck_id
        signed = signing.sign_head(signing_key(), label, deck.next_ticket, bytes(deck.head), fairness.microseconds(now))
        Head.objects.create(
            deck=deck, tickets=signed.tickets, head=signed.head, signed_at=now, signature=signed.signature
        )
    _append(fairness.head_line(signed))
    return True


def _append(line: str) -> None:
    path = heads_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        line = fairness.key_line(signing.public_key(signing_key())) + "\n" + line
    # One write of one line with O_APPEND: workers at the same time do not mix.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(fd, (line.rstrip("\n") + "\n").encode())
        os.fsync(fd)
    finally:
        os.close(fd)


def reveal_due() -> int:
    """Reveal the seeds of rounds that are booked; return how many."""
    now = clock.now()
    publish_heads()
    return Round.objects.filter(booked_at__isnull=False, revealed_at=None).update(revealed_at=now)


def signed_heads(deck: Deck) -> list[fairness.SignedHead]:
    """Return a deck's published heads, oldest first."""
    label = contents_from(deck.contents).deck_id
    return [
        fairness.SignedHead(
            label, row.tickets, bytes(row.head), fairness.microseconds(row.signed_at), bytes(row.signature)
        )
        for row in deck.heads.order_by("tickets")
    ]


def log_of(deck: Deck) -> Iterator[tuple[fairness.Entry, bytes]]:
    """Yield a deck's log in ticket order: entries without persons, each with the head after it."""
    rows = Draw.objects.filter(deck=deck).order_by("ticket")
    kinds = {Draw.Kind.DRAW: fairness.DRAW, Draw.Kind.VOID: fairness.VOID}
    columns = ("ticket", "face_fen", "drawn_at", "pseudonym", "turn", "kind", "entry_hash")
    for ticket, face, at, name, turn, kind, entry in rows.values_list(*columns).iterator(chunk_size=5_000):
        yield (
            fairness.Entry(ticket, face, fairness.microseconds(at), bytes(name), turn, kinds[kind]),
            bytes(entry),
        )


def round_document(round_: Round) -> dict[str, Any]:
    """Return the one JSON object from which anybody can verify a round; shares only once revealed."""
    shares = seeds.open_shares(round_) if round_.revealed_at else {}
    decks = []
    for deck in Deck.objects.filter(round=round_).select_related("category").order_by("category__code"):
        contents = contents_from(deck.contents)
        commitment = bytes(deck.commitment)
        start = fairness.chain_start(contents.deck_id, commitment, bytes(deck.plan_hash))
        decks.append(fairness.deck_file(contents, commitment, start, log_of(deck), signed_heads(deck)))
    file = fairness.round_file(
        decks,
        [
            fairness.Share(share.custodian, bytes(share.commitment), shares.get(share.custodian))
            for share in round_.shares.order_by("custodian")
        ],
        seeds.entropy(round_),
        signing.public_key(signing_key()),
    )
    return fairness.as_document(file)
