"""Constraints that many tables share, and the refusal that speaks for one that fired.

A constraint's name is what the driver reports (``diag.constraint_name``); its Chinese sentence stands beside it in the
model, or, for a rule that a trigger holds, in the table that an app's ``errors`` hands to ``speak_for``. A verb that
knows the particulars answers with a refusal of its own; this is what is said wherever none did.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from django.apps import apps
from django.db import models
from django.db.models import Q

from huigou.errors import Reason, Refusal

RULE_BROKEN = Reason("rule_broken", 409, "{said}", "请刷新页面核对后重试；仍不能办理请联系县工信局")
_spoken: dict[str, str] = {}


# ---- constraints


def known(field: str, name: str, values: list[str], message: str) -> models.CheckConstraint:
    """Return a CHECK that a column holds one of the words that the code knows."""
    return models.CheckConstraint(condition=Q(**{f"{field}__in": values}), name=name, violation_error_message=message)


def filled(field: str, name: str, message: str) -> models.CheckConstraint:
    """Return a CHECK that a text holds more than blanks."""
    return models.CheckConstraint(condition=Q(**{f"{field}__regex": r"\S"}), name=name, violation_error_message=message)


# ---- refusals


def speak_for(rules: Mapping[str, str]) -> None:
    """Keep the Chinese sentence of each rule that a trigger holds, by the name under which the trigger raises."""
    _spoken.update(rules)


def constraint_of(error: BaseException | None) -> str:
    """Return the name of the constraint that the driver says was violated, or ''."""
    cause = getattr(error, "__cause__", None) or error
    diag = getattr(cause, "diag", None)
    return (getattr(diag, "constraint_name", None) or "") if diag else ""


@functools.cache
def _sentences() -> dict[str, str]:
    return {c.name: str(c.violation_error_message) for m in apps.get_models() for c in m._meta.constraints}


def sentence_of(rule: str) -> str:
    """Return the Chinese sentence of a rule, or '' for a name that is none of ours."""
    return _spoken.get(rule) or _sentences().get(rule, "")


def refusal_of(error: BaseException | None) -> Refusal | None:
    """Return the refusal for a rule that the database held, None when this error is none of ours."""
    rule = constraint_of(error)
    said = sentence_of(rule) if rule else ""
    return RULE_BROKEN(said=said) if said else None
