"""How values are shown on pages: yuan, moments as people say them, icons of the sprite."""

from __future__ import annotations

import datetime as dt

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from huigou import clock, money

register = template.Library()

# Category codes that have a picture and a hue of their own; any other takes the general one.
DRAWN_CATEGORIES = frozenset({"lodging", "dining", "fuel", "farm", "book"})
DRAWN_WITHOUT_HUE = frozenset({"auto", "appliance", "market", "pharmacy"})


@register.filter
def yuan(fen: int | None) -> str:
    """Return 1,234.50 for 123450 fen, an empty text for None."""
    return "" if fen is None else money.yuan(fen)


@register.filter
def short_yuan(fen: int | None) -> str:
    """Return 50 for 5000 fen: a face or threshold as people say it."""
    return "" if fen is None else money.short_yuan(fen)


@register.filter
def thousands(count: int | None) -> str:
    """Return 1,234 for 1234; the Chinese locale's own grouping leaves figures of five digits hard to read."""
    return "" if count is None else f"{count:,}"


@register.filter
def spoken(moment: dt.datetime | None) -> str:
    """Return 6月25日09:00."""
    return clock.spoken(moment) if moment else ""


@register.filter
def spoken_end(moment: dt.datetime | None) -> str:
    """Return 6月29日24:00 for an exclusive end at midnight."""
    return clock.spoken(moment, end=True) if moment else ""


@register.filter
def left(until: dt.datetime, now: dt.datetime) -> str:
    """Return what a countdown begins with, in the words of countdown.js: 4 天 5 小时; nothing moves when it starts."""
    seconds = max(0, int((until - now).total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600, seconds // 60
    if days:
        return f"{days} 天 {hours % 24} 小时"
    return f"{hours} 小时 {minutes % 60} 分" if hours else f"{minutes} 分 {seconds % 60} 秒"


@register.filter
def epoch_ms(moment: dt.datetime | None) -> str:
    """Return milliseconds since 1970, for the scripts' countdowns."""
    return str(int(moment.timestamp() * 1000)) if moment else ""


@register.filter
def short_code(digits: str) -> str:
    """Return 1234 5678."""
    return f"{digits[:4]} {digits[4:]}" if digits else ""


@register.filter
def category_class(code: str) -> str:
    """Return the classes that give a category its hue."""
    return f"cat cat-{code}" if code in DRAWN_CATEGORIES else "cat"


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return one icon of the sprite, hidden from screen readers."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("huigou/img/icons.svg"), name
    )


@register.simple_tag
def category_icon(code: str) -> SafeString:
    """Return a category's picture; one without its own gets the coupon."""
    return icon(code if code in DRAWN_CATEGORIES | DRAWN_WITHOUT_HUE else "other")
