"""The life of an export: asked for on a page, written by one worker, taken up again after a kill, kept with its record.

A file gets its name when it is complete. Whoever writes holds a lock of the database that a killed process loses at
once; Redis knows only how far it is.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import F

from coupons.models import Campaign
from huigou import clock
from huigou.errors import Refusal
from huigou.models import Staff
from huigou.snapshot import snapshot
from reports.errors import EXPORT_FILTER, EXPORT_REASON
from reports.exports.catalogue import LISTS
from reports.exports.cover import Cover, checked_books
from reports.exports.workbook import write
from reports.models import ExportJob

State = ExportJob.State
PERSONS = "persons"  # in a job's filters: full names and numbers were allowed, for this reason
ATTEMPTS = 3
LOCK = 726_002 << 32  # advisory locks of exports; the job's number is added
PROGRESS_KEPT_S = 3_600


def ask(
    kind: str, filters: dict[str, str], staff: Staff | None, *, reason: str = "", persons: bool = False
) -> ExportJob:
    """Record an export; a worker writes it. The filters hold keyed hashes, never a name or a number.

    Raises EXPORT_FILTER for filters that the list does not take, EXPORT_REASON for persons without a reason.
    """
    listing = LISTS[kind].open(filters, clock.now())
    if not listing.is_valid:
        raise EXPORT_FILTER()
    kept: dict[str, Any] = dict(listing.kept)
    if isinstance(listing.subject, Campaign):
        kept["campaign"] = str(listing.subject.pk)  # a campaign launched meanwhile does not take its place
    if persons:
        if not reason.strip():
            raise EXPORT_REASON()
        kept[PERSONS] = reason.strip()
    return ExportJob.objects.create(kind=kind, filters=kept, staff=staff, asked_at=clock.now())


def waiting() -> list[int]:
    """Return the exports that wait, and those that run or were left behind: ``run`` takes what nobody holds."""
    rows = ExportJob.objects.filter(state__in=[State.WAITING, State.RUNNING])
    return list(rows.order_by("pk").values_list("pk", flat=True))


def run(job_id: int) -> bool:
    """Write an export's workbook; a repeated call begins anew and never leaves half a file. False: not ours to do."""
    with only_writer(job_id) as is_mine:
        if not is_mine:
            return False
        now = clock.now()
        open_ = ExportJob.objects.filter(pk=job_id, state__in=[State.WAITING, State.RUNNING])
        if not open_.update(state=State.RUNNING, started_at=now, attempts=F("attempts") + 1, rows_done=0):
            return False
        job = ExportJob.objects.select_related("staff").get(pk=job_id)
        try:
            if job.attempts > ATTEMPTS:
                _fail(job, "多次中断，请重新导出")
                return False
            _write_job(job)
        except Refusal as refusal:
            _fail(job, str(refusal))
            return False
        except Exception as wrong:
            _fail(job, f"生成失败（{type(wrong).__name__}），请重新导出")
            raise
    return True


def progress(job: ExportJob) -> tuple[int, int]:
    """Return how many rows of a job are written, and of how many."""
    if job.state == State.RUNNING:
        with suppress(Exception):  # Redis is down: the bar stands still, the export goes on
            return cache.get(_progress_key(job)) or (job.rows_done, job.rows_total)
    return job.rows_done, job.rows_total


@contextmanager
def only_writer(job_id: int) -> Iterator[bool]:
    """Let one process at a time write a job; a killed one loses its hold with its connection.

    The lock is a transaction's, on a connection of its own: it outlives the writer's other transactions, and it works
    behind a pooler that gives a connection to somebody else after each of them.
    """
    hold = connection.copy()
    try:
        hold.set_autocommit(False)
        with hold.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK + job_id])
            is_mine = cursor.fetchone()[0]
        yield is_mine
    finally:
        hold.close()


def _progress_key(job: ExportJob) -> str:
    return f"export:{job.pk}:{job.attempts}"


def _fail(job: ExportJob, words: str) -> None:
    ExportJob.objects.filter(pk=job.pk).update(state=State.FAILED, finished_at=clock.now(), error=words[:300])


def folder() -> Path:
    """Return where finished workbooks lie."""
    return Path(settings.MEDIA_ROOT) / "exports"


@contextmanager
def _workshop(job: ExportJob) -> Iterator[Path]:
    """Give a folder for a job's unfinished files; what a killed attempt left, there or just finished, goes first."""
    place = folder() / "unfinished" / str(job.pk)
    shutil.rmtree(place, ignore_errors=True)
    for unrecorded in folder().glob(f"{job.pk}-*.xlsx"):
        unrecorded.unlink()
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _write_job(job: ExportJob) -> None:
    total = 0

    def beat(done: int) -> None:
        with suppress(Exception):
            cache.set(_progress_key(job), (done, total), PROGRESS_KEPT_S)

    checked = checked_books(LISTS[job.kind].open(job.filters, clock.now()).subject)
    name = f"{job.pk}-{secrets.token_hex(8)}.xlsx"
    with _workshop(job) as place:
        with snapshot():
            listing = LISTS[job.kind].open(job.filters, clock.now())
            if not listing.is_valid:
                raise EXPORT_FILTER()
            total = listing.count()
            beat(0)
            reason = str(job.filters.get(PERSONS, ""))
            cover = Cover(str(job.staff) if job.staff else "系统", str(job.pk), checked, reason)
            done = write(place / name, listing, cover, persons=PERSONS in job.filters, beat=beat)
        _keep(place / name, folder() / name)
    ExportJob.objects.filter(pk=job.pk).update(
        state=State.READY,
        rows_done=done.rows,
        rows_total=done.rows,
        rows_sha256=done.digest,
        file=f"exports/{name}",
        finished_at=clock.now(),
    )


def _keep(part: Path, whole: Path) -> None:
    """Give a complete file its name, on the disk before its name is."""
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    part.replace(whole)
