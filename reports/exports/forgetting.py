"""What is left of an export once personal data in it are destroyed: its record, its hash, and no file."""

from __future__ import annotations

import shutil

from django.db.models import Max

from coupons.models import Person
from huigou import deeds
from reports.exports import jobs
from reports.exports.catalogue import LISTS
from reports.models import ExportJob


def forget_shredded() -> int:
    """Delete the files that tell of persons and were begun before the latest shredding; return how many. Idempotent.

    Masked ones too: the last four digits and the nickname in them are what a shredding empties in the database
    (design.md 8). Who stands in a file is not asked: it was read when the shredded person still had a name. One that
    is being written now is met the next night.
    """
    last = Person.objects.aggregate(at=Max("shredded_at"))["at"]
    if last is None:
        return 0
    done = 0
    over = [ExportJob.State.READY, ExportJob.State.FAILED]
    kinds = [code for code, listing in LISTS.items() if listing.holds_people()]
    for job in ExportJob.objects.filter(kind__in=kinds, state__in=over, started_at__lte=last):
        files = [*jobs.folder().glob(f"{job.pk}-*.xlsx"), jobs.folder() / "unfinished" / str(job.pk)]
        if not job.file and not any(path.exists() for path in files):
            continue
        for path in files:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        # The record last: a step that was cut short is done again.
        ExportJob.objects.filter(pk=job.pk).update(file="")
        note = "名单内有个人信息已销毁"
        deeds.done.send(sender=None, deed=deeds.Done(None, None, "销毁导出文件", "导出记录", str(job.pk), note=note))
        done += 1
    return done
