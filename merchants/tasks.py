"""Celery's thin side of merchants."""

from __future__ import annotations

from celery import shared_task

from merchants import redemption


@shared_task(name="merchants.sweep")
def sweep() -> int:
    """Book as forfeited what was scanned and never entered within its window."""
    return redemption.forfeit_overdue()
