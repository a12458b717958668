"""查看全号: a full name and number for somebody with the right and a reason."""

from __future__ import annotations

from coupons.models import Person, Reveal
from huigou import clock
from huigou.masking import redacted
from huigou.models import Staff

SHREDDED = "已销毁"


def reveal(person: Person, staff: Staff, reason: str) -> tuple[str, str]:
    """Return a person's full name and number, and keep that they were looked at."""
    Reveal.objects.create(person=person, staff=staff, reason=redacted(reason.strip()), at=clock.now())
    return person.name or SHREDDED, person.phone or SHREDDED
