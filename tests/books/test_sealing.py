"""What a minute's check reads: all that is new, whatever its id, and sealed rows as long as they are few enough."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery.schedules import crontab
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from coupons.models import Freeze
from huigou.celery import app
from reports import reconcile, tasks
from reports.models import Seal
from reports.reconcile import snapshot
from tests import factories
from tests.books.forging import forge, sealed

pytestmark = pytest.mark.django_db(transaction=True)
TAMPER = "UPDATE coupons_transfer SET amount_fen = amount_fen + 100 WHERE code = %(code)s"


@pytest.fixture
def goes_on(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """A campaign too large to be read again each minute."""
    monkeypatch.setattr(snapshot, "REREAD_UP_TO", 0)


@pytest.fixture
def scene(county, wang, li):  # type: ignore[no-untyped-def]
    """One coupon used, and all that sealed."""
    factories.used(factories.drawn(county, wang), li)
    sealed(county.campaign)
    return county


def codes(report: reconcile.Report) -> set[str]:
    return {found.code for found in report.findings}


def test_going_on_from_the_seal_comes_to_what_reading_everything_comes_to(scene, goes_on, zhao, li):
    factories.scanned(factories.drawn(scene, zhao), li)
    new, whole = reconcile.check_new(scene.campaign), reconcile.check(scene.campaign)
    assert new.findings == whole.findings == []
    assert (new.transfers, new.sums) == (whole.transfers, whole.sums)
    # The seal of a minute that went on is the seal of a check that read everything, row for row and fen for fen.
    gone_on = sealed(scene.campaign, check=reconcile.check_new)
    Seal.objects.all().delete()
    anew = sealed(scene.campaign)
    assert (gone_on.transfers, gone_on.sums, gone_on.digest, gone_on.flows) == (
        anew.transfers, anew.sums, anew.digest, anew.flows
    )  # fmt: skip


def test_a_minute_of_a_large_campaign_reads_no_sealed_transfer(scene, goes_on):
    horizon = Seal.objects.get().horizon
    with CaptureQueriesContext(connection) as seen:
        reconcile.check_new(scene.campaign)
    asked = [query["sql"] for query in seen if "coupons_transfer" in query["sql"] and "settlement" not in query["sql"]]
    assert len(asked) == 4  # flows, digest, lives, approvals
    assert all(f"xact >= {horizon}" in sql for sql in asked)


def test_a_tampered_new_row_is_found_by_the_next_minute(scene, goes_on, zhao, li):
    factories.scanned(factories.drawn(scene, zhao), li)
    newest = scene.campaign.transfer_set.filter(code="scan").latest("pk")
    forge("UPDATE coupons_transfer SET amount_fen = amount_fen + 100 WHERE id = %(row)s", row=newest.pk)
    assert {"life", "states"} <= codes(reconcile.check_new(scene.campaign))


def test_a_tampered_sealed_row_is_the_full_checks_and_no_minute_seals_it_over(scene, goes_on, zhao):
    """Of a campaign this large the minute's task sees nothing; the nightly one, and whoever exports, freezes it."""
    forge(TAMPER, code="complete")
    factories.drawn(scene, zhao)
    assert reconcile.check_new(scene.campaign).findings == []
    assert {"sealed_sum", "sealed_digest", "life"} <= codes(reconcile.check(scene.campaign))
    number = str(scene.campaign.pk)
    assert (tasks.check_new()[number], Freeze.objects.exists()) == (0, False)
    nightly = app.conf.beat_schedule["check-books-nightly"]
    assert (nightly["task"], nightly["schedule"]) == (tasks.check_books.name, crontab(hour="1", minute="30"))
    assert tasks.check_books()[number] > 0
    assert Freeze.objects.get(released_at=None).campaign == scene.campaign


def test_a_campaign_of_this_size_finds_a_tampered_sealed_row_within_the_minute(scene):
    """The control: the county's own books are read again each minute."""
    forge(TAMPER, code="complete")
    assert {"sealed_sum", "sealed_digest"} <= codes(reconcile.check_new(scene.campaign))


@pytest.mark.parametrize("how", ["goes on", "reads all"])
def test_a_row_that_commits_after_later_ones_were_sealed_is_still_new(scene, zhao, li, how, monkeypatch):
    monkeypatch.setattr(snapshot, "REREAD_UP_TO", 0 if how == "goes on" else 1_000)
    written, go = threading.Event(), threading.Event()
    first = factories.drawn(scene, zhao)

    def late() -> int:
        """Scan, and add a row that the ledger would never write; commit long after."""
        try:
            with transaction.atomic():
                factories.scanned(first, li)
                row = scene.campaign.transfer_set.create(
                    code="undrawn", debit_kind="round", debit_key=0, credit_kind="returned", amount_fen=1,
                    actor_kind="system", at=first.drawn_at,
                )  # fmt: skip
                written.set()
                assert go.wait(30)
            return row.pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        number = pool.submit(late)
        assert written.wait(30)
        factories.drawn(scene, factories.a_consumer("钱"))
        # A green check meanwhile seals nothing from where the late one began, though younger ids are committed.
        assert reconcile.check_new(scene.campaign).findings == []
        youngest = scene.campaign.transfer_set.latest("pk")
        assert Seal.objects.get().horizon <= youngest.xact
        go.set()
        assert number.result() < youngest.pk
    assert "negative" in codes(reconcile.check_new(scene.campaign))
