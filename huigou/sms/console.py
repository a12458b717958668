"""Messages shown where the server runs, for a demonstration."""

from __future__ import annotations

import sys
from datetime import datetime

from huigou.clock import local
from huigou.sms.base import Backend, Receipt, Sms


class ConsoleBackend(Backend):
    """Write each message to standard output, the phone number masked: a console often ends in a log."""

    name = "console"

    def send(self, sms: Sms, now: datetime) -> Receipt:
        """Write one line. Never fails."""
        sys.stdout.write(f"[短信 {local(now):%H:%M:%S}] {sms.masked_phone} {sms.signed_text}\n")
        sys.stdout.flush()
        return Receipt(self.name)
