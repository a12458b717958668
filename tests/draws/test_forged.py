"""Somebody with every right over the database changes a round: what is published says so, and which ticket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import transaction

from coupons import drawing, fairness, ledger, lifecycle, publishing, tasks
from coupons.drawing.facts import contents_from
from coupons.models import Draw, Head, Transfer
from huigou.fields import seal
from tests import factories
from tests.draws.helpers import cards_of, findings_of, forging, take_away, verified, whole

pytestmark = pytest.mark.django_db(transaction=True)
DRAWN = 30
OTHER = bytes(range(32))


@contextmanager
def undone() -> Iterator[None]:
    """Take everything back at the end, so that the next forgery finds the round as it was."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def ended(client, at, tmp_path, settings):
    """A round that is over and revealed, with what was published on the way as somebody kept it outside."""
    settings.VAR_DIR = tmp_path
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 60, ("dining", 500): 40})
    tasks.sweep()
    at("2022-06-25 09:05")
    people = factories.some_consumers(DRAWN)
    for first in range(0, DRAWN, 10):
        factories.drawn_by_many(county, people[first : first + 10])
        publishing.publish_heads()
    at("2022-06-30 00:00")
    tasks.sweep()
    document, published = take_away(client)
    assert verified(document, published) == []
    # What stands on the public page is what the files say the deck was dealt from, and the contents hash to it.
    [stated], deck = document["decks"], factories.deck_of(county)
    assert stated["plan_hash"] == fairness.plan_hash(contents_from(deck.contents)).hex()
    assert stated["plan_hash"] in client.get("/public/rounds/1/").content.decode()
    seal = publishing.seal_line(deck)
    assert stated["plan_hash"] in seal
    assert stated["commitment"] in seal
    assert seal in published
    assert publishing.heads_file().read_text().count(seal) == 1
    return county, published


def _swap(column):
    def change(sql, deck, cards):
        other = next(t for t in range(6, DRAWN) if cards[t] != cards[5])
        sql("DROP INDEX draw_win_once")
        sql("DROP INDEX draw_turn_once")
        sql(
            f"UPDATE coupons_draw d SET {column} = o.{column} FROM coupons_draw o WHERE o.deck_id = d.deck_id"  # noqa: S608
            " AND ((d.ticket = 5 AND o.ticket = %s) OR (d.ticket = %s AND o.ticket = 5)) AND d.deck_id = %s",
            other, other, deck.pk,
        )  # fmt: skip

    return change


def _draws(assignment, *values, where="ticket = 7"):
    return lambda sql, deck, cards: sql(f"UPDATE coupons_draw SET {assignment} WHERE {where}", *values)  # noqa: S608


def _drop(sql, deck, cards):
    sql("DELETE FROM coupons_draw WHERE ticket = 7")


def _insert(sql, deck, cards):
    sql(
        "INSERT INTO coupons_draw (deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn, entry_hash,"
        " channel) SELECT deck_id, %s, %s, drawn_at, kind, consumer_id, %s, 1, entry_hash, channel FROM coupons_draw"
        " WHERE ticket = %s",
        DRAWN, cards[DRAWN], OTHER, DRAWN - 1,
    )  # fmt: skip


def _exchange(sql, deck, cards):
    sql("UPDATE coupons_draw SET ticket = 99 WHERE ticket = 5")
    sql("UPDATE coupons_draw SET ticket = 5 WHERE ticket = 6")
    sql("UPDATE coupons_draw SET ticket = 6 WHERE ticket = 99")


def _cut(sql, deck, cards):
    sql("DELETE FROM coupons_draw WHERE ticket >= 25")
    sql("DELETE FROM coupons_head WHERE tickets > 25")
    sql("UPDATE coupons_deck SET next_ticket = 25, head = (SELECT entry_hash FROM coupons_draw WHERE ticket = 24)")


def _share(sql, deck, cards):
    sql("UPDATE coupons_seedshare SET sealed = %s WHERE round_id = %s", seal(OTHER, "seed-share"), deck.round_id)


def _share_and_commitment(sql, deck, cards):
    _share(sql, deck, cards)
    code = deck.round.campaign.code
    commitment = fairness.share_commitment(code, 1, fairness.SYSTEM, OTHER)
    sql("UPDATE coupons_seedshare SET commitment = %s WHERE round_id = %s", commitment, deck.round_id)


def _contents(sql, deck, cards):
    faces = [[face, count + (1 if face == 10_000 else -1)] for face, count in deck.contents["faces"]]
    sql("UPDATE coupons_deck SET contents = jsonb_set(contents, '{faces}', %s::jsonb)", str(faces))


def _contents_and_hash(sql, deck, cards):
    _contents(sql, deck, cards)
    deck.refresh_from_db()
    sql("UPDATE coupons_deck SET plan_hash = %s", fairness.plan_hash(contents_from(deck.contents)))


def _entropy(sql, deck, cards):
    sql("UPDATE coupons_round SET entropy_source = '体彩', entropy_value = '12345' WHERE id = %s", deck.round_id)


def _second_win(sql, deck, cards):
    sql("DROP INDEX draw_win_once")
    sql("DROP INDEX draw_turn_once")
    sql("UPDATE coupons_draw SET pseudonym = (SELECT pseudonym FROM coupons_draw WHERE ticket = 3) WHERE ticket = 9")


def _rewritten(sql, deck, cards):
    """Another owner for ticket 4, and every later hash and the deck's head made to fit; the heads signed are gone."""
    sql("UPDATE coupons_draw SET pseudonym = %s WHERE ticket = 4", OTHER)
    label = contents_from(deck.contents).deck_id
    head = fairness.chain_start(label, bytes(deck.commitment), bytes(deck.plan_hash))
    for entry, _ in list(publishing.log_of(deck)):
        head = fairness.link(head, label, *entry)
        sql("UPDATE coupons_draw SET entry_hash = %s WHERE ticket = %s", head, entry.ticket)
    sql("UPDATE coupons_deck SET head = %s", head)
    sql("DELETE FROM coupons_head")


FORGERIES = {
    "cards swapped": (_swap("face_fen"), {"card", "link"}, 5),
    "owners swapped": (_swap("pseudonym"), {"link"}, 5),
    "a draw dropped": (_drop, {"ticket-missing", "link"}, 7),
    "a draw inserted": (_insert, {"link"}, DRAWN),
    "re-timed": (_draws("drawn_at = drawn_at + interval '1 second'"), {"link"}, 7),
    "timed before the round": (_draws("drawn_at = '2022-06-25 08:59+08'"), {"link", "time-window"}, 7),
    "re-owned": (_draws("pseudonym = %s", OTHER), {"link"}, 7),
    "order changed": (_exchange, {"link"}, 5),
    "tail cut": (_cut, {"tail-cut"}, 25),
    "another seed": (_share, {"share-commitment", "card"}, None),
    "another seed and its commitment": (_share_and_commitment, {"share-published", "commitment"}, None),
    "other contents": (_contents, {"plan-hash"}, None),
    "other contents and their hash": (_contents_and_hash, {"commitment", "seal-mismatch", "seal-published"}, None),
    "public number added": (_entropy, {"commitment", "card"}, None),
    "another seal": (lambda sql, d, c: sql("UPDATE coupons_deck SET commitment = %s", OTHER), {"commitment"}, None),
    "a second win": (_second_win, {"second-win", "link"}, 9),
    "a draw made void": (_draws("kind = 'void'"), {"link", "void-owned"}, 7),
    "a signature made up": (
        lambda sql, d, c: sql("UPDATE coupons_head SET signature = %s WHERE tickets = 20", OTHER * 2),
        {"signature"},
        20,
    ),
    "rewritten to the end": (_rewritten, {"head-mismatch"}, 0),
}


def test_each_forgery_in_the_database_is_named(client, ended):
    county, published = ended
    cards = cards_of(factories.deck_of(county))
    missed = {}
    with forging() as sql:
        for name, (change, codes, ticket) in FORGERIES.items():
            with undone():
                change(sql, factories.deck_of(county), cards)
                found = verified(take_away(client)[0], published)
            named = {f.code for f in found}
            if not codes <= named or (ticket is not None and ticket not in {f.ticket for f in found}):
                missed[name] = [(f.code, f.ticket) for f in found]
    assert missed == {}
    assert len(FORGERIES) >= 12
    assert findings_of(*take_away(client)) == set()  # and the round as it was is green again


def test_without_what_was_kept_outside_a_rewrite_is_not_seen(client, ended):
    """The control: why somebody has to keep the published lines elsewhere."""
    county, _ = ended
    with forging() as sql, undone():
        _rewritten(sql, factories.deck_of(county), [])
        found = verified(take_away(client)[0], None)
    assert not [f for f in found if f.level == fairness.ERROR]


def test_a_ticket_that_somebody_made_vanish_is_listed_as_void(client, county, wang, zhao, at, tmp_path, settings):
    """The owner moves a deck on without a draw: the next one lists the ticket, its coupon goes back to the pool."""
    settings.VAR_DIR = tmp_path
    deck = factories.deck_of(county)
    batch = next(iter(county.batches.values()))
    factories.drawn(county, wang)
    before = ledger.pool_fen(county.campaign.pk)[batch.pk]
    with forging() as sql:
        sql("UPDATE coupons_deck SET next_ticket = next_ticket + 2")
    answer = drawing.draw(drawing.Ask(deck.pk, zhao.pk, turn=1))
    assert answer.ticket == 3
    kinds = list(Draw.objects.order_by("ticket").values_list("ticket", "kind", "consumer"))
    assert kinds == [(0, "draw", wang.pk), (1, "void", None), (2, "void", None), (3, "draw", zhao.pk)]
    assert ledger.pool_fen(county.campaign.pk)[batch.pk] == before + 2 * batch.face_fen
    assert Transfer.objects.filter(code=Transfer.Code.VOID).count() == 2
    assert whole(deck) == 4
    call_command("check_books")
    document, published = take_away(client)
    assert "void" in findings_of(document, published)
    assert not [f for f in verified(document, published) if f.level == fairness.ERROR]
    assert "作废" in client.get("/public/rounds/1/?deck=dining").content.decode()


def test_a_lost_ticket_is_listed_even_when_nobody_draws_again(county, wang, at, tmp_path, settings):
    settings.VAR_DIR = tmp_path
    factories.drawn(county, wang)
    with forging() as sql:
        sql("UPDATE coupons_deck SET next_ticket = next_ticket + 1")
    publishing.publish_heads()
    assert Draw.objects.filter(kind=Draw.Kind.VOID).count() == 1
    assert Head.objects.filter(tickets=2).exists()
    assert whole(factories.deck_of(county)) == 2


def test_the_first_draw_deals_when_no_sweep_ran(at):
    at("2022-06-25 09:05")
    county = factories.a_county({("dining", 100): 20})
    assert not county.rounds[0].decks.exists()
    deck_id = drawing.facts.open_deck("dining", at("2022-06-25 09:05")).deck_id
    assert drawing.draw(drawing.Ask(deck_id, factories.a_consumer().pk, turn=1)).ticket == 0
    assert lifecycle.deal(county.rounds[0].pk) is False
