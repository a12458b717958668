"""Celery's thin side of coupons: fetch, call, return."""

from __future__ import annotations

from celery import shared_task

from coupons import consumers, lifecycle, lottery, news, outbox, publishing


@shared_task(name="coupons.sweep")
def sweep() -> dict[str, int]:
    """Book what is due, deal what may be dealt, reveal what is over. Idempotent, late or doubled."""
    publishing.publish_all_commitments()
    done = lifecycle.sweep()
    lottery.draw_due()
    publishing.reveal_due()
    return done


@shared_task(name="coupons.publish_heads")
def publish_heads() -> int:
    """Sign and publish the heads of logs that have grown."""
    return publishing.publish_heads()


@shared_task(name="coupons.send_message")
def send_message(*, message_id: int) -> bool:
    """Send one message of the outbox."""
    return outbox.send(message_id)


@shared_task(name="coupons.send_outbox")
def send_outbox() -> int:
    """Send what still waits: retries, and what was queued while the broker was down."""
    return sum(outbox.send(message_id) for message_id in outbox.due())


@shared_task(name="coupons.queue_news")
def queue_news() -> int:
    """Queue WeChat messages about coupons won and coupons that end tomorrow."""
    return news.queue()


@shared_task(name="coupons.shred")
def shred() -> int:
    """Destroy the personal data whose time is over."""
    return consumers.shred_due()
