"""Celery and its timetable. The clock decides; these sweeps only make durable what it decided."""

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import beat_init, worker_init
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from huigou import starting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huigou.settings")
if not settings.configured:  # a worker or beat; the web and commands come here with their settings read
    os.environ.setdefault("HUIGOU_SERVING", "true")

app = Celery("huigou")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def refuse_shifted_clock(**_: Any) -> None:
    """Let no worker or beat of a production run on a clock that was set for a rehearsal."""
    try:
        starting.refuse_shifted_clock()
    except ImproperlyConfigured as refused:
        raise SystemExit(str(refused)) from None  # a signal's handler swallows any other exception


app.conf.beat_schedule = {
    # At the two instants the plan names, and every minute besides: a late or doubled sweep changes nothing.
    "sweep-at-opening": {"task": "coupons.sweep", "schedule": crontab(hour="9", minute="0")},
    "sweep-at-midnight": {"task": "coupons.sweep", "schedule": crontab(hour="0", minute="0")},
    "sweep-every-minute": {"task": "coupons.sweep", "schedule": 60.0},
    "forfeit-overdue": {"task": "merchants.sweep", "schedule": 60.0},
    "publish-heads": {"task": "coupons.publish_heads", "schedule": 5.0},
    # One that is still queued when the next one comes has nothing to do any more.
    "keep-sums": {"task": "merchants.keep_sums", "schedule": 5.0, "options": {"expires": 5}},
    "keep-sums-of-the-trail": {"task": "reports.keep_sums", "schedule": 60.0, "options": {"expires": 60}},
    "send-outbox": {"task": "coupons.send_outbox", "schedule": 5.0},
    "queue-news": {"task": "coupons.queue_news", "schedule": 60.0},
    "queue-news-of-uses": {"task": "merchants.queue_news", "schedule": 60.0},
    "shred-nightly": {"task": "coupons.shred", "schedule": crontab(hour="3", minute="30")},
    "forget-shredded-clerks": {"task": "merchants.forget_shredded", "schedule": crontab(hour="4", minute="0")},
    "forget-shredded-exports": {"task": "reports.forget_shredded", "schedule": crontab(hour="4", minute="15")},
    "check-books-nightly": {"task": "reports.check_books", "schedule": crontab(hour="1", minute="30")},
    "resume-exports": {"task": "reports.resume_exports", "schedule": 60.0},
    "check-new-entries": {"task": "reports.check_new", "schedule": 60.0},
}
