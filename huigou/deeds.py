"""That a member of staff did something: announced here by every page, kept by whoever keeps the trail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.dispatch import Signal
from django.http import HttpRequest

from huigou.masking import redacted

done = Signal()  # sends: deed (Done)


@dataclass(frozen=True)
class Done:
    """Who did what to which row, from where; before and after hold no personal value."""

    staff: Any
    address: str | None
    deed: str
    table: str
    row: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    note: str = ""


def announce(
    request: HttpRequest,
    deed: str,
    table: str,
    row: Any = "",
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    note: str = "",
) -> None:
    """Say that the staff member of a request did something, in the transaction in which it was done."""
    done.send(
        sender=None,
        deed=Done(
            staff=request.user,
            address=request.META.get("REMOTE_ADDR") or None,
            deed=deed,
            table=table,
            row=str(row),
            before=before or {},
            after=after or {},
            note=redacted(note)[:300],
        ),
    )
