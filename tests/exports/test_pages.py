"""Asking for an export, following it, taking it, and who may."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from django.contrib.admin import site
from django.test import Client
from django.urls import reverse

from coupons import consumers
from huigou.roles import may
from reports import exports
from reports.admin.desks import PAGES
from reports.exports import jobs
from reports.exports.recounting import recount
from reports.models import AuditEntry, ExportJob
from tests import factories
from tests.exports.conftest import at as clock_at

ASK = "/admin/reports/exportjob/deed/ask/"


def desk(department: str, name: str = "") -> Client:
    client = Client()
    client.force_login(factories.a_staff(department, name), "django.contrib.auth.backends.ModelBackend")
    return client


def ask(client: Client, kind: str = "uses", filters: str = "", **data: str):
    return client.post(f"{ASK}?kind={kind}{filters}", data)


@pytest.fixture
def finish(monkeypatch) -> Callable[[], ExportJob]:
    """Write the one export that was asked for.

    The check of the books opens a transaction of its own, which a test inside one cannot give; test_jobs has it.
    """

    def run() -> ExportJob:
        monkeypatch.setattr(jobs, "checked_books", lambda campaign: "")
        job = ExportJob.objects.get()
        assert exports.run(job.pk)
        job.refresh_from_db()
        return job

    return run


@pytest.fixture
def ready(world, finish) -> ExportJob:
    """A finished export of 审计局."""
    assert ask(desk("audit"), filters="&category=fuel").status_code == 302
    return finish()


def address(job: ExportJob, what: str) -> str:
    return reverse(f"admin:reports_exportjob_{what}", args=[job.pk])


def test_every_list_that_can_be_exported_has_the_right_of_its_page():
    assert set(PAGES) == set(exports.LISTS)


# Lists without a workbook of their own, and where their rows are exported instead.
NOT_EXPORTED = {
    "reports.exportjob": "every export stands in 操作记录, which is exported; a workbook about workbooks helps nobody",
    "reports.closing": "one row a campaign, as in 活动与方案",
    "reports.reallocation": "one row a campaign, as in 活动与方案",
}


def test_every_list_can_be_exported_and_shows_the_button(world):
    lists = {model._meta.label_lower: a for model, a in site._registry.items() if hasattr(a, "listing")}
    assert {label for label, a in lists.items() if not a.exports} == set(NOT_EXPORTED)
    # A page that is no list of ours would be one that nobody can export.
    assert {m._meta.label_lower for m, a in site._registry.items() if not hasattr(a, "listing")} <= {"auth.group"}
    for label, page in lists.items():
        if label in NOT_EXPORTED:
            continue
        assert exports.LISTS[page.listing.code] is page.listing, label
        right = PAGES[page.listing.code]
        mine = next(d for d in ("industry", "audit", "leaders") if may(d, right) and may(d, "reports.add_exportjob"))
        shown = desk(mine, f"看{label}").get(page.address("changelist")).content.decode()
        assert f"kind={page.listing.code}" in shown, label


def test_an_export_is_asked_for_with_the_pages_filters_and_leaves_a_trace(world):
    auditor = desk("audit")
    page = auditor.get("/admin/merchants/redemption/?category=fuel").content.decode()
    link = re.search(r'href="(/admin/reports/exportjob/deed/ask/[^"]+)"', page)[1].replace("&amp;", "&")
    answer = auditor.post(link)
    job = ExportJob.objects.get()
    assert answer.url == address(job, "page")
    assert job.filters == {"category": "fuel", "campaign": str(world.county.campaign.pk)}
    assert AuditEntry.objects.get(deed="导出 Excel").department == "audit"
    shown = auditor.get(answer.url).content.decode()
    assert "排队中" in shown
    assert f'data-follow="{address(job, "progress")}"' in shown
    assert auditor.get(address(job, "progress")).json()["is_over"] is False
    assert auditor.get(address(job, "file")).status_code == 404


def test_the_worker_is_told_only_after_the_commit(world, django_capture_on_commit_callbacks, monkeypatch):
    told = []
    monkeypatch.setattr("reports.admin.desks.run_export.delay", lambda **job: told.append(job))
    with django_capture_on_commit_callbacks() as later:
        ask(desk("audit"))
        assert told == []
    for callback in later:
        callback()
    assert told == [{"job_id": ExportJob.objects.get().pk}]


def test_a_finished_export_is_shown_and_taken(ready):
    auditor = desk("audit")
    assert auditor.get(address(ready, "progress")).json() == {
        "state": "ready", "rows_done": 5, "rows_total": 5, "is_over": True, "words": "可下载：5 / 5 行",
    }  # fmt: skip
    page = auditor.get(address(ready, "page")).content.decode()
    for words in ("共 5 行，已生成", ready.rows_sha256, "加油站", address(ready, "file")):
        assert words in page
    whole = auditor.get(address(ready, "file"))
    assert whole.headers["Content-Disposition"] == f'attachment; filename="huigou-uses-{ready.pk}.xlsx"'
    assert b"".join(whole.streaming_content) == Path(ready.file.path).read_bytes()
    assert AuditEntry.objects.filter(deed="下载导出", row=str(ready.pk)).count() == 1


def test_a_download_that_broke_off_goes_on(ready, tmp_path):
    auditor, size = desk("audit"), ready.file.size
    first = auditor.get(address(ready, "file"), headers={"Range": "bytes=0-999"})
    etag = first.headers["ETag"]
    assert (first.status_code, first.headers["Content-Range"]) == (206, f"bytes 0-999/{size}")
    rest = auditor.get(address(ready, "file"), headers={"Range": "bytes=1000-", "If-Range": etag})
    assert (rest.status_code, rest.headers["Content-Range"]) == (206, f"bytes 1000-{size - 1}/{size}")
    (tmp_path / "joined.xlsx").write_bytes(b"".join([*first.streaming_content, *rest.streaming_content]))
    assert recount(tmp_path / "joined.xlsx").is_whole
    assert AuditEntry.objects.filter(deed="下载导出").count() == 1


@pytest.mark.parametrize(
    ("asked", "status", "start", "length"),
    [
        ("bytes=-10", 206, -10, 10),
        ("bytes=5-5", 206, 5, 1),
        ("bytes=0-999999999", 206, 0, None),
        ("bytes=999999999-", 416, 0, 0),
        ("bytes=9-3", 200, 0, None),  # not a range: the header counts as absent
        ("bytes=-0", 416, 0, 0),
        ("bytes=-", 200, 0, None),
        ("bytes=0-1,4-5", 200, 0, None),
        ("items=0-1", 200, 0, None),
    ],
)
def test_ranges_are_answered_as_the_standard_has_it(ready, asked, status, start, length):
    whole = Path(ready.file.path).read_bytes()
    answer = desk("audit").get(address(ready, "file"), headers={"Range": asked})
    assert answer.status_code == status
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(whole)}"
        return
    body = b"".join(answer.streaming_content)
    start %= len(whole)
    assert body == whole[start : start + (length or len(whole))]
    assert answer.headers["Content-Length"] == str(len(body))


def test_another_file_than_the_one_begun_is_sent_whole(ready):
    answer = desk("audit").get(address(ready, "file"), headers={"Range": "bytes=1000-", "If-Range": '"other"'})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("department", "kind", "allowed"),
    [
        ("audit", "uses", True),
        ("finance", "uses", True),
        ("media", "uses", False),
        ("operator", "coupons", False),
        ("station", "consumers", False),
        ("finance", "trail", False),
        ("audit", "trail", True),
        ("police", "reveals", False),
    ],
)
def test_an_export_shows_nobody_what_its_page_would_not(world, department, kind, allowed):
    answer = ask(desk(department), kind)
    assert (answer.status_code == 302, ExportJob.objects.exists()) == (allowed, allowed)
    assert allowed or answer.status_code in (403, 422)


def test_somebody_elses_export_is_kept_from_who_may_not_see_its_list(ready):
    for what in ("file", "progress", "page"):
        assert desk("finance").get(address(ready, what)).status_code == 200
        assert desk("media").get(address(ready, what)).status_code == 403
        assert Client().get(address(ready, what)).status_code == 302


def test_persons_need_right_and_reason_and_are_marked(world, finish):
    assert ask(desk("finance"), persons="on", reason="想看看").status_code == 422
    refused = ask(desk("audit"), persons="on", reason=" ")
    assert "须写明理由" in refused.content.decode()
    assert not ExportJob.objects.exists()
    assert ask(desk("audit"), persons="on", reason="抽查 7 号店").status_code == 302
    job = finish()
    assert AuditEntry.objects.get(deed="导出 Excel").note == "抽查 7 号店"
    book = openpyxl.load_workbook(job.file.path)
    cover = {row[0].value: row[1].value for row in book.worksheets[0].iter_rows()}
    assert cover["个人信息"] == "含完整姓名和手机号，理由：抽查 7 号店"
    assert cover["导出人"] == "审计局 audit"
    phones = {row[6].value for row in book.worksheets[1].iter_rows(min_row=2, max_row=11)}
    assert phones == {use.consumer.person.phone for use in world.uses}
    assert desk("finance").get(address(job, "file")).status_code == 403
    assert desk("discipline").get(address(job, "file")).status_code == 200


def test_a_record_holds_no_number_that_was_searched(world, finish):
    phone = world.uses[0].consumer.person.phone
    ask(desk("audit"), filters=f"&phone={phone}")
    assert phone not in str(ExportJob.objects.get().filters)
    assert finish().rows_done == 1


def test_wrong_filters_are_refused_on_the_page(world):
    answer = ask(desk("audit"), filters="&since=nonsense")
    assert answer.status_code == 422
    assert "筛选条件不正确" in answer.content.decode()
    assert not ExportJob.objects.exists()


def texts_in(path: Path) -> set[str]:
    rows = (row for sheet in openpyxl.load_workbook(path).worksheets for row in sheet.iter_rows(values_only=True))
    return {str(cell) for row in rows for cell in row}


def test_no_file_that_tells_of_persons_outlives_the_shredding(world, monkeypatch):
    monkeypatch.setattr(jobs, "checked_books", lambda campaign: "")

    def written(kind="uses", **more) -> tuple[ExportJob, Path]:
        job = exports.ask(kind, {}, factories.a_staff("audit"), **more)
        assert exports.run(job.pk)
        job.refresh_from_db()
        return job, Path(job.file.path)

    (named, with_names), (hidden, masked) = written(persons=True, reason="逐笔核对"), written()
    _, of_nobody = written("batches")
    person = world.uses[0].coupon.holder.person
    assert person.phone in texts_in(with_names) - texts_in(masked)
    assert person.masked_phone in texts_in(masked)  # four digits, which the shredding empties as well
    assert exports.forget_shredded() == 0
    consumers.shred(person)
    assert (exports.forget_shredded(), exports.forget_shredded()) == (2, 0)
    assert (with_names.exists(), masked.exists(), of_nobody.exists()) == (False, False, True)

    auditor, kept = desk("audit"), named.rows_sha256
    named.refresh_from_db()
    assert (named.state, named.rows_sha256, str(named.file)) == ("ready", kept, "")
    assert "已随个人信息销毁" in auditor.get(address(named, "page")).content.decode()
    assert auditor.get(address(named, "file")).status_code == 404
    traces = AuditEntry.objects.filter(deed="销毁导出文件")
    assert {(trace.staff, trace.row) for trace in traces} == {(None, str(named.pk)), (None, str(hidden.pk))}
    # Whoever exports afterwards gets a file without that person, and keeps it.
    clock_at("12:00")
    _, later = written(persons=True, reason="复核")
    assert exports.forget_shredded() == 0
    assert later.exists()
    assert len(kept) == 64
