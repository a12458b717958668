"""What every API view here has in common."""

from __future__ import annotations

import datetime as dt

from huigou.api import OwnPagesView, checked

__all__ = ["OwnPagesView", "checked", "epoch_ms"]


def epoch_ms(moment: dt.datetime) -> int:
    """Return milliseconds since 1970, as the scripts' clocks count."""
    return int(moment.timestamp() * 1000)
