"""报名摇号 from the first registration to the verified file: a real web process, a real worker, the beat's own task."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.utils import DatabaseError

from coupons import consumers, fairness, ledger, lottery, publishing, seeds, tasks
from coupons.drawing.facts import pseudonym
from coupons.errors import LIST_CHANGED
from coupons.models import Consumer, Coupon, Deck, Draw, RegistrantList, Registration, Round
from huigou import clock
from huigou.celery import app
from tests import factories
from tests.draws.helpers import forging, refused, take_away, verified, whole
from tests.draws.test_forged import undone
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)
STANDALONE = Path("coupons/static/coupons/verify/verify_round_standalone.py")
STOCK = {("dining", 100): 6, ("dining", 500): 2, ("fuel", 50): 40}
REGISTERED = 20


def fetch(url: str, body: bytes | None = None, cookies: str = "", **headers: str) -> tuple[int, str, list[str]]:
    """Return status, text and the cookies set; a redirect is not followed."""
    asked = urllib.request.Request(url, data=body, headers={"Cookie": cookies, "Referer": url, **headers})  # noqa: S310
    try:
        with _opener.open(asked, timeout=30) as answer:
            return answer.status, answer.read().decode(), answer.headers.get_all("Set-Cookie") or []
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode(), []


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_Stay)


def cookie(consumer: Consumer) -> str:
    return f"{consumers.COOKIE}={consumers.cookie_of(consumer)}"


def opened(site: Site, consumer: Consumer, category: str) -> str | None:
    """Open the page as a person does; return what its button will send, None while it cannot be pressed."""
    _, page, given = fetch(f"{site.url}/m/register/{category}", cookies=cookie(consumer))
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"><button(?! [^>]*disabled)', page)
    return token and f"{token[1]} {next(c.partition(';')[0] for c in given if c.startswith('csrftoken='))}"


def pressed(site: Site, consumer: Consumer, category: str, button: str) -> tuple[int, str]:
    """Press the button of a page opened before."""
    token, csrf = button.split()
    body, cookies = f"csrfmiddlewaretoken={token}".encode(), f"{cookie(consumer)}; {csrf}"
    return fetch(f"{site.url}/m/register/{category}", body, cookies)[:2]


def by_page(site: Site, consumer: Consumer) -> int:
    return pressed(site, consumer, "dining", opened(site, consumer, "dining"))[0]


def by_api(site: Site, consumer: Consumer | None, category: str, path: str = "registrations") -> tuple[int, dict]:
    """Ask the API as the pages' own script does."""
    headers = {"Content-Type": "application/json", "X-Requested-With": "huigou"}
    body = json.dumps({"category": category}).encode()
    status, text, _ = fetch(f"{site.url}/api/v1/{path}", body, (consumer and cookie(consumer)) or "", **headers)
    return status, json.loads(text)


def sweep_until(true: Callable[[], bool]) -> None:
    """Send what beat sends, and wait for the worker."""
    app.send_task("coupons.sweep")
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "the worker's sweep did not do it"
        time.sleep(0.05)


def order_of(deck: Deck) -> list[bytes]:
    """Return who is due a ticket, by the specification's own code from the shares and the list."""
    names = [bytes(name) for name in Registration.objects.filter(deck=deck).values_list("pseudonym", flat=True)]
    return fairness.lottery_order(seeds.deck_seed(deck.round_id, deck.category.code), names)[: deck.size]


def test_from_the_first_registration_to_the_verified_file(site: Site, worker, at, client, tmp_path) -> None:
    at("2022-06-25 08:30")
    county = factories.a_county(STOCK, rounds=1, draw_mode="lottery")
    round_ = county.rounds[0]
    people = factories.some_consumers(REGISTERED + 2)
    *many, last, late = people
    sweep_until(lambda: Round.objects.filter(pk=round_.pk, dealt_at__isnull=False).exists())
    dining, fuel = (factories.deck_of(county, code) for code in ("dining", "fuel"))

    at("2022-06-25 08:59:59")
    assert by_api(site, late, "dining")[1]["code"] == "round_not_open"
    assert opened(site, late, "dining") is None  # its button waits
    assert by_api(site, None, "dining")[0] == 401
    assert Registration.objects.count() == 0

    at("2022-06-25 09:00")
    half = len(many) // 2
    with ThreadPoolExecutor(8) as pool:
        pages = pool.map(lambda one: by_page(site, one), many[:half])
        posted = pool.map(lambda one: by_api(site, one, "dining"), many[half:])
        again = pool.map(lambda one: by_api(site, one, "dining"), many)
        assert set(pages) == {302}
        named = {answer["pseudonym"] for status, answer in posted if status == 200}
        repeated = [answer["pseudonym"] for status, answer in again if status == 200]
    assert (len(named), len(repeated), len(set(repeated))) == (len(many) - half, len(many), len(many))
    assert named < set(repeated)
    assert [by_api(site, one, "fuel")[0] for one in many[:3]] == [200] * 3
    assert by_api(site, many[0], "dining", "draws")[1]["code"] == "wrong_mode"  # speed plays no part
    at("2022-06-25 09:09:59.999999")
    assert by_api(site, last, "dining")[0] == 200
    button = opened(site, late, "dining")

    at("2022-06-25 09:10")
    assert by_api(site, late, "dining")[1]["code"] == "registration_over"
    status, page = pressed(site, late, "dining", button)  # opened in time, pressed too late
    assert (status, "报名已于" in page) == (409, True)
    assert Registration.objects.filter(deck=dining).count() == REGISTERED + 1
    sweep_until(lambda: Draw.objects.count() == dining.size + 3)
    for deck in (dining, fuel):
        drawn = Draw.objects.filter(deck=deck).order_by("ticket")
        assert [bytes(name) for name in drawn.values_list("pseudonym", flat=True)] == order_of(deck)
        assert whole(deck) == len(order_of(deck))  # cards, coupons, transfers, events, chain
    assert Coupon.objects.filter(draw__deck=dining).count() == dining.size
    won = Draw.objects.filter(deck=dining).first()
    lost = next(one for one in many if not Draw.objects.filter(deck=dining, consumer=one).exists())
    mine = fetch(f"{site.url}/m/register/dining", cookies=cookie(won.consumer))[1]
    assert "恭喜，摇中了" in mine
    assert bytes(won.entry_hash).hex() in mine
    theirs = fetch(f"{site.url}/m/register/dining", cookies=cookie(lost))[1]
    assert "这次没有摇中" in theirs
    label = fairness.round_id(county.campaign.code, 1)
    assert pseudonym(label, bytes(lost.phone_key)).hex() in theirs
    call_command("check_books")

    at("2022-06-30 00:00")
    sweep_until(lambda: Round.objects.filter(pk=round_.pk, revealed_at__isnull=False).exists())
    call_command("check_books")
    files = {"round.json": "public/rounds/1/round.json", "heads.jsonl": "public/heads"}
    for name, path in files.items():
        (tmp_path / name).write_text(fetch(f"{site.url}/{path}")[1])
    paths = [str(tmp_path / name) for name in files]
    call_command("verify_round", paths[0], "--heads", paths[1])
    command = [sys.executable, "-I", "-S", str(STANDALONE), paths[0], "--heads", paths[1], "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    assert json.loads(said.stdout.splitlines()[-1]) == {"ok": True, "findings": []}
    outside = publishing.heads_file().read_text().splitlines()
    kept = (tmp_path / "heads.jsonl").read_text()
    listed = [line for line in kept.splitlines() if '"kind":"registrants"' in line]
    assert len(listed) == 2
    assert set(listed) <= set(outside)
    assert_forgeries_are_named(client, county, kept)


def _another_registrant(sql, deck):
    sql(
        "INSERT INTO coupons_registration (deck_id, consumer_id, pseudonym, registered_at)"
        " SELECT deck_id, consumer_id, %s, registered_at FROM coupons_registration WHERE deck_id = %s LIMIT 1",
        bytes(range(32)), deck.pk,
    )  # fmt: skip


def _a_friend_first(sql, deck):
    sql("DROP INDEX draw_turn_once")
    sql("DROP INDEX draw_win_once")
    sql(
        "UPDATE coupons_draw d SET pseudonym = o.pseudonym FROM coupons_draw o WHERE o.deck_id = d.deck_id"
        " AND d.deck_id = %s AND d.ticket + o.ticket = 5 AND d.ticket IN (0, 5)",
        deck.pk,
    )


def _one_struck_off(sql, deck):
    sql("DELETE FROM coupons_registration WHERE deck_id = %s AND pseudonym = %s", deck.pk, order_of(deck)[0])


def _list_signed_anew(sql, deck):
    """The platform itself signs a list with one more, and the published lines of the database say so too."""
    _another_registrant(sql, deck)
    sql("DELETE FROM coupons_registrantlist WHERE deck_id = %s", deck.pk)
    lottery.fix_list(deck)


def assert_forgeries_are_named(client, county: factories.County, kept: str) -> None:
    """Change list and order with every right over the database; ``kept`` is what somebody saved outside."""
    deck = factories.deck_of(county, "dining")
    expected = [
        (_another_registrant, {"registrants"}, None),
        (_a_friend_first, {"lottery-order", "link"}, 0),
        (_one_struck_off, {"registrants", "lottery-order"}, 0),
        (_list_signed_anew, {"registrants", "registrants-late"}, None),
    ]
    for change, codes, ticket in expected:
        with forging() as sql, undone():
            change(sql, deck)
            found = verified(take_away(client)[0], kept)
        named = {f.code for f in found if f.deck == f"{county.campaign.code}/1/dining"}
        assert codes <= named, (change.__name__, found)
        assert ticket is None or ticket in {f.ticket for f in found}
    assert verified(take_away(client)[0], kept) == []


@pytest.fixture
def registered(at, tmp_path, settings) -> tuple[factories.County, list[Consumer]]:
    """A joint draw that is due: twelve people on the list, eight cards."""
    settings.VAR_DIR = tmp_path
    at("2022-06-25 08:30")
    county = factories.a_county(STOCK, rounds=1, draw_mode="lottery")
    tasks.sweep()
    at("2022-06-25 09:05")
    people = factories.some_consumers(12)
    for one in people:
        lottery.register(one, factories.deck_of(county))
    at("2022-06-25 09:10")
    return county, people


def test_a_joint_draw_that_was_cut_short_goes_on_where_it_stopped(registered) -> None:
    deck = factories.deck_of(registered[0])
    lottery.fix_list(deck)
    due = order_of(deck)
    with pytest.raises(ZeroDivisionError):  # killed after one step of three, in the middle of the second
        _cut_short_in_the_second_step(deck)
    assert whole(deck) == 3
    assert lottery.draw_due() == deck.size - 3
    assert lottery.draw_due() == 0
    assert whole(deck) == deck.size
    drawn = Draw.objects.filter(deck=deck).order_by("ticket")
    assert [bytes(name) for name in drawn.values_list("pseudonym", flat=True)] == due


def _cut_short_in_the_second_step(deck: Deck) -> None:
    from unittest import mock

    real, calls = lottery.write_rows, []

    def cut(*args: Any) -> None:
        real(*args)
        calls.append(args)
        if len(calls) == 2:
            raise ZeroDivisionError

    with mock.patch.object(lottery, "write_rows", cut):
        lottery.joint_draw(deck, step=3)


def test_a_list_that_was_tampered_with_after_signing_is_not_drawn_from(registered) -> None:
    deck = factories.deck_of(registered[0])
    lottery.fix_list(deck)
    with pytest.raises(DatabaseError, match="the list is signed"):
        Registration.objects.create(
            deck=deck, consumer=registered[1][0], pseudonym=bytes(32), registered_at=clock.now()
        )
    with forging() as sql:
        _another_registrant(sql, deck)
    with refused(LIST_CHANGED):
        lottery.joint_draw(deck)
    assert lottery.draw_due() == 0
    assert Draw.objects.count() == 0


def test_the_registration_time_is_frozen_with_the_deck(registered) -> None:
    """Nobody keeps the list open for somebody who came late: the length stands with the sealed deck."""
    round_ = registered[0].rounds[0]
    with pytest.raises(DatabaseError, match="round is dealt"):
        Round.objects.filter(pk=round_.pk).update(registration_minutes=60)
    assert RegistrantList.objects.count() == 0
    assert sum(ledger.balances(registered[0].campaign.pk).values()) == 0
