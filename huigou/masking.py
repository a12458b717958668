"""Mobile numbers cut out of free text: log lines, and what people type into notes that are kept and exported."""

from __future__ import annotations

import re

# However people and gateways group it: 19900001234, 199 0000 1234, 199-0000-1234, +86 in front.
PHONE = re.compile(r"(?<!\d)((?:\+?86|0086)?[ -]?)(1[3-9]\d)[ -]?\d{4}[ -]?(\d{4})(?!\d)")


def redacted(text: str) -> str:
    """Return a text with every mobile number in it masked as 199****1234."""
    return PHONE.sub(r"\1\2****\3", text)
