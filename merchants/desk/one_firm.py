"""Lists that a firm's page leads to: narrowed to that firm by its number, since names stand in other names."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet

from huigou.listing import DaysForm, Listing
from merchants.models import Merchant


class FirmForm(DaysForm):
    """A query bar that a link may narrow to one firm."""

    firm = forms.IntegerField(label="企业编号", required=False, widget=forms.HiddenInput)


class OfOneFirm(Listing):
    """A list that says which firm it is narrowed to; ``firm_at`` leads from a row to the firm."""

    firm_at: ClassVar[str] = "merchant"

    @property
    def hidden_words(self) -> list[str]:
        firm = self.cleaned.get("firm")
        return list(Merchant.objects.filter(pk=firm).values_list("name", flat=True)) if firm else []

    def of_firm(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the firm asked for, all of them where none is."""
        firm = self.cleaned.get("firm")
        return rows.filter(**{self.firm_at: firm}) if firm else rows
