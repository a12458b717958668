"""共 N 条 and every page of the audit trail are what reading each entry gives: any filters, folded or not."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import random
import threading

import pytest
from django.db import connections, transaction

from huigou import clock, deeds
from huigou.models import Department
from reports import reconcile, trail
from reports.models import AuditEntry, TrailTally
from reports.tallies import TRAIL
from reports.trail import Trail
from tests import factories

DEEDS = (("登录", "工作人员"), ("状态变更", "商家"), ("更新", "商家"), ("更新", "店面"), ("Reset 100%", "a_b"))
ADDRESSES = ("10.1.2.3", "10.1.9.9", "10.200.0.1", "172.16.0.9", "fd00::7", None)
WORDS = ("参加中", "暂停", "乾安火锅店 Hotpot", "餐饮 100 元")
ASKED = {
    "since": ["2022-06-25", "2022-06-27"],
    "until": ["2022-06-27", "2022-06-29"],
    "staff": ["industry", "N", "没有"],
    "department": ["industry", "audit"],
    "deed": ["登录", "更", "RESET", "%", "没有"],
    "table": ["商", "店面", "A_B", "axb"],
    "row": ["1", "2"],
    "address": ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "fd00::/8"],
    "words": ["参加", "暂停", "hotPOT", "餐饮 100", "中价", "100%", "店 hot"],
}


@pytest.fixture
def people(db: None) -> list:
    return [factories.a_staff(Department.INDUSTRY), factories.a_staff(Department.AUDIT), None]


def write(people: list, at, count: int, seed: int) -> None:  # type: ignore[no-untyped-def]
    """Write entries as staff's pages announce them, on some days, now and then at the very same instant."""
    chance = random.Random(seed)
    now = dt.datetime(2022, 6, 25, 23, 50, tzinfo=clock.SHANGHAI)
    for _ in range(count):
        now += dt.timedelta(minutes=chance.choice([0, 0, 1, 30, 200]))
        at(now)
        deed, table = chance.choice(DEEDS)
        before, after = ({"名称": chance.choice(WORDS)} if chance.random() < 0.6 else {} for _ in range(2))
        note = chance.choice(["", "暂停营业", "中，价格", "占 100%"])
        done = (chance.choice(people), chance.choice(ADDRESSES), deed, table, str(chance.randrange(4)))
        trail.keep(deed=deeds.Done(*done, before, after, note))


def read_one_by_one(asked: dict[str, str]) -> list[int]:
    """Return the entries' numbers in order, found without the database's help."""

    def meets(e: AuditEntry) -> bool:
        day = clock.local(e.at).date().isoformat()
        address = ipaddress.ip_address(e.address) if e.address else None
        words = " ".join([*(json.dumps(facts, ensure_ascii=False) for facts in (e.before, e.after)), e.note])
        has = {
            "since": lambda v: day >= v,
            "until": lambda v: day <= v,
            "staff": lambda v: e.staff is not None and v.lower() in e.staff.username.lower(),
            "department": lambda v: e.department == v,
            "deed": lambda v: v.lower() in e.deed.lower(),
            "table": lambda v: v.lower() in e.table.lower(),
            "row": lambda v: e.row == v,
            "address": lambda v: address is not None and address in ipaddress.ip_network(v),
            "words": lambda v: v.lower() in words.lower(),
        }
        return all(has[name](value) for name, value in asked.items())

    found = [e for e in AuditEntry.objects.order_by() if meets(e)]
    return [e.pk for e in sorted(found, key=lambda e: (e.at, e.pk), reverse=True)]


@pytest.mark.django_db
@pytest.mark.parametrize("few", [2_000, 3])  # hits that are sorted as they are; more are read day by day
def test_any_filters_and_any_page_are_what_reading_every_entry_gives(people, at, monkeypatch, few):
    monkeypatch.setattr(trail, "FEW", few)
    monkeypatch.setattr(Trail, "page_size", 7)
    chance, seen = random.Random(few), {"some": 0, "none": 0, "spread": 0}
    for step in range(3):
        write(people, at, 60, step)
        if step:
            TRAIL.fold() if step == 1 else TRAIL.begin_anew()
        questions = [{}, *({name: value} for name, values in ASKED.items() for value in values)]
        for _ in range(40):
            names = chance.sample(list(ASKED), chance.choice([2, 2, 3]))
            questions.append({name: chance.choice(ASKED[name]) for name in names})
        for asked in questions:
            listing, rows = Trail.open(asked, clock.now()), read_one_by_one(asked)
            assert listing.is_valid, listing.form.errors
            assert listing.count() == len(rows), asked
            for start in range(0, max(len(rows), 1), 7):
                page = listing.page(start // 7 + 1)
                assert [row.pk for row in page.object_list] == rows[start : start + 7], (asked, start)
            seen["some" if rows else "none"] += 1
            seen["spread"] = max(seen["spread"], len(listing._stretches or ()))
    assert seen["some"] > 60
    assert seen["none"] > 5
    assert seen["spread"] > 2, "the list was never cut into several days"


@pytest.mark.django_db
def test_no_entry_is_read_to_count_them(people, at, django_assert_max_num_queries):
    write(people, at, 30, 1)
    TRAIL.fold()
    listing = Trail.open({"deed": "更新", "address": "10.0.0.0/8"}, clock.now())
    with django_assert_max_num_queries(1) as asked:
        assert listing.count() > 3
    assert "reports_auditentry" not in asked.captured_queries[0]["sql"]


@pytest.mark.django_db
def test_a_page_of_a_day_reads_the_days_index_alone(people, at):
    write(people, at, 30, 1)
    with connections["default"].cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # thirty rows are read faster than an index
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    listing = Trail.open({"deed": "更新", "address": "10.0.0.0/8", "department": "audit"}, clock.now())
    rows = listing.in_stretches().filter(listing.stretches()[0].within).values_list("pk", flat=True)[:7]
    assert "Index Only Scan Backward using audit_day" in rows.explain()


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_commits_late_is_counted_once(people, at):
    """While an older transaction is open, the tally is folded, counted anew, and folded again after its commit."""
    write(people, at, 5, 1)
    written, may_commit = threading.Event(), threading.Event()

    def late() -> None:
        try:
            with transaction.atomic():
                trail.keep(deed=deeds.Done(None, None, "登录", "工作人员"))
                written.set()
                may_commit.wait(20)
        finally:
            connections.close_all()

    thread = threading.Thread(target=late)
    thread.start()
    assert written.wait(20)
    TRAIL.fold()
    write(people, at, 5, 2)
    TRAIL.begin_anew()
    assert (Trail.open({}, clock.now()).count(), TRAIL.differences(5)) == (10, [])
    may_commit.set()
    thread.join()
    assert (Trail.open({}, clock.now()).count(), TRAIL.differences(5)) == (11, [])
    TRAIL.fold()
    assert (Trail.open({}, clock.now()).count(), TRAIL.differences(5)) == (11, [])


@pytest.mark.django_db(transaction=True)
def test_the_books_find_a_wrong_sum_of_the_trail(county, people, at):
    write(people, at, 5, 1)
    TRAIL.fold()
    assert reconcile.check(county.campaign).findings == []
    TrailTally.objects.filter(pk=TrailTally.objects.earliest("pk").pk).update(n=99)
    assert [f.message.split("相差")[0] for f in reconcile.check(county.campaign).findings] == ["操作记录统计与逐行计数"]
    TRAIL.begin_anew()
    assert reconcile.check(county.campaign).findings == []
