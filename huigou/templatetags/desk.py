"""What the back office's templates need."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from huigou import clock
from huigou.listing import HiddenPersonField, Listing

FIGURE = re.compile(r"-?\d{1,3}(,\d{3})*\.\d\d|\d{1,6}(\.\d+%?)?")  # an amount, a face, a share; no telephone
register = template.Library()


@register.simple_tag
def query_input(field: Any, listing: Listing) -> SafeString:
    """Return a filter's input; a name or number that was searched shows its mask only."""
    if isinstance(field.field, HiddenPersonField):
        kept = listing.cleaned.get(field.name, "")
        mask = kept.partition("~")[2]
        if mask:
            # The hash goes back with the form unless somebody types a new value in its place.
            return format_html(
                '<span class="desk-kept"><input type="hidden" name="{0}" value="{1}"><output>{2}</output>'
                '<button type="button" data-unkeep="{0}" data-id="{3}" data-placeholder="{4}">更换</button></span>',
                field.html_name,
                kept,
                mask,
                field.id_for_label,
                field.field.widget.attrs.get("placeholder", ""),
            )
    return field.as_widget()


@register.filter
def shown_fact(value: Any) -> Any:
    """Return a fact of a row's page: moments with seconds, yes or no, a dash for nothing."""
    if isinstance(value, dt.datetime):
        here = clock.local(value)
        return f"{here.year}/{here.month}/{here.day} {here:%H:%M:%S}"
    if isinstance(value, dt.date):
        return f"{value.year}/{value.month}/{value.day}"
    if value is True:
        return "是"
    if value is False:
        return "否"
    return "—" if value is None or value == "" else value


@register.filter
def figure_columns(rows: Any) -> set[int]:
    """Return the places of a table's columns that hold counts, amounts or shares alone, which stand right."""
    columns = [[cell for cell in column if cell not in (None, "", "—")] for column in zip(*rows, strict=False)]
    return {place for place, cells in enumerate(columns) if cells and all(map(_is_figure, cells))}


def _is_figure(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or bool(FIGURE.fullmatch(str(value)))


@register.filter
def figure(value: Any, heading: str) -> Any:
    """Return a cell of a row's page as it is shown: a count with its thousands, a number that names a row without."""
    if isinstance(value, int) and not isinstance(value, bool) and not heading.endswith("号"):
        return f"{value:,}"
    return shown_fact(value)


@register.filter
def nth(values: Any, place: int) -> Any:
    """Return the item at a place."""
    return values[place]
