"""What anybody can take away: a round as one JSON file, and everything that was published as JSON lines.

A round's file is written once per state and served from there. While the round runs it goes as far as the last signed
head, so that it never contradicts what was published; once the seed is revealed it is whole and final.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max

from coupons import fairness, publishing, seeds
from coupons.drawing.facts import contents_from
from coupons.fairness import signing
from coupons.models import Campaign, Deck, Head, Registration, Round, SeedShare

# Beat signs every 5 seconds; a page signs by itself when nobody has for as long and the log has grown.
SIGNED_AT_LEAST_EVERY = dt.timedelta(seconds=5)


def decks_of(round_: Round) -> list[Deck]:
    """Return a round's decks in the order of the file."""
    return list(Deck.objects.filter(round=round_).select_related("category").order_by("category__code"))


def sign_if_late(round_: Round, now: dt.datetime) -> None:
    """Sign and publish grown logs when no worker does; a clock that stands still never says that it is too soon."""
    last = Head.objects.filter(deck__round=round_).aggregate(at=Max("signed_at"))["at"]
    if last is None or not dt.timedelta(0) < now - last < SIGNED_AT_LEAST_EVERY:
        publishing.publish_heads()


# A row's xmin is new whenever it is written, so that whoever writes behind our back is seen as well: the file is made
# of what stands in the database now, never of what once stood there.
_STATE = """
SELECT r.opens_at::text, r.closes_at::text, r.entropy_source, r.entropy_value, r.revealed_at::text, g.xmin::text,
       (SELECT md5(string_agg(concat_ws('|', d.id, c.code, d.contents, d.size, d.plan_hash, d.commitment), ';'
                              ORDER BY d.id))
          FROM coupons_deck d JOIN coupons_category c ON c.id = d.category_id WHERE d.round_id = r.id),
       (SELECT concat(count(*), '/', sum(s.xmin::text::bigint)) FROM coupons_seedshare s WHERE s.round_id = r.id),
       (SELECT concat(count(*), '/', sum(h.xmin::text::bigint)) FROM coupons_head h
          JOIN coupons_deck d ON d.id = h.deck_id WHERE d.round_id = r.id),
       (SELECT concat(count(*), '/', sum(l.xmin::text::bigint)) FROM coupons_registrantlist l
          JOIN coupons_deck d ON d.id = l.deck_id WHERE d.round_id = r.id),
       (SELECT concat(count(*), '/', sum(p.xmin::text::bigint)) FROM coupons_registration p
          JOIN coupons_registrantlist l ON l.deck_id = p.deck_id
          JOIN coupons_deck d ON d.id = p.deck_id WHERE d.round_id = r.id),
       (SELECT concat(count(*), '/', sum(w.xmin::text::bigint)) FROM coupons_deck d
          JOIN coupons_draw w ON w.deck_id = d.id AND (r.revealed_at IS NOT NULL OR w.ticket <
               (SELECT h.tickets FROM coupons_head h WHERE h.deck_id = d.id ORDER BY h.tickets DESC LIMIT 1))
         WHERE d.round_id = r.id)
  FROM coupons_round r JOIN coupons_campaign g ON g.id = r.campaign_id WHERE r.id = %s
"""


def state_of(round_: Round) -> str:
    """Return what a round's file depends on, as a short digest; one query, a millisecond for three thousand draws."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE, [round_.pk])
        row = cursor.fetchone()
    return hashlib.sha256(json.dumps([*row, public_key()]).encode()).hexdigest()[:32]


def file_of(round_: Round) -> tuple[Path, str]:
    """Return the path of a round's file in its present state, written if it is not there yet, and that state."""
    state = state_of(round_)
    folder = Path(settings.VAR_DIR) / "public"
    path = folder / f"round-{round_.pk}-{state}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        older = set(folder.glob(f"round-{round_.pk}-*.json")) - {path}
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".new", delete=False, encoding="utf-8") as out:
            out.writelines(document_parts(round_))
        os.replace(out.name, path)  # noqa: PTH105 (atomic, whoever else writes the same state)
        for stale in older:
            stale.unlink(missing_ok=True)
    return path, state


def round_document(round_: Round) -> dict[str, Any]:
    """Return the one JSON object from which anybody can verify a round; shares only once revealed."""
    return json.loads("".join(document_parts(round_)))


def document_parts(round_: Round) -> Iterator[str]:
    """Yield the text of a round's file; raises ValueError for a round without decks."""
    decks = decks_of(round_)
    # Heads before lists before logs: what is read later covers what was read earlier.
    heads = {deck.pk: publishing.signed_heads(deck) for deck in decks}
    document = fairness.as_document(_without_logs(round_, decks, heads))
    objects = document.pop("decks")
    yield _open(document) + ',"decks":['
    for place, (deck, stated) in enumerate(zip(decks, objects, strict=True)):
        until = None if round_.revealed_at else heads[deck.pk][-1].tickets if heads[deck.pk] else 0
        yield ("," if place else "") + _open(
            {key: stated[key] for key in stated if key not in ("log", "drawn", "head")}
        )
        yield ',"log":['
        drawn, head = 0, stated["head"]
        for entry, after in publishing.log_of(deck, until):
            head = after.hex()
            row = [entry.ticket, entry.face_fen, entry.drawn_at_us, entry.pseudonym.hex(), entry.turn, entry.kind, head]
            yield ("," if drawn else "") + json.dumps(row, separators=(",", ":"))
            drawn += 1
        yield f'],"drawn":{drawn},"head":"{head}"}}'
    yield "]}\n"


def _open(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:-1]


def _without_logs(
    round_: Round, decks: Sequence[Deck], heads: dict[int, list[fairness.SignedHead]]
) -> fairness.RoundFile:
    shares = seeds.open_shares(round_) if round_.revealed_at else {}
    files = []
    for deck in decks:
        contents, commitment = contents_from(deck.contents), bytes(deck.commitment)
        start = fairness.chain_start(contents.deck_id, commitment, bytes(deck.plan_hash))
        # The hash as it was frozen, not one made of what the row's contents say now.
        sealed = bytes(deck.plan_hash)
        files.append(fairness.deck_file(contents, commitment, start, [], heads[deck.pk], _registrants(deck), sealed))
    return fairness.round_file(
        files,
        [
            fairness.Share(share.custodian, bytes(share.commitment), shares.get(share.custodian))
            for share in round_.shares.order_by("custodian")
        ],
        seeds.entropy(round_) if round_.entropy_value else None,
        signing.public_key(publishing.signing_key()),
    )


def _registrants(deck: Deck) -> fairness.Registrants | None:
    signed = publishing.signed_list(deck)
    if signed is None:
        return None
    names = Registration.objects.filter(deck=deck).values_list("pseudonym", flat=True)
    return fairness.Registrants(signed, tuple(sorted(bytes(name) for name in names)))


# ---- what was published on the way


def published_state(campaign: Campaign) -> str:
    """Return what the published lines depend on; four quick queries."""
    decks = Deck.objects.filter(round__campaign=campaign)
    last = decks.aggregate(head=Max("heads__pk"), signed=Max("registrant_list__pk"))
    shares = SeedShare.objects.filter(round__campaign=campaign).count()
    sources = "|".join(Round.objects.filter(campaign=campaign).order_by("pk").values_list("entropy_source", flat=True))
    named = hashlib.sha256(sources.encode()).hexdigest()[:8]
    return f"{campaign.pk}-{last['head']}-{last['signed']}-{shares}-{named}"


def published_lines(campaign: Campaign) -> Iterator[str]:
    """Yield everything published of a campaign as JSON lines: key, commitments, sources, lists, seals, heads."""
    yield fairness.key_line(signing.public_key(publishing.signing_key()))
    for share in SeedShare.objects.filter(round__campaign=campaign).select_related("round").order_by("round", "pk"):
        named = (campaign.code, share.round.number, share.custodian)
        yield fairness.commitment_line(*named, bytes(share.commitment))
    for round_ in Round.objects.filter(campaign=campaign).exclude(entropy_source="").order_by("number"):
        yield fairness.source_line(campaign.code, round_.number, round_.entropy_source)
    for deck in Deck.objects.filter(round__campaign=campaign, registrant_list__isnull=False).order_by("pk"):
        signed = publishing.signed_list(deck)
        yield fairness.registrants_line(signed) if signed else ""
    for deck in Deck.objects.filter(round__campaign=campaign).order_by("pk"):
        heads = publishing.signed_heads(deck)
        yield publishing.seal_line(deck) if heads else ""
        for head in heads:
            yield fairness.head_line(head)


def public_key() -> str:
    """Return the platform's public signing key in hexadecimal."""
    return signing.public_key(publishing.signing_key()).hex()
