"""QR codes as one SVG path, and the address that they lead to."""

from __future__ import annotations

from typing import Any

import qrcode
from django.conf import settings
from django.http import HttpRequest


def drawn(text: str, *, border: int = 4) -> dict[str, Any]:
    """Return a QR as one SVG path in modules, with its quiet zone: {"d", "size"}."""
    code = qrcode.QRCode(border=border, error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    runs = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            start = x
            while x < len(row) and row[x]:
                x += 1
            if x > start:
                runs.append(f"M{start} {y}h{x - start}v1h-{x - start}z")
            x += 1
    return {"d": "".join(runs), "size": len(rows)}


def origin(request: HttpRequest) -> str:
    """Return the site's public address, without a slash at the end."""
    return settings.SITE_URL or f"{request.scheme}://{request.get_host()}"
