"""What everybody may see of the draw: signed heads while it runs, shares and the whole log after the round.

Heads are signed every few seconds with the platform's Ed25519 key and go to the database, to the public page and to a
file outside the database (``var/heads/``), one JSON line each, which the county may mirror anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, OuterRef, Q, Subquery

from coupons import drawing, fairness
from coupons.drawing.facts import contents_from
from coupons.fairness import signing
from coupons.models import Deck, Draw, Head, RegistrantList, Round
from huigou import clock

STEP = 5_000  # log entries read at a time


def signing_key() -> bytes:
    """Return the platform's Ed25519 private key, 32 bytes."""
    return bytes.fromhex(settings.SIGNING_KEY)


def publish_commitments(round_: Round) -> int:
    """Append those commitments of a round that are not yet in the file outside the database; return how many.

    A commitment cannot be changed or taken back once it is recorded, so it is published as soon as it is.
    """
    with transaction.atomic():
        # Two publishers at once: the second passes over what the first holds.
        shares = list(round_.shares.select_for_update(skip_locked=True).filter(published_at=None).order_by("custodian"))
        now = clock.now()
        for share in shares:
            named = (round_.campaign.code, round_.number, share.custodian)
            # A line that is written twice after a crash says the same twice.
            _append(fairness.commitment_line(*named, bytes(share.commitment)))
            share.published_at = now
            share.save(update_fields=["published_at"])
    return len(shares)


def publish_all_commitments() -> int:
    """Publish the commitments of every round that has one unpublished; return how many."""
    waiting = Round.objects.filter(shares__published_at=None, shares__isnull=False, campaign__closed_at=None).distinct()
    return sum(publish_commitments(round_) for round_ in waiting.select_related("campaign"))


def publish_source(round_: Round) -> None:
    """Append where a round's public entropy will come from to the file outside the database; it stands once named."""
    _append(fairness.source_line(round_.campaign.code, round_.number, round_.entropy_source))


def heads_file() -> Path:
    """Return the file outside the database to which heads are appended."""
    return Path(settings.VAR_DIR) / "heads" / "heads.jsonl"


def publish_heads() -> int:
    """Sign the head of each log that is new or has grown since its last published one; return how many.

    A deck's first head is that of its empty log, signed before the opening: it fixes what was sealed, and the hash of
    the frozen plan and the commitment are published with it.
    """
    # One look into the index per deck, however many heads there are.
    last = Head.objects.filter(deck=OuterRef("pk")).order_by("-tickets").values("tickets")[:1]
    grown = (
        Deck.objects.annotate(published=Subquery(last))
        .filter(Q(published=None) | Q(published__lt=F("next_ticket")), round__campaign__closed_at=None)
        .order_by("pk")
    )
    return sum(_publish(deck.pk) for deck in grown)


def _publish(deck_id: int) -> bool:
    with transaction.atomic():
        # A head counts log entries: a ticket that is out without a draw is listed as void, and that committed, before
        # a head that covers it leaves the house.
        Deck.objects.select_for_update(no_key=True).get(pk=deck_id)
        drawing.void_lost(connection.connection, deck_id)
    with transaction.atomic():
        # Two publishers at once must not both sign: the second finds it done.
        deck = Deck.objects.select_for_update(no_key=True).get(pk=deck_id)
        now = clock.now()
        signed_before = Head.objects.filter(deck=deck)
        if signed_before.filter(tickets=deck.next_ticket).exists():
            return False
        lines = "" if signed_before.exists() else seal_line(deck)
        label = contents_from(deck.contents).deck_id
        signed = signing.sign_head(signing_key(), label, deck.next_ticket, bytes(deck.head), fairness.microseconds(now))
        Head.objects.create(
            deck=deck, tickets=signed.tickets, head=signed.head, signed_at=now, signature=signed.signature
        )
        # Out before it is committed: killed in between, the head is signed once more, and never missing outside.
        _append(lines + fairness.head_line(signed))
    return True


def seal_line(deck: Deck) -> str:
    """Return the published line of what a deck was dealt from: the frozen plan's hash and the commitment."""
    return fairness.seal_line(contents_from(deck.contents).deck_id, bytes(deck.plan_hash), bytes(deck.commitment))


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


def log_of(deck: Deck, until: int | None = None) -> Iterator[tuple[fairness.Entry, bytes]]:
    """Yield a deck's log, or its first ``until`` entries, in the order of the chain, which is that of the tickets.

    Entries are without persons, each with the head after it. Read in steps: a deck may have millions.
    """
    kinds = {Draw.Kind.DRAW: fairness.DRAW, Draw.Kind.VOID: fairness.VOID}
    columns = ("ticket", "face_fen", "drawn_at", "pseudonym", "turn", "kind", "entry_hash")
    rows = Draw.objects.filter(deck=deck).order_by("ticket").values_list(*columns)
    if until is not None:
        rows = rows.filter(ticket__lt=until)
    step = list(rows[:STEP])
    while step:
        for ticket, face, at, name, turn, kind, entry in step:
            yield (
                fairness.Entry(ticket, face, fairness.microseconds(at), bytes(name), turn, kinds[kind]),
                bytes(entry),
            )
        step = list(rows.filter(ticket__gt=step[-1][0])[:STEP])


def signed_list(deck: Deck) -> fairness.SignedRegistrants | None:
    """Return the signed list of a joint draw, None before it is fixed and for a wheel's deck."""
    row = RegistrantList.objects.filter(deck=deck).first()
    if row is None:
        return None
    label = contents_from(deck.contents).deck_id
    at_us = fairness.microseconds(row.signed_at)
    return fairness.SignedRegistrants(label, row.count, bytes(row.digest), at_us, bytes(row.signature))


def publish_list(deck: Deck) -> None:
    """Append a joint draw's signed list to the file outside the database."""
    if (signed := signed_list(deck)) is not None:
        _append(fairness.registrants_line(signed))
