"""What staff can do to a row: a form in a dialog, always by POST, refused with our own sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse

from huigou.masking import redacted

Run = Callable[[HttpRequest, Any, dict[str, Any]], "str | HttpResponse"]


class ReasonForm(forms.Form):
    """Why it is done."""

    reason = forms.CharField(
        label="理由", max_length=200, widget=forms.Textarea(attrs={"rows": 3}), help_text="写入操作记录，供纪委监委查阅"
    )

    def clean_reason(self) -> str:
        """Cut numbers out of what is kept for ever and read by many: a reason names a row, not a person."""
        return redacted(self.cleaned_data["reason"])


class PlainForm(forms.Form):
    """Nothing but the button."""


def _always(_: Any) -> bool:
    return True


def _anybody(_: Any, __: Any) -> bool:
    return True


def _nothing(_: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Deed:
    """One deed: ``run`` calls the verb and returns what to say; ``right`` is checked here and again by the verb.

    ``offered`` says whether a row shows the button, ``offered_to`` whether to this member of staff, ``facts`` what the
    trail keeps of the row before and after, ``say`` what the dialog explains. ``atomic`` is off for verbs that must not
    run inside a transaction (a draw).
    """

    code: str
    title: str
    right: str
    run: Run
    form: type[forms.Form] = PlainForm
    offered: Callable[[Any], bool] = _always
    offered_to: Callable[[Any, Any], bool] = _anybody
    facts: Callable[[Any], dict[str, Any]] = _nothing
    say: Callable[[Any], str] | None = None
    prepare: Callable[[forms.Form, HttpRequest, Any], None] | None = None
    tone: str = ""  # "danger" for what hurts somebody
    icon: str = ""
    on_row: bool = True
    for_list: bool = False  # about the whole list, no row
    atomic: bool = True
    button: str = ""

    def is_for(self, staff: Any, row: Any) -> bool:
        """Say whether somebody sees the button on a row; the verb refuses once more."""
        return bool(staff.has_perm(self.right)) and self.offered(row) and self.offered_to(staff, row)

    @property
    def label(self) -> str:
        return self.button or self.title
