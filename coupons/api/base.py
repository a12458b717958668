"""What every API view here has in common."""

from __future__ import annotations

import datetime as dt

from rest_framework.views import APIView

from huigou.api import SameOrigin


class OwnPagesView(APIView):
    """A view for our own pages' scripts: people are named by their signed cookie, writes come from our origin."""

    permission_classes = [SameOrigin]


def epoch_ms(moment: dt.datetime) -> int:
    """Return milliseconds since 1970, as the scripts' clocks count."""
    return int(moment.timestamp() * 1000)
