"""How the worker and the queues are, asked of them every few seconds at most."""

from __future__ import annotations

import datetime as dt

from django.core.cache import cache

from coupons.models import OutboxMessage
from huigou.celery import app
from reports.dashboard.numbers import Figure

LIFE_S = 15
LATE = dt.timedelta(minutes=2)  # a message that waits longer than its own next try is stuck
MANY_TASKS = 500  # more in the broker than a worker does in some minutes


def figure(now: dt.datetime) -> Figure:
    """Return the state of worker, tasks and messages in one number's place."""
    words, is_well = cache.get_or_set("dash:health", lambda: _asked(now), LIFE_S)  # type: ignore[misc]
    return Figure("后台任务", "正常" if is_well else "异常", words, tone="good" if is_well else "bad")


def _asked(now: dt.datetime) -> tuple[str, bool]:
    try:
        workers = len(app.control.ping(timeout=0.4))
        with app.connection_for_read() as broker:
            queued = broker.default_channel.client.llen(app.conf.task_default_queue)
    except Exception:
        return "任务队列连接不上", False
    waiting = OutboxMessage.objects.filter(state=OutboxMessage.State.WAITING, next_try_at__lt=now - LATE)
    late = waiting.count()
    words = f"任务进程 {workers} 个，排队任务 {queued} 个，滞留消息 {late} 条"
    return words, bool(workers) and queued < MANY_TASKS and not late
