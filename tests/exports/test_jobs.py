"""An export's life: whoever is killed leaves nothing half done, and one process at a time writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import openpyxl
import pytest
from django.core.cache import cache
from django.db import connection

from huigou import clock
from huigou.errors import Refusal
from merchants.models import Redemption
from reports import exports
from reports.export_tasks import resume_exports, run_export
from reports.exports import jobs
from reports.exports.recounting import recount
from reports.models import ExportJob
from tests import factories
from tests.serving import running

State = ExportJob.State
ENTRIES = 24_000  # some seconds of writing: enough to be killed in
WORKER = [sys.executable, "-m", "celery", "-A", "huigou", "worker", "--pool", "solo", "--loglevel", "error"]


def file_of(job: ExportJob) -> Path:
    job.refresh_from_db()
    return Path(job.file.path)


def finished() -> list[Path]:
    return list(jobs.folder().glob("*.xlsx"))


def unfinished() -> list[Path]:
    return [path for path in (jobs.folder() / "unfinished").rglob("*") if path.is_file()]


def many_entries(count: int = ENTRIES) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO reports_auditentry (at, department, deed, "table", row, before, after, note)'
            " SELECT now(), 'audit', '查看', '消费券', i::text, '{}', '{}', repeat('字', 100)"
            " FROM generate_series(1, %s) i",
            [count],
        )


def asked(kind: str = "trail", **more) -> ExportJob:
    return exports.ask(kind, {}, factories.a_staff("audit", "张审计"), **more)


def test_an_export_is_written_checked_and_kept_with_its_record(own_world):
    job = asked("uses")
    assert exports.run(job.pk)
    path = file_of(job)
    found = recount(path)
    assert (job.state, job.rows_done, job.rows_sha256) == (State.READY, 10, found.digest)
    assert (found.number, found.recorded, found.is_whole) == (str(job.pk), job.rows_sha256, True)
    assert unfinished() == []
    assert not exports.run(job.pk)  # a repeated message does nothing


def test_the_books_are_checked_before_it_and_red_ones_are_said_and_frozen(own_world, written, as_owner):
    with as_owner():
        gone = Redemption.objects.filter(pk=own_world.uses[0].pk)
        gone.update(state="reversed", ended_at=clock.now())
    job = asked("uses")
    assert exports.run(job.pk)
    cover = {r[0].value: r[1].value for r in openpyxl.load_workbook(file_of(job)).worksheets[0].iter_rows()}
    assert cover["账目状态"].startswith("发现问题")
    assert "冻结中" in cover["账目状态"]
    assert cover["与账目核对"].startswith("不符")


@pytest.mark.parametrize("redis_is_up", [True, False])
def test_progress_is_seen_while_it_is_written(transactional_db, monkeypatch, redis_is_up):
    many_entries(6_000)
    job, seen = asked(), []
    if not redis_is_up:
        monkeypatch.setattr(cache, "set", lambda *_: 1 / 0)
        monkeypatch.setattr(cache, "get", lambda *_: 1 / 0)
    real = jobs.write

    def watched(path, listing, cover, *, persons, beat):
        def told(done: int) -> None:
            beat(done)
            seen.append(exports.progress(ExportJob.objects.get(pk=job.pk)))

        return real(path, listing, cover, persons=persons, beat=told)

    monkeypatch.setattr(jobs, "write", watched)
    assert exports.run(job.pk)
    assert seen == ([(2_000, 6_000), (4_000, 6_000), (6_000, 6_000)] if redis_is_up else [(0, 0)] * 3)
    job.refresh_from_db()
    assert exports.progress(job) == (6_000, 6_000)


def test_a_worker_killed_in_the_middle_leaves_no_half_file_and_another_begins_anew(
    transactional_db, database_environment, settings
):
    many_entries()
    job = asked()
    environment = {**database_environment, "MEDIA_ROOT": str(settings.MEDIA_ROOT)}
    with running(WORKER, environment) as worker:
        run_export.delay(job_id=job.pk)
        wait_until(lambda: 0 < exports.progress(ExportJob.objects.get(pk=job.pk))[0] < ENTRIES)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)
    left = unfinished()
    assert left, "the worker had not begun to write: the kill came too early to prove anything"
    assert sum(path.stat().st_size for path in left) > 100_000
    assert finished() == []
    job.refresh_from_db()
    assert (job.state, str(job.file)) == (State.RUNNING, "")

    assert wait_until(resume_exports) == 1  # at once: the dead one's lock went with its connection
    found = recount(file_of(job))
    assert (job.state, job.attempts, job.rows_done) == (State.READY, 2, ENTRIES)
    assert (found.rows, found.is_whole) == (ENTRIES, True)
    assert unfinished() == []
    assert finished() == [file_of(job)]


def wait_until(is_so, seconds: float = 60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := is_so():
            return answer
        time.sleep(0.05)
    raise TimeoutError


HOLDER = """
import sys, time, django
django.setup()
from reports.exports import jobs
with jobs.only_writer(int(sys.argv[1])) as is_mine:
    print(is_mine, flush=True)
    time.sleep(60)
"""


def test_one_process_at_a_time_writes_and_a_dead_one_holds_nothing(transactional_db, database_environment):
    job = asked()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(job.pk)], env=database_environment, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "True\n"
        assert not exports.run(job.pk)
        job.refresh_from_db()
        assert (job.state, job.attempts) == (State.WAITING, 0)
        assert exports.waiting() == [job.pk]
        assert resume_exports() == 0
        holder.kill()
    assert wait_until(lambda: exports.run(job.pk), 10)


def test_what_kills_its_worker_every_time_is_given_up(transactional_db):
    job = asked()
    ExportJob.objects.filter(pk=job.pk).update(state=State.RUNNING, attempts=jobs.ATTEMPTS)
    assert resume_exports() == 0
    job.refresh_from_db()
    assert (job.state, job.error) == (State.FAILED, "多次中断，请重新导出")
    assert exports.waiting() == []


def test_a_failure_is_said_and_leaves_no_file(transactional_db, monkeypatch):
    job = asked()
    monkeypatch.setattr(jobs, "write", lambda path, *_, **__: path.write_bytes(b"PK half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        exports.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (State.FAILED, "生成失败（ZeroDivisionError），请重新导出")
    assert finished() == unfinished() == []


def test_what_a_killed_finish_left_unrecorded_goes_with_the_next_attempt(transactional_db):
    job = asked()
    jobs.folder().mkdir(parents=True)
    (jobs.folder() / f"{job.pk}-0000.xlsx").write_bytes(b"complete, and nobody's")
    assert exports.run(job.pk)
    assert finished() == [file_of(job)]


def test_filters_that_the_list_does_not_take_are_refused_and_never_export_nothing(county):
    with pytest.raises(Refusal, match="筛选条件不正确"):
        exports.ask("uses", {"since": "2022-13-45"}, None)
    with pytest.raises(Refusal, match="筛选条件不正确"):
        exports.ask("uses", {"category": "gone"}, None)
    assert not ExportJob.objects.exists()


def test_a_choice_that_went_away_before_the_worker_came_is_said(own_world):
    job = exports.ask("uses", {"category": "fuel"}, None)
    ExportJob.objects.filter(pk=job.pk).update(filters={**job.filters, "category": "gone"})
    assert not exports.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (State.FAILED, "筛选条件不正确（请回到列表核对筛选条件后重新导出）")


def test_an_export_stays_with_the_campaign_it_was_asked_of(own_world):
    job = asked("uses")
    later = factories.a_county({("dining", 100): 5})
    assert later.campaign.launched_at >= own_world.county.campaign.launched_at
    assert exports.run(job.pk)
    job.refresh_from_db()
    assert job.rows_done == 10
