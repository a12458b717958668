"""纪委 searches the audit trail: by address or network, and by any words of what stood before and after."""

from __future__ import annotations

import html

import pytest
from django.db import connection
from django.urls import reverse

from huigou import clock, deeds
from huigou.models import Department
from reports import trail
from reports.models import AuditEntry
from reports.trail import Trail

pytestmark = pytest.mark.django_db
PAUSED, ROUND, ABROAD = "10.1.2.3", "10.1.9.9", "fd00::7"


@pytest.fixture
def kept(bureau) -> None:  # type: ignore[no-untyped-def]
    shop = {"状态": "参加中", "企业": "乾安火锅店 Hotpot"}
    paused = shop | {"状态": "暂停"}
    for deed in (
        deeds.Done(bureau, PAUSED, "状态变更", "商家", "7", shop, paused, "价格投诉核查中，中价"),
        deeds.Done(bureau, ROUND, "修改投放", "轮次", "2", {"餐饮 100 元": 30}, {"餐饮 100 元": 45}),
        deeds.Done(bureau, ABROAD, "登录", "工作人员", "3"),
    ):
        trail.keep(deed=deed)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"address": PAUSED}, [PAUSED]),
        ({"address": " 10.1.2.3 "}, [PAUSED]),
        ({"address": "10.1.0.0/16"}, [ROUND, PAUSED]),
        ({"address": "10.1.2.9/24"}, [PAUSED]),
        ({"address": "fd00::/8"}, [ABROAD]),
        ({"address": "10.2.0.0/16"}, []),
        ({"words": "参加中"}, [PAUSED]),  # before
        ({"words": "暂停"}, [PAUSED]),  # after
        ({"words": "投诉核查"}, [PAUSED]),  # the reason
        ({"words": "hotPOT"}, [PAUSED]),
        ({"words": "餐饮 100 元"}, [ROUND]),
        ({"words": "45"}, [ROUND]),
        ({"words": "中价格"}, []),  # its pairs stand there, the text does not
        ({"words": "100%"}, []),
        ({"words": "暂停", "address": ROUND}, []),
        ({"words": "暂停", "address": PAUSED, "deed": "状态", "table": "商家", "row": "7"}, [PAUSED]),
    ],
)
def test_what_is_asked_for_is_found(kept, asked, found):
    listing = Trail.open(asked, clock.now())
    page = listing.page(1)
    assert [entry.address for entry in page.object_list] == found
    assert page.paginator.count == len(found)


def test_the_page_has_the_two_fields_and_says_what_they_take(kept, desk_of):
    desk, address = desk_of(Department.DISCIPLINE), reverse("admin:reports_auditentry_changelist")
    page = desk.get(address, {"words": "暂停", "address": "10.1.0.0/16"}).content.decode()
    assert "共 <b>1</b> 条" in page
    assert all(label in page for label in (">来源地址</label>", ">内容</label>"))
    for wrong, said in (({"address": "10.1"}, "请填 IP 地址，或网段如 10.1.0.0/16"), ({"words": "暂"}, "至少")):
        assert said in html.unescape(desk.get(address, wrong).content.decode()), wrong


@pytest.mark.parametrize(
    ("asked", "index"),
    [({"words": "参加中"}, "audit_pairs"), ({"words": "暂停"}, "audit_pairs"), ({"row": "7"}, "audit_row")],
)
def test_an_index_answers(kept, asked, index):
    rows = Trail.open(asked, clock.now()).rows.order_by().values("pk")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # three rows are read faster than an index
    assert index in rows.explain()
    assert AuditEntry.objects.count() == 3
