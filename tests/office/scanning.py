"""What a person sees of a page, and the English in it that nobody meant."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# Words that a reader of these pages knows: kinds of files, hashes, units, and names.
KNOWN = frozenset(
    """Excel PDF JPG PNG SHA SHA- xlsx WeChat HTTPS https http TOTP json UTF-
    GCJ- WGS- GPS datum GeoJSON Polygon MultiPolygon""".split()  # noqa: SIM905 (a list of words reads as one)
)
_SKIPPED = {"script", "style", "template", "noscript", "svg", "code", "pre", "option"}
_VOID = {"input", "img", "br", "hr", "meta", "link", "source", "wbr", "col", "area", "base", "embed", "track"}
_SAID = ("title", "placeholder", "aria-label", "alt", "value")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]{2,}")
_ICON = "material-symbols-outlined"


class _Seen(HTMLParser):
    """Collects text nodes and spoken attributes; leaves out icons' ligatures and what is not shown."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        hidden = tag in _SKIPPED - {"option"} or _ICON in (named.get("class") or "") or "data-english" in named
        if tag not in _VOID:
            self._open.append((tag, hidden))
        if any(h for _, h in self._open):
            return
        is_button = named.get("type") in ("submit", "button", "reset")
        for name in _SAID:
            if name == "value" and not (tag == "input" and is_button):
                continue
            if value := named.get(name):
                self.texts.append(value)

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        if not any(hidden for _, hidden in self._open) and data.strip():
            self.texts.append(" ".join(data.split()))


def english_in(html: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Return the texts of a page that hold an English word which is no known name."""
    seen = _Seen()
    seen.feed(html)
    found = []
    for text in seen.texts:
        bare = re.sub(r"https?://\S+|[\w.-]+@[\w.-]+|[0-9a-f]{12,}…?|python3 .*|\{\{.*?\}\}", " ", text)
        words = [w for w in _WORD.findall(bare) if w not in KNOWN and w not in allowed]
        if words:
            found.append(text[:120])
    return sorted(set(found))
