"""Pause and resume a round or a category, with a notice that everybody can read (a pause is public)."""

from __future__ import annotations

from django.db import transaction

from coupons.errors import ALREADY_PAUSED, NOT_PAUSED, ROUND_IS_OVER
from coupons.models import Category, Notice, Round
from huigou import clock
from huigou.errors import BAD_INPUT

NOTICE_LENGTH = 200


def _notice(text: str) -> str:
    plain = " ".join(text.split())
    if not plain or len(plain) > NOTICE_LENGTH:
        raise BAD_INPUT(what="公告")
    return plain


def pause_round(round_id: int, notice: str) -> Round:
    """Stop draws and scans of a round; entries of what is scanned go on.

    Raises ALREADY_PAUSED, ROUND_IS_OVER, BAD_INPUT without a notice.
    """
    words = _notice(notice)
    with transaction.atomic():
        round_ = Round.objects.select_for_update().get(pk=round_id)
        now = clock.now()
        if round_.paused_at is not None:
            raise ALREADY_PAUSED(what=str(round_))
        if round_.state(now) == "over":
            raise ROUND_IS_OVER(number=round_.number)
        round_.paused_at, round_.pause_notice = now, words
        round_.save(update_fields=["paused_at", "pause_notice"])
        _announce(round_.campaign_id, f"{round_}暂停", words)
    return round_


def resume_round(round_id: int) -> Round:
    """Let a paused round go on; raises NOT_PAUSED."""
    with transaction.atomic():
        round_ = Round.objects.select_for_update().get(pk=round_id)
        if round_.paused_at is None:
            raise NOT_PAUSED(what=str(round_))
        round_.paused_at, round_.pause_notice = None, ""
        round_.save(update_fields=["paused_at", "pause_notice"])
        _end(round_.campaign_id, f"{round_}暂停")
    return round_


def pause_category(category_id: int, notice: str) -> Category:
    """Stop draws and scans of a category; raises ALREADY_PAUSED, BAD_INPUT without a notice."""
    words = _notice(notice)
    with transaction.atomic():
        category = Category.objects.select_for_update().get(pk=category_id)
        if category.paused_at is not None:
            raise ALREADY_PAUSED(what=category.name)
        category.paused_at, category.pause_notice = clock.now(), words
        category.save(update_fields=["paused_at", "pause_notice"])
        _announce(category.campaign_id, f"{category.name}消费券暂停", words)
    return category


def resume_category(category_id: int) -> Category:
    """Let a paused category go on; raises NOT_PAUSED."""
    with transaction.atomic():
        category = Category.objects.select_for_update().get(pk=category_id)
        if category.paused_at is None:
            raise NOT_PAUSED(what=category.name)
        category.paused_at, category.pause_notice = None, ""
        category.save(update_fields=["paused_at", "pause_notice"])
        _end(category.campaign_id, f"{category.name}消费券暂停")
    return category


def _announce(campaign_id: int, title: str, body: str) -> None:
    Notice.objects.create(campaign_id=campaign_id, title=title[:60], body=body, shown_from=clock.now())


def _end(campaign_id: int, title: str) -> None:
    Notice.objects.filter(campaign_id=campaign_id, title=title[:60], shown_until=None).update(shown_until=clock.now())
