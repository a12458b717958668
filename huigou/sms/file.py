"""Messages kept in files, for tests and rehearsals that read the code they were sent."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from huigou.clock import local
from huigou.fields import keyed_hash
from huigou.sms.base import DOWN, Backend, Receipt, Sms, SmsError


class FileBackend(Backend):
    """Append each message to one file a phone under SMS_FILE_DIR; the file's name is a keyed hash of the number."""

    name = "file"

    def send(self, sms: Sms, now: datetime) -> Receipt:
        """Append one JSON line. Raises SmsError when the folder cannot be written."""
        line = {
            "at": local(now).isoformat(),
            "phone": sms.masked_phone,
            "text": sms.signed_text,
            "params": dict(sms.params),
            "template": sms.template,
            "reference": sms.reference,
        }
        failure = ""
        try:
            _append(_path(sms.phone), (json.dumps(line, ensure_ascii=False) + "\n").encode())
        except OSError as error:
            failure = type(error).__name__
        if failure:
            raise SmsError(DOWN, failure)
        return Receipt(self.name)


def messages_to(phone: str) -> list[dict[str, Any]]:
    """Return the messages sent to a phone (11 digits), oldest first: at, phone (masked), text, params, ..."""
    path = _path(phone)
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # One write() on O_APPEND: lines of two processes never mix.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)


def _path(phone: str) -> Path:
    return Path(settings.SMS_FILE_DIR) / f"{keyed_hash('sms-file', phone).hex()[:24]}.jsonl"
