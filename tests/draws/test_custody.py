"""The seed's shares: committed ahead, sealed, handed over or publicly missed; nobody reads the order before the end."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import IntegrityError, connection
from django.db.utils import DatabaseError

from coupons import custody, drawing, fairness, lifecycle, publishing, seeds, tasks
from coupons.errors import (
    ENTROPY_EARLY,
    ENTROPY_LATE,
    ENTROPY_NAMED,
    SAME_DEPARTMENT,
    SEED_BROKEN,
    SHARE_LATE,
    SHARE_MISSING,
    SHARE_WRONG,
)
from coupons.models import Head, Notice, Round, SeedShare
from huigou.errors import Refusal
from huigou.fields import seal, unseal
from huigou.models import Department
from tests import factories
from tests.conftest import as_owner
from tests.draws.helpers import cards_of, forging, refused, take_away, verified

pytestmark = pytest.mark.django_db(transaction=True)
SHARE = bytes(range(64))
STANDALONE = Path("coupons/static/coupons/verify/verify_round_standalone.py")


@pytest.fixture
def before(at, tmp_path, settings) -> factories.County:
    """A county three days before its first round."""
    settings.VAR_DIR = tmp_path
    at("2022-06-22 10:00")
    return factories.a_county({("dining", 100): 40, ("dining", 20): 40})


def desk(client, department: str):
    client.force_login(factories.a_staff(department), "django.contrib.auth.backends.ModelBackend")
    return client


def do(client, department: str, round_: Round, deed: str, **data: str):
    response = desk(client, department).post(f"/admin/coupons/round/{round_.pk}/deed/{deed}/", data)
    return response.status_code, response.content.decode()


def commitment_of(round_: Round, custodian: str, share: bytes = SHARE) -> bytes:
    return fairness.share_commitment(round_.campaign.code, round_.number, custodian, share)


def fresh(round_: Round) -> Round:
    return Round.objects.get(pk=round_.pk)


def made_elsewhere(round_: Round, custodian: str) -> tuple[str, str]:
    """Return share and commitment as a custodian makes them on a machine of the own."""
    command = [sys.executable, str(STANDALONE), "--new-share", round_.campaign.code, str(round_.number), custodian]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return said[1].rpartition(" ")[2], said[0].rpartition(" ")[2]


def test_the_whole_way_by_the_desk(client, before, at):
    """Commit, name the source, miss, postpone publicly, type the number in, hand over, deal, draw, verify."""
    round_ = before.rounds[0]
    share, commitment = made_elsewhere(round_, Department.AUDIT)
    assert do(client, Department.AUDIT, round_, "commit", commitment=commitment)[0] == 302
    assert do(client, Department.FINANCE, round_, "commit", commitment=commitment)[0] == 403
    assert do(client, Department.INDUSTRY, round_, "source", text="体彩 第 1 期", reason="增加公开性")[0] == 302
    source = before.campaign.changes.latest("pk")
    factories.agreed(source, factories.a_staff(Department.DISCIPLINE))
    with refused(ENTROPY_NAMED):  # it stands once named
        custody.propose_entropy_source(fresh(round_), "别的", maker=factories.a_staff(Department.INDUSTRY), reason="x")
    with pytest.raises(DatabaseError, match="stands once named"):
        Round.objects.filter(pk=round_.pk).update(entropy_source="别的")
    told = publishing.heads_file().read_text()
    assert fairness.source_line(round_.campaign.code, 1, "体彩 第 1 期") in told
    assert "体彩 第 1 期" in client.get("/public/heads").getvalue().decode()
    tasks.sweep()
    assert "审计局" in client.get("/public/rounds/1/").content.decode()

    at("2022-06-25 08:30")
    tasks.sweep()  # the share is missing: no deal, and never silently
    with refused(SHARE_MISSING) as _:
        lifecycle.deal(round_.pk)
    page = client.get("/public/rounds/1/").content.decode()
    assert "待交付" in page
    assert Round.objects.get(pk=round_.pk).dealt_at is None

    notice = "审计局份额未交齐，第1轮延至6月25日15:00"
    times = {"opens_at": "2022-06-25T15:00", "closes_at": "2022-06-30T00:00"}
    asked = do(client, Department.INDUSTRY, round_, "postpone", notice=notice, reason="份额未交", **times)
    assert asked[0] == 302, asked[1]
    factories.agreed(before.campaign.changes.latest("pk"), factories.a_staff(Department.DISCIPLINE))
    assert notice in client.get("/public/").content.decode()
    assert Notice.objects.filter(body=notice).exists()

    for value, reason in (("40721", "已开奖"), ("40712", "末两位录反")):
        assert do(client, Department.INDUSTRY, round_, "value", text=value, reason=reason)[0] == 302
        factories.agreed(before.campaign.changes.latest("pk"), factories.a_staff(Department.AUDIT))
    correction = Notice.objects.get(title="第1轮公开随机数更正")  # never silently
    assert correction.body == "来源：体彩 第 1 期。原登记 40721，更正为 40712。理由：末两位录反"
    assert do(client, Department.AUDIT, round_, "handover", share="00" * 32)[0] == 422
    assert do(client, Department.AUDIT, round_, "handover", share=share)[0] == 302
    at("2022-06-25 14:30")
    tasks.sweep()
    at("2022-06-25 15:00")
    factories.drawn_by_many(before, factories.some_consumers(12))
    at("2022-06-30 00:00")
    tasks.sweep()
    document, published = take_away(client)
    assert {s["custodian"]: s["share"] for s in document["shares"]}[Department.AUDIT] == share
    assert document["entropy"] == {"source": "体彩 第 1 期", "value": "40712"}
    assert not [f for f in verified(document, published) if f.level == fairness.ERROR]


def test_three_custodians_each_hold_a_share_and_one_that_is_missing_is_named(client, before, at):
    round_ = before.rounds[0]
    shares = {who: hashlib.sha512(who.encode()).digest() for who in seeds.CUSTODIANS}
    for who, share in shares.items():
        assert do(client, who, round_, "commit", commitment=commitment_of(round_, who, share).hex())[0] == 302
    with pytest.raises(IntegrityError):  # one each
        seeds.commit(round_, factories.a_staff(Department.AUDIT), bytes(32))
    tasks.sweep()
    told = publishing.heads_file().read_text()
    assert all(commitment_of(round_, who, share).hex() in told for who, share in shares.items())  # a day ahead
    at("2022-06-25 08:30")
    for who in (Department.INDUSTRY, Department.DISCIPLINE):
        assert do(client, who, round_, "handover", share=shares[who].hex())[0] == 302
    with pytest.raises(Refusal, match="审计局") as missing:
        lifecycle.deal(round_.pk)
    assert "纪委" not in missing.value.message
    with refused(SHARE_WRONG):  # nobody hands over for another
        seeds.hand_over(round_, factories.a_staff(Department.AUDIT), shares[Department.INDUSTRY])
    assert do(client, Department.AUDIT, round_, "handover", share=shares[Department.AUDIT].hex())[0] == 302
    tasks.sweep()
    at("2022-06-25 09:00")
    factories.drawn_by_many(before, factories.some_consumers(5))
    at("2022-06-30 00:00")
    tasks.sweep()
    document, published = take_away(client)
    revealed = {s["custodian"]: s["share"] for s in document["shares"]}
    assert revealed.pop(fairness.SYSTEM)
    assert revealed == {str(who): share.hex() for who, share in shares.items()}
    assert verified(document, published) == []


def test_a_commitment_comes_a_day_ahead_and_stays(before, at):
    round_, auditor = before.rounds[0], factories.a_staff(Department.AUDIT)
    with refused(SHARE_WRONG):
        seeds.commit(round_, factories.a_staff(Department.FINANCE), bytes(32))
    seeds.commit(round_, auditor, commitment_of(round_, Department.AUDIT))
    at("2022-06-24 09:00:01")
    with refused(SHARE_LATE):
        seeds.commit(round_, factories.a_staff(Department.DISCIPLINE), bytes(32))
    with pytest.raises(DatabaseError, match="committed share"):
        SeedShare.objects.filter(round=round_, custodian=Department.AUDIT).update(commitment=bytes(32))
    with pytest.raises(DatabaseError, match="committed share"):
        SeedShare.objects.filter(round=round_, custodian=Department.AUDIT).delete()
    with refused(SHARE_WRONG):
        seeds.hand_over(round_, auditor, bytes(64))
    seeds.hand_over(round_, auditor, SHARE)
    held = SeedShare.objects.get(round=round_, custodian=Department.AUDIT)
    assert SHARE not in bytes(held.sealed)
    assert unseal(bytes(held.sealed), seeds.PURPOSE) == SHARE


def test_a_postponement_needs_two_departments_and_opens_no_door(before, at):
    round_, bureau = before.rounds[0], factories.a_staff(Department.INDUSTRY)
    opens_at = round_.opens_at + dt.timedelta(days=2)
    change = custody.propose_postponement(
        round_, opens_at=opens_at, closes_at=round_.closes_at, notice="延期两天", maker=bureau, reason="份额未交"
    )
    with refused(SAME_DEPARTMENT):
        factories.agreed(change, factories.a_staff(Department.INDUSTRY, "二"))
    factories.agreed(change, factories.a_staff(Department.LEADERS))
    round_.refresh_from_db()
    assert (round_.opens_at, round_.postponed_notice) == (opens_at, "延期两天")
    with refused(SHARE_LATE):  # which shares go in was frozen with the first date
        seeds.commit(round_, factories.a_staff(Department.AUDIT), bytes(32))


def test_the_public_number_is_named_ahead_and_known_after_the_commitments(before, at):
    round_, bureau = before.rounds[0], factories.a_staff(Department.INDUSTRY)
    with refused(ENTROPY_EARLY):
        custody.propose_entropy_value(round_, "1", maker=bureau, reason="x")
    at("2022-06-24 09:00:01")
    with refused(ENTROPY_LATE):
        custody.propose_entropy_source(round_, "体彩", maker=bureau, reason="x")


def a_share_exchanged(round_: Round) -> None:
    with forging() as sql:
        sql("UPDATE coupons_seedshare SET sealed = %s WHERE round_id = %s", seal(bytes(64), seeds.PURPOSE), round_.pk)


def test_no_deck_is_dealt_from_a_share_that_was_exchanged(before, at):
    """The reveal could not prove it, so that it stops before anybody has drawn, and says whose share it is."""
    round_ = before.rounds[0]
    at("2022-06-25 08:30")
    a_share_exchanged(round_)
    with refused(SEED_BROKEN):
        lifecycle.deal(round_.pk)
    assert tasks.sweep() == {"booked": 0, "dealt": 0}
    with forging() as sql:
        sql("UPDATE coupons_seedshare SET sealed = 'junk' WHERE round_id = %s", round_.pk)
    with refused(SEED_BROKEN):
        lifecycle.deal(round_.pk)


def test_nobody_draws_from_a_share_that_was_exchanged_after_the_dealing(before, at):
    round_ = before.rounds[0]
    at("2022-06-25 08:30")
    tasks.sweep()
    at("2022-06-25 09:05")
    drawing.forget()
    a_share_exchanged(round_)
    with refused(SEED_BROKEN):
        drawing.facts.open_deck("dining", at("2022-06-25 09:05"))


def test_a_head_that_could_not_be_written_outside_is_not_signed_inside(before, at, settings, tmp_path):
    """Killed, or a full disk, between the two: the next run signs again, and what is outside is never short of one."""
    at("2022-06-25 08:30")
    lifecycle.deal(before.rounds[0].pk)
    settings.VAR_DIR = tmp_path / "a-file"
    settings.VAR_DIR.write_text("in the way")
    with pytest.raises(OSError, match="a-file"):
        publishing.publish_heads()
    assert Head.objects.count() == 0
    settings.VAR_DIR = tmp_path
    assert publishing.publish_heads() == 1
    [head] = Head.objects.all()
    assert bytes(head.signature).hex() in publishing.heads_file().read_text()


def everything_in_the_database() -> bytes:
    """Return every row of every table, as text and with its binary values in hexadecimal."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = []
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608
            rows += [row for (row,) in cursor.fetchall()]
    return "\n".join(rows).encode()


def test_nobody_reads_order_or_share_from_the_database_or_the_pages_before_the_end(client, before, at):
    round_ = before.rounds[0]
    seeds.commit(round_, factories.a_staff(Department.AUDIT), commitment_of(round_, Department.AUDIT))
    # By the desk, whose trail and log must not keep it either.
    assert do(client, Department.AUDIT, round_, "handover", share=SHARE.hex())[0] == 302
    at("2022-06-25 08:30")
    tasks.sweep()
    deck = factories.deck_of(before)
    system = seeds.open_shares(round_)[fairness.SYSTEM]
    secrets = [system, SHARE, seeds.deck_seed(round_.pk, "dining"), seeds._round_seed(round_.pk)]
    order = "".join("1" if card == 10_000 else "0" for card in cards_of(deck))
    kept = everything_in_the_database()
    paths = ("/public/", "/public/rounds/1/", "/public/rounds/1/round.json", "/public/heads", "/m/", "/m/draw/dining")
    shown = b"".join(b"".join(r) if r.streaming else r.content for r in map(client.get, paths))
    for seen in (kept, shown):
        for secret in secrets:
            assert secret.hex().encode() not in seen
        assert order.encode() not in seen
    assert bytes(deck.commitment).hex().encode() in shown
    assert len(kept) > 1_000
    # The control: the same look finds the share once it is revealed.
    at("2022-06-30 00:00")
    tasks.sweep()
    assert system.hex().encode() in b"".join(client.get("/public/rounds/1/round.json"))
