"""Everything a failure says to anybody: its text, its contexts, an error mail with frames, and every log line."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from django.views.debug import ExceptionReporter

PROJECT = str(Path(__file__).resolve().parents[2] / "huigou")


def everything_said(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    """Return it as one text. Frames of the test itself are left out: they hold the secrets they compare with."""
    frames = error.__traceback__
    while frames is not None and not frames.tb_frame.f_code.co_filename.startswith(PROJECT):
        frames = frames.tb_next
    report = ExceptionReporter(None, type(error), error, frames)
    chain, link = [], error
    while link is not None:
        chain += [repr(link), str(link), repr(vars(link))]
        link = link.__cause__ or link.__context__
    logged = [record.getMessage() + repr(record.__dict__) for record in caplog.records]
    return "\n".join(
        [*chain, *traceback.format_exception(error), report.get_traceback_html(), report.get_traceback_text(), *logged]
    )
