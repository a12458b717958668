"""What two people from different departments do about a round's seed: postpone the round, and register the public number.

A custodian's commitment and share go through ``seeds``; a share that is missing postpones its round here, publicly.
"""  # noqa: E501

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.utils import DatabaseError

from coupons import approval, fairness, publishing
from coupons.errors import ENTROPY_EARLY, ENTROPY_LATE, ENTROPY_NAMED, ROUND_DEALT, ROUND_TIMES
from coupons.models import ChangeRequest, Notice, Round
from coupons.seeds import COMMIT_AHEAD
from huigou import clock
from huigou.errors import BAD_INPUT
from huigou.models import Staff


def propose_postponement(
    round_: Round, *, opens_at: dt.datetime, closes_at: dt.datetime, notice: str, maker: Staff, reason: str
) -> ChangeRequest:
    """Ask to move a round that is not dealt, with the notice that everybody will read.

    Raises ROUND_DEALT, ROUND_TIMES when the times are past, out of order or another round's, BAD_INPUT without a notice.
    """  # noqa: E501
    notice = notice.strip()
    if not notice or len(notice) > (Round._meta.get_field("postponed_notice").max_length or 0):
        raise BAD_INPUT(what="延期公告")
    _refuse_times(round_, opens_at, closes_at)
    return approval.propose(
        "postpone",
        round_.campaign,
        {"round": round_.pk, "opens_at": opens_at.isoformat(), "closes_at": closes_at.isoformat(), "notice": notice},
        summary=f"{round_}延期：{clock.spoken(opens_at)}至{clock.spoken(closes_at, end=True)}",
        reason=reason,
        maker=maker,
    )


def _refuse_times(round_: Round, opens_at: dt.datetime, closes_at: dt.datetime) -> None:
    if round_.dealt_at is not None:
        raise ROUND_DEALT(number=round_.number)
    others = Round.objects.filter(campaign_id=round_.campaign_id).exclude(pk=round_.pk)
    overlaps = others.filter(opens_at__lt=closes_at, closes_at__gt=opens_at).exists()
    # Rounds are dealt in the order of their numbers, so a postponed one stays between its neighbours.
    jumps = (
        others.filter(number__gt=round_.number, opens_at__lt=opens_at).exists()
        or others.filter(number__lt=round_.number, opens_at__gt=opens_at).exists()
    )
    if opens_at >= closes_at or opens_at <= round_.opens_at or opens_at <= clock.now() or overlaps or jumps:
        raise ROUND_TIMES()


@approval.executes("postpone")
def postpone(change: ChangeRequest) -> None:
    """Move a round and say so in public; raises ROUND_DEALT, ROUND_TIMES."""
    asked = change.payload
    round_ = Round.objects.select_for_update().get(pk=asked["round"], campaign_id=change.campaign_id)
    opens_at, closes_at = (dt.datetime.fromisoformat(asked[key]) for key in ("opens_at", "closes_at"))
    _refuse_times(round_, opens_at, closes_at)
    round_.entry_until = closes_at + (round_.entry_until - round_.closes_at)
    round_.opens_at, round_.closes_at, round_.postponed_notice = opens_at, closes_at, asked["notice"]
    try:
        with transaction.atomic():
            round_.save(update_fields=["opens_at", "closes_at", "entry_until", "postponed_notice"])
    except DatabaseError as overlapping:  # the trigger knows of a round that came in between
        raise ROUND_TIMES() from overlapping
    Notice.objects.create(
        campaign=change.campaign,
        title=f"{round_}延期",
        body=asked["notice"],
        shown_from=clock.now(),
        shown_until=opens_at,
    )


def propose_entropy_source(round_: Round, source: str, *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask to name, a day or more ahead, the public number that goes into a round's seed.

    Raises ENTROPY_NAMED when one is named, which stands; ENTROPY_LATE.
    """
    _refuse_source(round_)
    return _propose(round_, "source", source, f"{round_}公开随机数来源：{source}", maker, reason)


def propose_entropy_value(round_: Round, value: str, *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask to register the public number once it is known, after the commitments are frozen; raises ENTROPY_EARLY."""
    _refuse_value(round_)
    return _propose(round_, "value", value, f"{round_}公开随机数（{round_.entropy_source}）：{value}", maker, reason)


def _propose(round_: Round, key: str, text: str, summary: str, maker: Staff, reason: str) -> ChangeRequest:
    try:
        fairness.Entropy(text, text)
    except ValueError as wrong:
        raise BAD_INPUT(what="公开随机数") from wrong
    payload = {"round": round_.pk, key: text}
    return approval.propose("entropy", round_.campaign, payload, summary=summary, reason=reason, maker=maker)


def _refuse_source(round_: Round) -> None:
    if round_.dealt_at is not None:
        raise ROUND_DEALT(number=round_.number)
    if round_.entropy_source:
        raise ENTROPY_NAMED(source=round_.entropy_source)
    # The commitments' last hour is the source's too: afterwards somebody could pick a source that suits.
    if clock.now() > round_.opens_at - COMMIT_AHEAD or round_.postponed_notice:
        raise ENTROPY_LATE()


def _refuse_value(round_: Round) -> None:
    if round_.dealt_at is not None:
        raise ROUND_DEALT(number=round_.number)
    if not round_.entropy_source or clock.now() <= round_.opens_at - COMMIT_AHEAD:
        raise ENTROPY_EARLY()


@approval.executes("entropy")
def register_entropy(change: ChangeRequest) -> None:
    """Write the approved source or value; raises ROUND_DEALT, ENTROPY_NAMED, ENTROPY_LATE, ENTROPY_EARLY.

    A value that was typed in wrongly is put right in public: by two people again, and everybody reads what it was.
    """
    round_ = Round.objects.select_for_update().get(pk=change.payload["round"], campaign_id=change.campaign_id)
    if "source" in change.payload:
        _refuse_source(round_)
        round_.entropy_source = change.payload["source"]
        publishing.publish_source(round_)
    else:
        _refuse_value(round_)
        if round_.entropy_value and round_.entropy_value != change.payload["value"]:
            _tell_of_correction(round_, change)
        round_.entropy_value = change.payload["value"]
    round_.save(update_fields=["entropy_source", "entropy_value"])


def _tell_of_correction(round_: Round, change: ChangeRequest) -> None:
    was, now = round_.entropy_value, change.payload["value"]
    Notice.objects.create(
        campaign=change.campaign,
        title=f"{round_}公开随机数更正",
        body=f"来源：{round_.entropy_source}。原登记 {was}，更正为 {now}。理由：{change.reason}",
        shown_from=clock.now(),
        shown_until=round_.closes_at,
    )
