"""The bureau's pages of the money: books, re-allocation, settlement, closing, walked by each department."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest
from django.test import Client
from django.urls import reverse

from coupons import ledger, lifecycle
from coupons.ledger import RETURNED
from coupons.models import ChangeRequest, Freeze
from huigou.models import Staff
from merchants import redemption
from reports import settlement
from reports.models import Settlement
from tests import factories
from tests.books import walk
from tests.books.forging import forge, sealed

pytestmark = pytest.mark.django_db(transaction=True)


def desk_of(staff: Staff) -> Client:
    """Return a browser in which a member of staff is logged in."""
    client = Client()
    client.force_login(staff, "django.contrib.auth.backends.ModelBackend")
    return client


def page(client: Client, name: str, *args: object, **query: object) -> str:
    answer = client.get(reverse(f"admin:{name}", args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


def do(client: Client, model: str, row: int, deed: str, **data: object) -> str:
    """Do a deed on a row; return "" when it went through, else the page with what is wrong."""
    address = reverse(f"admin:{model}_rowdeed", args=[row, deed])
    assert client.get(address).status_code == 200
    answer = client.post(address, data)
    return "" if answer.status_code == 302 else answer.content.decode()


def approve(staff: Staff) -> None:
    change = ChangeRequest.objects.get(state="proposed")
    assert do(desk_of(staff), "coupons_changerequest", change.pk, "approve", note="同意") == ""


@pytest.fixture
def ended(county, wang, li, at):  # type: ignore[no-untyped-def]
    factories.used(factories.drawn(county, wang), li)
    factories.used(factories.drawn(county, factories.a_consumer("钱")), li)
    walk.to_the_end(county, at)
    return county


def test_the_books_are_checked_on_the_page_and_a_freeze_is_released_there(county, wang, bureau, auditor, leaders):
    coupon = factories.drawn(county, wang)
    sealed(county.campaign)
    desk = desk_of(auditor)
    assert "立即核对" in page(desk, "coupons_freeze_changelist")
    check = reverse("admin:coupons_freeze_check", args=[county.campaign.pk])
    assert desk.get(check).status_code == 405
    shown = desk.post(check).content.decode()
    assert "账目相符" in shown
    assert "各账户合计为零" in shown
    forge("UPDATE coupons_transfer SET amount_fen = amount_fen + 100 WHERE coupon_id = %(coupon)s", coupon=coupon.pk)
    shown = desk.post(check).content.decode()
    assert "本期已冻结" in shown
    freeze = Freeze.objects.get()
    assert freeze.findings[0]["message"] in page(desk, "coupons_freeze_page", freeze.pk)
    assert do(desk, "coupons_freeze", freeze.pk, "release", reason="已查明，系误操作") == ""
    approve(leaders)
    freeze.refresh_from_db()
    assert freeze.released_at is not None
    assert "已解冻" in page(desk, "coupons_freeze_changelist")
    media = desk_of(factories.a_staff("media"))
    assert media.post(check).status_code == 403


def test_a_move_is_tried_refused_with_the_nearest_amounts_and_proposed(at, bureau, finance):
    at("2022-06-24 09:00")
    county = factories.a_county({("book", 20): 40, ("book", 50): 20}, rounds=3, realloc_after=1)
    at(county.rounds[0].opens_at)
    lifecycle.sweep()
    at(county.rounds[0].closes_at)
    lifecycle.sweep()
    desk, number = desk_of(bureau), county.campaign.pk
    fifty, twenty = county.batches["book", 50].pk, county.batches["book", 20].pk
    shown = page(desk, "reports_reallocation_page", number)
    assert "使用率" in shown
    assert "现在可以提出" in shown
    shown = page(desk, "reports_reallocation_page", number, source=fifty, target=twenty, count=1)
    assert "2×50元=5×20元" in shown
    shown = page(desk, "reports_reallocation_page", number, source=fifty, target=twenty, count=4)
    assert "10 → <b>8</b>" in shown
    assert "20 → <b>25</b>" in shown
    assert "按此提出调整" in shown
    refused = do(
        desk, "reports_reallocation", number, "propose", source=fifty, target=twenty, count=1, reason="书店用得少"
    )
    assert "2×50元=5×20元" in refused
    made = do(
        desk, "reports_reallocation", number, "propose", source=fifty, target=twenty, count=4, reason="书店用得少"
    )
    assert made == ""
    before = sum(ledger.pool_fen(number).values())
    approve(finance)
    pool = ledger.pool_fen(number)
    assert (pool[fifty], pool[twenty], sum(pool.values())) == (16 * 5_000, 50 * 2_000, before)
    # 审计局 sees the page and has no button for it.
    assert "按此提出调整" not in page(
        desk_of(factories.a_staff("audit")), "reports_reallocation_page", number, source=fifty, target=twenty, count=4
    )


def test_from_collecting_to_the_closed_books_on_the_pages(ended, bureau, auditor, finance, leaders, at):
    desk, audit, purse = desk_of(bureau), desk_of(auditor), desk_of(finance)
    collect = reverse("admin:reports_settlement_deed", args=["collect"])
    assert audit.post(collect).status_code == 403
    assert desk.post(collect).status_code == 302
    made = Settlement.objects.get()
    assert do(desk, "reports_settlement", made.pk, "freeze") == ""
    line = made.lines.get()
    assert "还有 1 家商家没有审计意见" in do(audit, "reports_settlement", made.pk, "finish")
    use = line.details.order_by("pk").first()
    opinion = {"opinion": "accept", "text": "抽查相符", "use": ""}
    assert do(audit, "reports_settlementline", line.pk, "opinion", **opinion) == ""
    single = {"opinion": "disallow", "text": "票据不符", "use": use.pk}
    assert do(audit, "reports_settlementline", line.pk, "opinion", **single) == ""
    assert "票据不符" in page(audit, "reports_settlementline_page", line.pk)
    assert do(audit, "reports_settlement", made.pk, "finish") == ""
    assert do(desk, "reports_settlement", made.pk, "disallow", reason="按审计意见") == ""
    approve(leaders)
    at(settlement.due_at(ended.campaign))
    assert do(desk, "reports_settlement", made.pk, "settle", reason="按审计意见结算") == ""
    approve(finance)
    assert "付款凭证号不正确" in do(purse, "reports_settlement", made.pk, "pay", reason="付款")
    paid = {f"line_{line.pk}": "财付00001", "reason": "付款"}
    assert do(purse, "reports_settlement", made.pk, "pay", **paid) == ""
    approve(leaders)
    shown = page(audit, "reports_settlement_page", made.pk)
    assert "财付00001" in shown
    assert "已付款" in shown
    assert do(desk, "reports_settlementline", line.pk, "clawback", reason="复查", amount="1000000").count("超过")

    address = reverse("admin:reports_settlement_books", args=[made.pk])
    archives = [audit.get(address).content for _ in range(2)]
    assert archives[0] == archives[1]
    with zipfile.ZipFile(io.BytesIO(archives[0])) as archive:
        for row in archive.read("SHA256SUMS").decode().splitlines():
            digest, name = row.split("  ", 1)
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
        assert len(archive.namelist()) == 3

    number = ended.campaign.pk
    assert "尚余 1,900.00 元" in page(desk, "reports_closing_page", number)
    assert do(desk, "reports_closing", number, "return", kinds=["pool"], reason="返还") == ""
    approve(leaders)
    carried = {"kinds": ["pool", "forfeited", "disallowed"], "following": "", "reason": "结转"}
    assert do(desk, "reports_closing", number, "carry", **carried) == ""
    approve(leaders)
    assert ledger.balances(number)[RETURNED] == 180_000
    assert do(desk, "reports_closing", number, "close", reason="结账") == ""
    approve(leaders)
    assert "已结账" in page(audit, "reports_closing_changelist")
    assert redemption.forfeit_overdue() == 0


def test_the_pages_ask_the_database_no_more_for_many_shops(ended, auditor, django_assert_max_num_queries):
    settlement.collect(ended.campaign)
    desk, made = desk_of(auditor), Settlement.objects.get()
    page(desk, "reports_settlement_page", made.pk)
    with django_assert_max_num_queries(24):
        page(desk, "reports_settlement_page", made.pk)
    with django_assert_max_num_queries(24):
        page(desk, "reports_closing_page", ended.campaign.pk)
    with django_assert_max_num_queries(24):
        page(desk, "reports_reallocation_page", ended.campaign.pk)
