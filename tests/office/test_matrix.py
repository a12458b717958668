"""Who may open and do what: generated from huigou/roles.py over every address that the back office has.

Every department asks for every page and every deed, by GET and by a direct POST; what it sees holds no English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from huigou import roles
from huigou.admin.desk import DeskAdmin, ReadOnlyMixin
from huigou.models import Department, Staff
from huigou.roles import may
from reports.models import AuditEntry
from tests import factories
from tests.office import furnished
from tests.office.scanning import english_in

NO, YES, AWAY = "refused", "opened", "led elsewhere"

# Pages that no ModelAdmin brings by itself: whose right opens them, and with which rows.
OWN = {
    "coupons_notice_posters": ("coupons.print_poster", ()),
    "coupons_assist_draw": ("coupons.assist", ()),
    "coupons_assist_paper": ("coupons.assist", ("coupons.Assist",)),
    "merchants_merchant_plan": ("coupons.import_plan", ()),
    "merchants_merchant_plan_review": ("coupons.import_plan", ("token",)),
    "merchants_merchant_import": ("merchants.import_merchant", ()),
    "merchants_merchant_code": ("merchants.issue_code", ("merchants.Merchant", "code")),
    "merchants_merchant_letter": ("merchants.view_letter", ("merchants.Merchant", "letter")),
    "merchants_inspection_photo": ("merchants.view_inspection", ("merchants.Inspection", "photo")),
    "reports_dashboard": ("reports.view_shopfigures", ()),
    # An export shows nothing that its list's page would not: the furnished one is of 优惠券使用.
    "reports_exportjob_progress": ("merchants.view_redemption", ("reports.ExportJob",)),
    "reports_exportjob_file": ("merchants.view_redemption", ("reports.ExportJob",)),
    "auth_user_password_change": ("huigou.change_staff", ("huigou.Staff",)),
}
# Opened in tests of their own, since they prove the books in a snapshot that no test inside a transaction can take:
# here only that whoever lacks the right is refused.
SHUT = {
    "coupons_freeze_check": ("coupons.view_freeze", ("coupons.Campaign",)),
    "reports_settlement_books": ("reports.view_settlement", ("reports.Settlement",)),
}
EVERYBODYS = {"index", "password_change", "password_change_done", "jsi18n", "search"}
NOBODYS = {"autocomplete", "view_on_site"}  # no field asks by autocompletion, no row has a page on the site
TRIED_APART = {"login", "logout", "app_list", ""}
# What a page may hold beside Chinese: departments as account names, categories' codes as a plan's sheet prints them.
NAMED = frozenset({*Department.values, "lodging", "dining", "fuel", "farm", "book", "auto"})
NO_PAGES = re.compile(r"\.(json|xlsx)$|/letter/|/photo/|/jsi18n/|/search/")


@dataclass(frozen=True)
class Ask:
    """One request and what this department must get."""

    method: str
    path: str
    expected: str
    name: str


@pytest.fixture
def office(at: Any, tmp_path: Path, settings: Any) -> furnished.Office:
    settings.MEDIA_ROOT = str(tmp_path)
    at("2022-06-25 09:05")
    return furnished.furnish(tmp_path)


def key_of(office: furnished.Office, name: str) -> Any:
    if name == "token":
        return furnished.TOKEN
    row = office.rows[name]
    return row.pk if row is not None else 1


def asks_of(office: furnished.Office, department: str) -> Iterator[Ask]:
    """Yield every request to every address, with what a department must get of it."""
    seen = set()
    for model, desk in admin.site._registry.items():
        seen |= {f"{model._meta.app_label}_{model._meta.model_name}_{what}" for what in STOCK}
        yield from _of_model(office, department, model, desk)
    for name, (right, rows) in OWN.items():
        seen.add(name)
        path = reverse(f"admin:{name}", args=[key_of(office, row) for row in rows])
        yield Ask("GET", path, YES if may(department, right) else NO, name)
        if not may(department, right):
            yield Ask("POST", path, NO, name)
    for name, (right, rows) in SHUT.items():
        seen.add(name)
        if not may(department, right):
            yield Ask("POST", reverse(f"admin:{name}", args=[key_of(office, row) for row in rows]), NO, name)
    for name in EVERYBODYS:
        yield Ask("GET", reverse(f"admin:{name}"), YES, name)
    unknown = set(furnished.addresses().values()) - seen - EVERYBODYS - NOBODYS - TRIED_APART
    assert unknown == set(), "new pages: say in OWN whose right opens them"


STOCK = ("changelist", "add", "change", "delete", "history", "page", "deed", "rowdeed")


def _of_model(office: furnished.Office, department: str, model: Any, desk: DeskAdmin) -> Iterator[Ask]:
    label, name = model._meta.label, f"{model._meta.app_label}_{model._meta.model_name}"
    view, add, change = (
        may(department, f"{model._meta.app_label}.{v}_{model._meta.model_name}") for v in ("view", "add", "change")
    )
    if isinstance(desk, ReadOnlyMixin):
        add = change = False
    row = key_of(office, label)

    def ask(method: str, what: str, expected: str, *args: Any) -> Ask:
        return Ask(method, desk.address(what, *args), expected, f"{name}_{what}")

    yield ask("GET", "changelist", YES if view else NO)
    yield ask("POST", "changelist", (AWAY if view else NO))
    for method in ("GET", "POST"):
        yield ask(method, "add", YES if add else NO)
        yield ask(method, "delete", NO, row)
        yield ask(method, "change", YES if change else AWAY if view else NO, row)
    yield ask("GET", "history", AWAY if may(department, "reports.view_auditentry") else NO, row)
    opens = view and desk.has_page and (label != "reports.ExportJob" or may(department, "merchants.view_redemption"))
    yield ask("GET", "page", YES if opens else NO, row)
    for deed in desk.deeds:
        has = may(department, deed.right) and (view or deed.for_list)
        args = (deed.code,) if deed.for_list else (row, deed.code)
        for method in ("GET", "POST"):
            yield ask(method, "deed" if deed.for_list else "rowdeed", YES if has else NO, *args)


def got(client: Client, ask: Ask) -> tuple[str, HttpResponse]:
    """Return what came of a request; whatever a permitted POST did is taken back."""
    try:
        response = _answer(client, ask)
    except RuntimeError as wants_its_own:
        # A verb that proves the books commits by itself, which no test inside a transaction allows: it was reached.
        if "durable" not in str(wants_its_own):
            raise
        return YES, HttpResponse()
    if response.status_code in (403, 404):
        return NO, response
    if response.status_code in (301, 302) and ask.expected != YES:
        return AWAY, response
    return YES, response


def _answer(client: Client, ask: Ask) -> HttpResponse:
    with transaction.atomic():
        response = client.get(ask.path) if ask.method == "GET" else client.post(ask.path)
        if response.streaming:
            # Not close(): that ends the request, and with it the test's connection.
            for closes in response._resource_closers:
                closes()
        if ask.method == "POST":
            transaction.set_rollback(True)
    return response


@pytest.mark.django_db
@pytest.mark.parametrize("department", Department.values)
def test_each_department_opens_and_does_what_its_rights_say_in_chinese(office, desk_of, department, caplog):
    caplog.set_level("CRITICAL", logger="django.request")  # a refusal is meant here, its trace costs more than the page
    client = desk_of(department)
    before = set(AuditEntry.objects.values_list("pk", flat=True))
    wrong, english, tried = [], [], 0
    # What 工信局 opens is read there once; the others' pages differ by their menus.
    read = {} if department == "industry" else {a.path for a in asks_of(office, "industry") if a.expected == YES}
    for ask in asks_of(office, department):
        outcome, response = got(client, ask)
        tried += 1
        if outcome != ask.expected:
            wrong.append((ask.method, ask.path, f"{outcome} ({response.status_code}), not {ask.expected}"))
        if response.status_code in (200, 403, 404, 422) and ask.path not in read and not NO_PAGES.search(ask.path):
            english += [(ask.path, text) for text in english_in(response.content.decode(), NAMED)]
    assert wrong == []
    assert sorted(set(english)) == []
    assert tried > 150
    left = AuditEntry.objects.exclude(pk__in=before).values_list("deed", flat=True)
    assert set(left) <= {"下载导出"}  # no other look and no refused deed leaves the trace of a deed


@pytest.mark.django_db
def test_nobody_gets_in_without_an_active_account(office, desk_of):
    stranger, locked_out = Client(), factories.a_staff("leaders", "停用")
    inside = desk_of(locked_out)
    Staff.objects.filter(pk=locked_out.pk).update(is_active=False)
    for ask in asks_of(office, "leaders"):
        if ask.name in ("jsi18n",):
            continue
        for client in (stranger, inside):
            response = client.get(ask.path) if ask.method == "GET" else client.post(ask.path)
            assert (response.status_code, response.url.split("?")[0]) == (302, "/admin/login/"), ask


def test_every_right_that_a_page_or_deed_asks_for_is_a_right_of_somebody():
    asked = {deed.right for desk in admin.site._registry.values() for deed in getattr(desk, "deeds", ())}
    asked |= {right for right, _ in OWN.values()}
    assert {right for right in asked if not any(may(department, right) for department in Department)} == set()
    assert all(right.departments for right in roles.RIGHTS.values())
    assert all(step.makers and step.checkers for step in roles.CHANGES.values())


def test_the_operator_has_no_right_over_money_or_winners():
    rights = {code for code in roles.RIGHTS if may(Department.OPERATOR, code)}
    assert rights & {"coupons.view_coupon", "merchants.view_redemption", "coupons.view_consumer"} == set()
    assert rights & {"coupons.reveal_person", "reports.export_persons", "coupons.propose_change"} == set()
    assert not any(Department.OPERATOR in step.makers | step.checkers for step in roles.CHANGES.values())


def test_the_scanner_sees_english_and_leaves_icons_and_scripts():
    page = """<html><head><title>首页</title><script>var Save = 1</script></head><body>
    <span class="material-symbols-outlined">home</span><button title="Close menu">搜索</button>
    <input type="submit" value="Save"><input value="typed by somebody"><p>下载 Excel</p></body></html>"""
    assert english_in(page) == ["Close menu", "Save"]
