"""What the back office's templates need."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from huigou import clock
from huigou.listing import HiddenPersonField, Listing

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
def nth(values: Any, place: int) -> Any:
    """Return the item at a place."""
    return values[place]
