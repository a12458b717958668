"""公示: what anybody sees and can take away at each stage, and how much it costs."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from coupons import consumers, disclosure, drawing, fairness, lifecycle, publishing, tasks
from coupons.models import Category, Deck, Round, SeedShare
from tests import factories
from tests.draws.helpers import findings_of, forging, take_away

pytestmark = pytest.mark.django_db(transaction=True)


def text_of(client, path):
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def test_before_the_opening_contents_odds_and_commitments_stand_there(client, at):
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 20, ("dining", 500): 5})
    tasks.sweep()
    deck = factories.deck_of(county)
    page = text_of(client, "/public/")
    share = SeedShare.objects.get(round=county.rounds[0])
    for shown in (bytes(deck.commitment).hex(), bytes(deck.plan_hash).hex(), bytes(share.commitment).hex(), "76.92%"):
        assert shown in page
    assert "13" in page
    document = client.get("/public/rounds/1/round.json")
    stated = json.loads(document.getvalue())
    assert [share["share"] for share in stated["shares"]] == [None]
    assert (stated["decks"][0]["drawn"], stated["decks"][0]["log"]) == (0, [])
    # The seal itself is signed before the opening: an empty log's head.
    assert [head[0] for head in stated["decks"][0]["heads"]] == [0]


def test_while_it_runs_the_log_goes_as_far_as_the_signed_head(client, county, wang):
    factories.drawn(county, wang)
    stated, published = take_away(client)
    assert [row[0] for row in stated["decks"][0]["log"]] == [0]
    assert [head[0] for head in stated["decks"][0]["heads"]] == [1]
    assert stated["shares"][0]["share"] is None
    assert findings_of(stated, published) <= {"not-revealed", "seal-late", "seal-missing"}
    assert "已抽 1 张" in text_of(client, "/public/rounds/1/")


def test_after_the_round_anybody_can_verify_it(client, tmp_path, county, at, settings):
    settings.VAR_DIR = tmp_path
    publishing.publish_heads()
    factories.drawn_by_many(county, factories.some_consumers(20)[:10])
    publishing.publish_heads()
    at("2022-06-30 00:00")
    tasks.sweep()
    stated, published = take_away(client)
    assert stated == disclosure.round_document(Round.objects.get(pk=county.rounds[0].pk))
    assert bytes.fromhex(stated["shares"][0]["share"])
    assert findings_of(stated, published) <= {"seal-late"}
    file, heads = tmp_path / "round.json", tmp_path / "published.jsonl"
    file.write_text(json.dumps(stated))
    heads.write_text(published)
    call_command("verify_round", str(file), "--heads", str(heads), "--key", disclosure.public_key())
    # The file outside the database says the same as the page.
    outside = publishing.heads_file().read_text()
    assert set(published.splitlines()) >= {line for line in outside.splitlines() if '"head"' in line}


def test_winner_and_loser_find_their_receipt_in_the_published_file(client, at):
    """Ticket, card and head on the person's own pages are the row of the file, whether it won or not."""
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 4}, rounds=1)
    Category.objects.update(blanks=4)
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    people = factories.some_consumers(8)
    for one in people:
        drawing.draw(drawing.Ask(factories.deck_of(county).pk, one.pk, turn=1))
    stated, _ = take_away(client)
    faces = []
    for one, row in zip(people, stated["decks"][0]["log"], strict=True):
        client.cookies[consumers.COOKIE] = consumers.cookie_of(one)
        answer = client.get("/m/draw/dining")
        shown = answer.context["drawn"]
        assert (shown["ticket"], shown["receipt"], shown["won"]) == (f"第 {row[0]} 号", row[6], bool(row[1]))
        assert answer.content.decode().count(row[6]) >= 1
        assert row[6] in text_of(client, "/m/coupons")  # every draw is listed there, too
        faces.append(row[1])
    assert sorted(faces) == [0] * 4 + [10_000] * 4


def test_the_pages_say_nothing_of_persons(client, county, wang):
    factories.drawn(county, wang)
    stated, _ = take_away(client)
    for text in (text_of(client, "/public/"), text_of(client, "/public/rounds/1/?deck=dining"), json.dumps(stated)):
        assert "王" not in text
        assert "1990000" not in text


def test_a_file_is_not_sent_twice_to_who_has_it(client, county):
    first = client.get("/public/rounds/1/round.json")
    assert json.loads(first.getvalue())["round"] == 1
    again = client.get("/public/rounds/1/round.json", headers={"if-none-match": first.headers["ETag"]})
    assert again.status_code == 304
    heads = client.get("/public/heads")
    assert heads.getvalue().startswith(b'{"kind":"key"')
    assert client.get("/public/heads", headers={"if-none-match": heads.headers["ETag"]}).status_code == 304


def test_the_log_is_paged_by_ticket(client, at):
    at("2022-06-25 08:30")
    county = factories.a_county({("dining", 100): 240})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    factories.drawn_by_many(county, factories.some_consumers(120))
    page = text_of(client, "/public/rounds/1/?deck=dining&from=100")
    assert "100–119" in page
    assert "from=50#log" in page
    assert "0–49" in text_of(client, "/public/rounds/1/?deck=dining&from=junk")


@pytest.mark.parametrize("path", ["/public/", "/public/rounds/1/", "/public/rounds/1/?deck=dining", "/public/verify"])
def test_a_page_costs_the_same_with_thirty_draws_as_with_one(client, county, at, path):
    factories.drawn(county, factories.a_consumer())
    client.get(path)
    with CaptureQueriesContext(connection) as one:
        client.get(path)
    factories.drawn_by_many(county, factories.some_consumers(9))
    client.get(path)
    with CaptureQueriesContext(connection) as many:
        client.get(path)
    assert len(many) == len(one) <= 14


def test_the_policy_lets_nothing_inline_run(client, county):
    for path in ("/public/", "/public/rounds/1/", "/public/verify"):
        response = client.get(path)
        policy = response.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'self'" in policy
        assert " style=" not in response.content.decode()


def test_the_verifier_is_at_hand(client, county):
    page = text_of(client, "/public/verify")
    assert "/public/rounds/1/round.json" in page
    assert 'data-url="/public/heads"' in page
    assert disclosure.public_key() in page
    assert "verify_round_standalone" in page


@pytest.mark.parametrize("path", ["/public/rounds/9/", "/public/rounds/2/round.json", "/public/?campaign=0"])
def test_what_is_not_there_is_not_found(client, county, path):
    assert client.get(path).status_code == 404


def test_without_a_campaign_the_page_still_answers(client):
    assert client.get("/public/").status_code == 200
    assert client.get("/public/heads").status_code == 404


def test_what_was_changed_in_the_database_is_sent_as_it_is_now(client, county):
    factories.drawn(county, factories.a_consumer())
    take_away(client)
    with forging() as sql:
        sql("UPDATE coupons_draw SET drawn_at = drawn_at + interval '1 second'")
    stated, published = take_away(client)
    assert "link" in findings_of(stated, published)


def test_commitments_are_published_once(tmp_path, county, settings):
    settings.VAR_DIR = tmp_path
    assert publishing.publish_all_commitments() == 2
    assert publishing.publish_all_commitments() == 0
    published = fairness.read_published(publishing.heads_file().read_text())
    assert len(published.commitments) == 2
    assert Deck.objects.count() == 1
