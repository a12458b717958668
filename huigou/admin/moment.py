"""A moment typed into a dialog: the browser's own field shows and asks for it in the browser's language."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django import forms

from huigou import clock

EXAMPLE = "2022-06-26 09:00"
_TYPED = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?[\sT]\s*(\d{1,2})\s*[:：时]\s*(\d{2})(?::(\d{2}))?\s*分?"
)


class MomentField(forms.Field):
    """Day and time of the county as the plan writes them: 2022-06-26 09:00, or 24:00 for the end of a day.

    ``is_end`` shows a midnight as the end of the day that it closes.
    """

    default_error_messages = {
        "invalid": f"请按“年-月-日 时:分”填写，24 小时制，如 {EXAMPLE}",
        "missing": "没有这个日期或时间，请核对年、月、日、时、分",
    }

    def __init__(self, label: str, *, is_end: bool = False, **more: Any) -> None:
        widget = forms.TextInput(attrs={"placeholder": EXAMPLE, "autocomplete": "off", "spellcheck": "false"})
        said = f"北京时间，年-月-日 时:分，24 小时制，如 {EXAMPLE}"
        super().__init__(label=label, widget=widget, help_text=f"{said}；24:00 即当日结束" if is_end else said, **more)
        self.is_end = is_end

    def prepare_value(self, value: Any) -> Any:
        """Return a moment as it is typed; what somebody typed stays."""
        if not isinstance(value, dt.datetime):
            return value
        here = clock.local(value)
        if self.is_end and here.time() == dt.time():
            return f"{here - dt.timedelta(days=1):%Y-%m-%d} 24:00"
        return f"{here:%Y-%m-%d %H:%M:%S}" if here.second else f"{here:%Y-%m-%d %H:%M}"

    def to_python(self, value: Any) -> dt.datetime | None:
        """Return the moment, None for nothing; raises ValidationError."""
        if value in self.empty_values or isinstance(value, dt.datetime):
            return value or None
        typed = _TYPED.fullmatch(str(value).strip())
        if typed is None:
            raise forms.ValidationError(self.error_messages["invalid"], "invalid")
        year, month, day, hour, minute, second = (int(part or 0) for part in typed.groups())
        is_midnight = (hour, minute, second) == (24, 0, 0)
        try:
            at = dt.datetime(year, month, day, 0 if is_midnight else hour, minute, second, tzinfo=clock.SHANGHAI)
            at += dt.timedelta(days=is_midnight)
        except (ValueError, OverflowError):
            raise forms.ValidationError(self.error_messages["missing"], "missing") from None
        if not clock.is_near(at):
            raise forms.ValidationError(clock.NOT_NEAR, "not_near")
        return at
