"""Celery's thin side of merchants."""

from __future__ import annotations

from celery import shared_task

from coupons import tallies as coupon_tallies
from merchants import binding, news, redemption, tallies


@shared_task(name="merchants.sweep")
def sweep() -> int:
    """Book as forfeited what was scanned and never entered within its window."""
    return redemption.forfeit_overdue()


@shared_task(name="merchants.queue_news")
def queue_news() -> int:
    """Queue WeChat messages about coupons used."""
    return news.queue()


@shared_task(name="merchants.forget_shredded")
def forget_shredded() -> int:
    """Empty clerks' WeChat names once the person behind is shredded."""
    return binding.forget_shredded()


@shared_task(name="merchants.keep_sums")
def keep_sums() -> int:
    """Fold what has happened into the kept sums of the long lists; late or doubled, the lists stay exact."""
    return coupon_tallies.fold() + tallies.fold()
