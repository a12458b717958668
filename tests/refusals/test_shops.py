"""What a shop, its clerks, a complaint and an export are refused for, each where a person meets it."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from huigou.models import Department
from merchants import binding, complaints, conduct
from merchants.errors import (
    COMPLAINT_EMPTY,
    COMPLAINTS_MANY,
    LETTER_KIND,
    NO_CODE,
    NO_MERCHANT,
    SAME_STATE,
)
from merchants.models import BindingCode
from reports.errors import EXPORT_FILE, EXPORT_FILTER, EXPORT_REASON
from reports.exports.recounting import recount
from tests import factories
from tests.office.furnished import letter
from tests.refusals.unchanged import at_the_desk, on_the_page, refused

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _files(tmp_path, settings):  # type: ignore[no-untyped-def]
    settings.MEDIA_ROOT = str(tmp_path)


def deed(desk, row, what: str, **data: object):  # type: ignore[no-untyped-def]
    return desk.post(reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_rowdeed", args=[row.pk, what]), data)


# ---- clerks and codes


def test_a_code_that_was_used_or_voided_is_not_voided_again(shop, li, bureau, desk_of):
    desk = desk_of(bureau)
    deed(desk, shop, "letter", file=letter(), signed_on="2022-06-24", version="第一版")
    binding.issue_code(shop.outlets.get(), bureau)
    open_code = BindingCode.objects.get(used_at=None)
    conduct.revoke_code(open_code.pk)
    for gone in (open_code.pk, li.code_id):
        with refused(NO_CODE):
            conduct.revoke_code(gone)


# ---- standing and letters


def test_a_firm_is_not_put_into_the_state_it_is_in(shop, desk_of):
    desk = desk_of(Department.MARKET)
    assert deed(desk, shop, "state", state="suspended", reason="核查").status_code == 302
    with refused(SAME_STATE):
        conduct.set_state(shop.pk, "suspended", "再核查", factories.a_staff(Department.MARKET))


@pytest.mark.parametrize("content", [b"MZ\x90 a program", b"<html>", b"GIF89a", b"\x00" * 8], ids=repr)
def test_a_letter_of_another_kind_is_not_kept(shop, desk_of, content):
    desk = desk_of(Department.INDUSTRY)
    file = SimpleUploadedFile("letter.pdf", content)
    entered = {"file": file, "signed_on": "2022-06-24", "version": "第一版"}
    at_the_desk(lambda: deed(desk, shop, "letter", **entered), LETTER_KIND)
    assert list(Path(shop.letters.model._meta.get_field("file").storage.location).rglob("*.pdf")) == []


# ---- complaints


def test_a_complaint_says_of_whom_and_what_and_five_a_day_are_enough(county, shop, wang, phone_of, at):
    phone = phone_of(wang)

    def told(**entered: object):  # type: ignore[no-untyped-def]
        return phone.post(reverse("m-problem"), {"merchant": shop.pk, "text": "用券后加价", **entered})

    on_the_page(lambda: told(text="  "), COMPLAINT_EMPTY)
    for nobody in (0, 10**9, "x"):
        on_the_page(lambda nobody=nobody: told(merchant=nobody), NO_MERCHANT)
    for _ in range(complaints.A_DAY):
        assert told().status_code == 302
    on_the_page(told, COMPLAINTS_MANY)
    at("2022-06-25 23:59:59")
    on_the_page(told, COMPLAINTS_MANY)
    at("2022-06-26 00:00")
    assert told().status_code == 302


# ---- exports


def ask(desk, query: str, **data: str):  # type: ignore[no-untyped-def]
    return desk.post(f"/admin/reports/exportjob/deed/ask/?{query}", data)


def test_an_export_of_nonsense_or_of_persons_without_a_reason_is_not_begun(county, desk_of):
    desk = desk_of(Department.AUDIT)
    at_the_desk(lambda: ask(desk, "kind=uses&since=gestern"), EXPORT_FILTER)
    at_the_desk(lambda: ask(desk, "kind=uses", persons="on", reason=" "), EXPORT_REASON)


def test_a_foreign_workbook_is_not_recounted(county, tmp_path):
    foreign, text = tmp_path / "foreign.xlsx", tmp_path / "text.xlsx"
    openpyxl.Workbook().save(foreign)
    text.write_text("no workbook")
    for path in (foreign, text, tmp_path / "missing.xlsx"):
        with refused(EXPORT_FILE):
            recount(path)
