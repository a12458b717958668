"""The one way in which a list, a row's own page and a deed on it are shown in the back office."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.admin import ModelAdmin

from huigou import clock, deeds
from huigou.admin.deed import Deed
from huigou.admin.facts import facts_of
from huigou.errors import Refusal
from huigou.listing import Column, HiddenPersonField, Listing, pages_around
from huigou.rules import refusal_of
from huigou.snapshot import snapshot


class ReadOnlyMixin:
    """Three permissions off: rows are made and changed by verbs alone."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@dataclass(frozen=True)
class Cell:
    """One cell as the page shows it."""

    heading: str
    text: str
    href: str = ""
    tone: str = ""
    css: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a row's own page: labelled values, or a table."""

    title: str
    facts: Sequence[tuple[str, Any]] = ()
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    empty: str = "暂无"
    template: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """A button that only leads somewhere."""

    title: str
    href: str
    icon: str = ""
    is_main: bool = False


class DeskAdmin(ModelAdmin):
    """A model's pages built from a Listing, its deeds and its sections."""

    listing: type[Listing]
    deeds: tuple[Deed, ...] = ()
    exports = True
    has_page = True  # rows have a page of their own beside the form
    note = ""  # a sentence under the title

    # ---- addresses

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        mine = [
            path("deed/<slug:code>/", wrap(self.list_deed_view), name=f"{name}_deed"),
            path("<path:object_id>/deed/<slug:code>/", wrap(self.row_deed_view), name=f"{name}_rowdeed"),
            path("<path:object_id>/page/", wrap(self.page_view), name=f"{name}_page"),
        ]
        return mine + super().get_urls()

    def address(self, what: str, *args: Any) -> str:
        """Return the address of one of this model's pages (changelist, add, change, page, deed, rowdeed)."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{what}", args=args)

    # ---- the list

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list. Names and numbers are searched by POST, so that no address ever holds one."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        asked = request.POST if request.method == "POST" else request.GET
        listing = self.open_listing(request, asked)
        if listing.is_valid and (request.method == "POST" or self._is_bare(listing, asked)):
            return HttpResponseRedirect(f"{request.path}?{listing.query}" if listing.query else request.path)
        with snapshot():  # 共 N 条, the page and the last line are of one instant
            page = listing.page(request.GET.get("p", 1))
            sums = listing.sums() if listing.is_valid else {}
        columns = listing.columns_on("page")
        context = {
            **self.admin_site.each_context(request),
            "title": listing.title,
            "is_fullwidth": "1",
            "listing": listing,
            "fields": [listing.form[name] for name in listing.form.fields if name not in listing.more],
            "more_fields": [listing.form[name] for name in listing.form.fields if name in listing.more],
            "is_more_used": any(name in listing.kept for name in listing.more),
            "columns": columns,
            "rows": [self._row(request, row, columns) for row in page.object_list],
            "has_deeds": self._has_row_deeds(request),
            "totals": self._totals(columns, sums),
            "page": page,
            "numbers": pages_around(page),
            "query": listing.query,
            "links": self.links(request, listing),
            "list_deeds": self.list_deeds(request),
            "deed_base": self.address("changelist"),
            "export_to": self._export_address(request, listing),
            "note": self.note_of(request, listing),
            "opts": None,
            **(extra_context or {}),
        }
        template = getattr(self, "list_template", "admin/desk/list.html")
        return TemplateResponse(request, template, context)

    def open_listing(self, request: HttpRequest, asked: Any) -> Listing:
        """Return the list as this member of staff may see it."""
        return self.listing.open(asked, clock.now())

    @staticmethod
    def _is_bare(listing: Listing, asked: Any) -> bool:
        """Say whether an address was typed with a bare name or number in it."""
        hidden = [n for n, f in listing.form.fields.items() if isinstance(f, HiddenPersonField)]
        return any(asked.get(name) and asked[name] != listing.cleaned.get(name) for name in hidden)

    def note_of(self, request: HttpRequest, listing: Listing) -> str:
        """Return the sentence under the title."""
        return self.note

    def list_deeds(self, request: HttpRequest) -> list[Deed]:
        """Return the deeds about the whole list that stand beside 搜索."""
        return [d for d in self.deeds if d.for_list and request.user.has_perm(d.right)]

    def links(self, request: HttpRequest, listing: Listing) -> list[Link]:
        """Return the buttons beside 搜索."""
        if self.has_add_permission(request):
            return [Link("添加", self.address("add"), "add", is_main=True)]
        return []

    def _export_address(self, request: HttpRequest, listing: Listing) -> str:
        if not self.exports or not listing.code or not request.user.has_perm("reports.add_exportjob"):
            return ""
        return f"{reverse('admin:reports_exportjob_deed', args=['ask'])}?{urlencode({'kind': listing.code})}"

    def _has_row_deeds(self, request: HttpRequest) -> bool:
        mine = any(d.on_row and not d.for_list and request.user.has_perm(d.right) for d in self.deeds)
        return mine or self.has_change_permission(request)

    def _row(self, request: HttpRequest, row: Any, columns: Sequence[Column]) -> dict[str, Any]:
        offered = [d for d in self.deeds if d.on_row and not d.for_list and d.is_for(request.user, row)]
        return {
            "pk": row.pk,
            "cells": [self._cell(column, row) for column in columns],
            "deeds": [(d, self.address("rowdeed", row.pk, d.code)) for d in offered],
            "change": self.address("change", row.pk) if self.has_change_permission(request, row) else "",
        }

    @staticmethod
    def _cell(column: Column, row: Any) -> Cell:
        text = column.shown(column.value(row))
        href = column.link(row) if column.link and text else ""
        return Cell(column.heading, text, href, column.tone(row) if column.tone else "", column.css)

    @staticmethod
    def _totals(columns: Sequence[Column], sums: dict[str, int]) -> list[Cell]:
        if not any(column.total for column in columns):
            return []
        return [Cell(c.heading, c.shown_total(sums[c.total]) if c.total in sums else "", css=c.css) for c in columns]

    # ---- a row's own page

    def sections(self, request: HttpRequest, row: Any) -> list[Section]:
        """Return the parts of a row's own page."""
        return []

    def subject_row(self, request: HttpRequest, object_id: str) -> Any:
        """Return the row of an address, 404 for none."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def page_title(self, row: Any) -> str:
        return str(row)

    def page_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show a row with everything that belongs to it."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if not self.has_page:
            raise Http404
        row = self.subject_row(request, object_id)
        offered = [
            (d, self.address("rowdeed", row.pk, d.code))
            for d in self.deeds
            if not d.for_list and d.is_for(request.user, row)
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": self.page_title(row),
            "is_fullwidth": "1",
            "row": row,
            "back": (self.listing.title, self.address("changelist")),
            "sections": self.sections(request, row),
            "deeds": offered,
            "change": self.address("change", row.pk) if self.has_change_permission(request, row) else "",
        }
        return TemplateResponse(request, "admin/desk/page.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_change_permission(request):
            if not self.has_view_permission(request):
                raise PermissionDenied
            to = self.address("page", object_id) if self.has_page else self.address("changelist")
            return HttpResponseRedirect(to)
        return super().change_view(request, object_id, form_url, extra_context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the audit trail of the row: there is no second history beside it."""
        if not request.user.has_perm("reports.view_auditentry"):
            raise PermissionDenied
        about = urlencode({"table": str(self.opts.verbose_name), "row": object_id})
        return HttpResponseRedirect(f"{reverse('admin:reports_auditentry_changelist')}?{about}")

    # ---- deeds

    def list_deed_view(self, request: HttpRequest, code: str) -> HttpResponse:
        """Ask for and do something about the whole list."""
        return self._deed(request, self._named(code, for_list=True), None)

    def row_deed_view(self, request: HttpRequest, object_id: str, code: str) -> HttpResponse:
        """Ask for and do something to one row."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return self._deed(request, self._named(code, for_list=False), self.subject_row(request, object_id))

    def _named(self, code: str, *, for_list: bool) -> Deed:
        found = next((d for d in self.deeds if d.code == code and d.for_list == for_list), None)
        if found is None:
            raise Http404
        return found

    def _deed(self, request: HttpRequest, deed: Deed, row: Any) -> HttpResponse:
        if not request.user.has_perm(deed.right):
            raise PermissionDenied
        posted = request.method == "POST"
        form = deed.form(request.POST if posted else None, request.FILES if posted else None)
        if deed.prepare:
            deed.prepare(form, request, row)
        if posted and form.is_valid():
            try:
                said = self._do(request, deed, row, form.cleaned_data)
            except Refusal as refusal:
                form.add_error(None, str(refusal))
            except DatabaseError as held:
                if (broken := refusal_of(held)) is None:
                    raise
                form.add_error(None, str(broken))
            else:
                return self._leave(request, said, row)
        is_dialog = request.headers.get("X-Requested-With") == "dialog"
        context = {
            **({} if is_dialog else self.admin_site.each_context(request)),
            "title": deed.title,
            "deed": deed,
            "form": form,
            "row": row,
            "said": deed.say(row) if deed.say else "",
            "action": request.get_full_path(),
            "next": self._after(request, row),
            "is_dialog": is_dialog,
            "has_files": form.is_multipart(),
        }
        template = "admin/desk/deed_form.html" if is_dialog else "admin/desk/deed.html"
        return TemplateResponse(request, template, context, status=422 if posted else 200)

    def _leave(self, request: HttpRequest, said: str | HttpResponse, row: Any) -> HttpResponse:
        """Go on after a deed; a dialog is told where to, so that the page it leads to shows what was said."""
        if isinstance(said, HttpResponse):
            if not isinstance(said, HttpResponseRedirect):
                return said
            to = said.url
        else:
            messages.success(request, said)
            to = self._after(request, row)
        if request.headers.get("X-Requested-With") == "dialog":
            return JsonResponse({"to": to})
        return HttpResponseRedirect(to)

    def _do(self, request: HttpRequest, deed: Deed, row: Any, data: dict[str, Any]) -> str | HttpResponse:
        if not deed.atomic:
            said = deed.run(request, row, data)
            self._announce(request, deed, row, {}, data)
            return said
        with transaction.atomic():
            before = deed.facts(row) if row is not None else {}
            said = deed.run(request, row, data)
            self._announce(request, deed, row, before, data)
        return said

    def _announce(
        self, request: HttpRequest, deed: Deed, row: Any, before: dict[str, Any], data: dict[str, Any]
    ) -> None:
        after = {}
        if row is not None and before:
            row.refresh_from_db()
            after = deed.facts(row)
        deeds.announce(
            request,
            deed.title,
            str(self.opts.verbose_name),
            row.pk if row is not None else "",
            before=before,
            after=after,
            note=str(data.get("reason") or data.get("note") or ""),
        )

    def _after(self, request: HttpRequest, row: Any) -> str:
        asked = request.POST.get("next") or request.GET.get("next") or request.META.get("HTTP_REFERER", "")
        own = {request.get_host()}
        if asked and url_has_allowed_host_and_scheme(asked, own) and "/deed/" not in asked:
            return asked
        return self.address("page", row.pk) if row is not None and self.has_page else self.address("changelist")

    # ---- the trail of forms

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        deeds.announce(request, "添加", str(self.opts.verbose_name), obj.pk, after=facts_of(obj))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        before = getattr(obj, "_before", {})
        after = facts_of(obj)
        changed = [name for name in after if before.get(name) != after[name]]
        deeds.announce(
            request,
            "更新",
            str(self.opts.verbose_name),
            obj.pk,
            before={name: before.get(name) for name in changed},
            after={name: after[name] for name in changed},
        )

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            deeds.announce(request, "删除", str(self.opts.verbose_name), obj.pk, before=facts_of(obj))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            obj._before = facts_of(obj)
        return obj
