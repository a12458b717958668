"""Four eyes, as one mechanism for every money-moving step.

A verb registers its executor; a change request holds the exact payload; approving it executes it in the same
transaction. The database refuses self-approval on every route, raw SQL included; the checks here only speak earlier.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction

from coupons.errors import ALREADY_DECIDED, PAYLOAD_CHANGED, SAME_DEPARTMENT, SAME_PERSON
from coupons.models import Campaign, ChangeRequest
from huigou import clock
from huigou.errors import BAD_INPUT, FORBIDDEN, Refusal
from huigou.models import Staff
from huigou.roles import CHANGES

Executor = Callable[[ChangeRequest], None]
State = ChangeRequest.State
_executors: dict[str, Executor] = {}


def executes(verb: str) -> Callable[[Executor], Executor]:
    """Register the function that carries out an approved change of this verb."""

    def register(executor: Executor) -> Executor:
        _executors[verb] = executor
        return executor

    return register


def payload_hash(payload: dict[str, Any]) -> str:
    """Return the SHA-256 of a payload's canonical JSON."""
    text = json.dumps(payload, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def propose(
    verb: str, campaign: Campaign, payload: dict[str, Any], *, summary: str, reason: str, maker: Staff
) -> ChangeRequest:
    """Ask for a change with its exact payload; somebody from another department decides.

    Raises FORBIDDEN when the maker's department may not ask for it, BAD_INPUT without a reason.
    """
    if maker.department not in CHANGES[verb].makers:
        raise FORBIDDEN()
    if not reason.strip():
        raise BAD_INPUT(what="理由")
    return ChangeRequest.objects.create(
        verb=verb,
        campaign=campaign,
        payload=payload,
        payload_sha256=payload_hash(payload),
        summary=summary[:300],
        reason=reason.strip(),
        maker=maker,
        made_at=clock.now(),
    )


def approve(change_id: int, checker: Staff, note: str = "") -> ChangeRequest:
    """Approve a change and carry it out, both or neither.

    Raises SAME_PERSON, SAME_DEPARTMENT, FORBIDDEN, ALREADY_DECIDED, PAYLOAD_CHANGED, and what the verb refuses.
    """
    with transaction.atomic():
        change = _undecided(change_id)
        _refuse_checker(change, checker)
        if payload_hash(change.payload) != change.payload_sha256:
            raise PAYLOAD_CHANGED()
        now = clock.now()
        change.state, change.checker, change.decided_at = State.APPROVED, checker, now
        change.decision_note, change.executed_at = note, now
        try:
            with transaction.atomic():
                change.save()
        except IntegrityError as refused:
            raise SAME_DEPARTMENT() from refused
        change.refresh_from_db()
        _executors[change.verb](change)
    return change


def reject(change_id: int, checker: Staff, note: str) -> ChangeRequest:
    """Turn a change down, with a note for its maker."""
    with transaction.atomic():
        change = _undecided(change_id)
        _refuse_checker(change, checker)
        change.state, change.checker, change.decided_at = State.REJECTED, checker, clock.now()
        change.decision_note = note
        change.save()
    return change


def withdraw(change_id: int, maker: Staff) -> ChangeRequest:
    """Let a maker void the own request; a corrected one is a new request."""
    with transaction.atomic():
        change = _undecided(change_id)
        if change.maker_id != maker.pk:
            raise FORBIDDEN()
        change.state, change.decided_at = State.VOID, clock.now()
        change.save()
    return change


def may_decide(change: ChangeRequest, staff: Staff) -> bool:
    """Say whether somebody may approve or reject a change."""
    try:
        _refuse_checker(change, staff)
    except Refusal:
        return False
    return True


def _undecided(change_id: int) -> ChangeRequest:
    change = ChangeRequest.objects.select_for_update(of=("self",)).select_related("campaign").get(pk=change_id)
    if change.state != State.PROPOSED:
        raise ALREADY_DECIDED(state=change.get_state_display())
    return change


def _refuse_checker(change: ChangeRequest, checker: Staff) -> None:
    if checker.person_key == change.maker_key or checker.pk == change.maker_id:
        raise SAME_PERSON()
    if checker.department == change.maker_department:
        raise SAME_DEPARTMENT()
    if checker.department not in CHANGES[change.verb].checkers:
        raise FORBIDDEN()
