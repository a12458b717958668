"""Celery's thin side of exports."""

from __future__ import annotations

import logging

from celery import shared_task

from reports import exports

log = logging.getLogger(__name__)


@shared_task(name="reports.run_export", acks_late=True, reject_on_worker_lost=True)
def run_export(*, job_id: int) -> bool:
    """Write one export."""
    return exports.run(job_id)


@shared_task(name="reports.resume_exports")
def resume_exports() -> int:
    """Take up what waits and what a killed worker left behind; every minute."""
    done = 0
    for job_id in exports.waiting():
        done += exports.run(job_id)
    return done


@shared_task(name="reports.forget_shredded")
def forget_shredded() -> int:
    """Delete files with full names once personal data in them are destroyed."""
    return exports.forget_shredded()
