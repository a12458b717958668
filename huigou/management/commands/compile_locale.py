"""``manage.py compile_locale``: write the .mo of our own strings without gettext's tools."""

from __future__ import annotations

import ast
import struct
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


def entries(text: str) -> dict[str, str]:
    """Return {context before an EOT, msgid, plural after a NUL: msgstr} of a .po file in gettext's plain form."""
    found: dict[str, str] = {}
    parts: dict[str, str] = {}
    field = ""
    for line in [*text.splitlines(), ""]:
        line = line.strip()
        if line.startswith("#"):
            continue
        if not line:
            if "msgid" in parts:
                context = parts["msgctxt"] + "\4" if "msgctxt" in parts else ""
                key = context + parts["msgid"] + ("\0" + parts["msgid_plural"] if "msgid_plural" in parts else "")
                found[key] = parts.get("msgstr") or parts.get("msgstr[0]", "")
            parts = {}
        elif line.startswith('"'):
            parts[field] += ast.literal_eval(line)
        else:
            field, _, quoted = line.partition(" ")
            parts[field] = ast.literal_eval(quoted)
    return found


def compiled(found: dict[str, str]) -> bytes:
    """Return the .mo of some entries: GNU gettext's format, keys sorted, no hash table."""
    pairs = sorted((key.encode(), value.encode()) for key, value in found.items())
    count, head = len(pairs), 7 * 4
    keys_at, values_at = head, head + 8 * count
    place = head + 16 * count
    tables: list[bytes] = []
    body = b""
    for side in (0, 1):
        for pair in pairs:
            tables.append(struct.pack("<II", len(pair[side]), place + len(body)))
            body += pair[side] + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, count, keys_at, values_at, 0, place) + b"".join(tables) + body


class Command(BaseCommand):
    help = "编译界面文字（.po → .mo）"

    def handle(self, *args: Any, **options: Any) -> None:
        for folder in settings.LOCALE_PATHS:
            for path in sorted(Path(folder).rglob("*.po")):
                found = entries(path.read_text(encoding="utf-8"))
                path.with_suffix(".mo").write_bytes(compiled(found))
                self.stdout.write(f"{path.parent.parent.name}：{len(found)} 条")
