"""Any list of the back office as a workbook: streamed, typed, totals last, with a cover sheet.

Constant memory: rows are read some thousand at a time and written as they come, all from one snapshot. No string is
ever a formula or a link.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import xlsxwriter
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import F, Q

from coupons import desk as coupon_desk
from coupons.models import Campaign, Freeze
from huigou import clock
from huigou.listing import Column, Kind, Listing
from huigou.models import Staff
from huigou.money import yuan_decimal
from merchants import desk as merchant_desk
from reports import reconcile
from reports.figures import ShopFigures
from reports.models import ExportJob
from reports.trail import Trail

State = ExportJob.State
LISTS: dict[str, type[Listing]] = {
    listing.code: listing
    for listing in (
        ShopFigures,
        merchant_desk.Uses,
        merchant_desk.Coupons,
        coupon_desk.Consumers,
        merchant_desk.Merchants,
        coupon_desk.Batches,
        coupon_desk.Changes,
        coupon_desk.Rounds,
        coupon_desk.Categories,
        coupon_desk.Notices,
        coupon_desk.Reveals,
        merchant_desk.Clerks,
        merchant_desk.Complaints,
        merchant_desk.Inspections,
        Trail,
    )
}
PERSONS = "persons"  # in a job's filters: full names and numbers, allowed and reasoned
SHEET_ROWS = 1_048_576  # where Excel ends
CELL_LENGTH = 32_767
BEAT_S = 90  # a running export says this often that it lives; after a silence it is begun anew
ATTEMPTS = 3

# Control characters that XML cannot hold; Excel would call the file damaged.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udfff]")
_HOSTILE = ("=", "+", "-", "@", "\t", "\r")


# ---- asking and running


def ask(kind: str, filters: dict[str, str], staff: Staff | None, *, persons: bool = False) -> ExportJob:
    """Record an export; a worker writes it. The filters hold keyed hashes, never a name or a number."""
    listing = LISTS[kind].open(filters, clock.now())
    kept: dict[str, Any] = dict(listing.kept)
    if persons:
        kept[PERSONS] = "yes"
    return ExportJob.objects.create(kind=kind, filters=kept, staff=staff, asked_at=clock.now())


def waiting() -> list[int]:
    """Return the exports that wait, and those whose worker fell silent."""
    alive = {
        pk
        for pk in ExportJob.objects.filter(state=State.RUNNING).values_list("pk", flat=True)
        if cache.get(_beat_key(pk)) is not None
    }
    rows = ExportJob.objects.filter(state__in=[State.WAITING, State.RUNNING]).exclude(pk__in=alive)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def run(job_id: int) -> bool:
    """Write an export's workbook; a repeated or resumed call begins anew and never leaves half a file."""
    now = clock.now()
    alive = cache.get(_beat_key(job_id)) is not None
    mine = ExportJob.objects.filter(pk=job_id).filter(
        Q(state=State.WAITING) | (Q(state=State.RUNNING) if not alive else Q(pk=None))
    )
    if not mine.update(state=State.RUNNING, started_at=now, beat_at=now, attempts=F("attempts") + 1, rows_done=0):
        return False
    job = ExportJob.objects.get(pk=job_id)
    if job.attempts > ATTEMPTS:
        ExportJob.objects.filter(pk=job_id).update(state=State.FAILED, finished_at=now, error="多次中断，请重新导出")
        return False
    try:
        _write_job(job)
    except Exception as wrong:
        ExportJob.objects.filter(pk=job_id).update(
            state=State.FAILED, finished_at=clock.now(), error=f"生成失败（{type(wrong).__name__}），请重新导出"
        )
        raise
    finally:
        cache.delete(_beat_key(job_id))
    return True


def progress(job: ExportJob) -> tuple[int, int]:
    """Return how many rows of a job are written, and of how many."""
    done = int(cache.get(_beat_key(job.pk)) or job.rows_done)
    return done, int(cache.get(f"{_beat_key(job.pk)}:total") or job.rows_total)


def _beat_key(job_id: int) -> str:
    return f"export:{job_id}"


def _write_job(job: ExportJob) -> None:
    folder = Path(settings.MEDIA_ROOT) / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{job.pk}-{secrets.token_hex(8)}.xlsx"
    part = folder / f"{name}.part"

    def beat(done: int) -> None:
        cache.set(_beat_key(job.pk), done, BEAT_S)

    beat(0)
    checked = checked_books(LISTS[job.kind].open(job.filters, clock.now()).subject)
    with snapshot():
        listing = LISTS[job.kind].open(job.filters, clock.now())
        total = listing.count()
        cache.set(f"{_beat_key(job.pk)}:total", total, 3600)
        cover = Cover(str(job.staff) if job.staff else "系统", str(job.pk), checked)
        done, digest = write(part, listing, cover, persons=PERSONS in job.filters, beat=beat)
    part.replace(folder / name)  # a name that is complete or not there
    ExportJob.objects.filter(pk=job.pk).update(
        state=State.READY,
        rows_done=done,
        rows_total=max(total, done),
        rows_sha256=digest,
        file=f"exports/{name}",
        finished_at=clock.now(),
    )


class snapshot(transaction.Atomic):
    """A transaction in which every statement sees the same instant's rows."""

    def __init__(self) -> None:
        super().__init__(using=None, savepoint=True, durable=False)

    def __enter__(self) -> None:
        nested = connection.in_atomic_block
        super().__enter__()
        if not nested:  # a test's own transaction is one snapshot's worth anyhow
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


# ---- the workbook


class Cover:
    """What the cover sheet says beside the filters: who took the export, its number, and how the books stood."""

    def __init__(self, who: str, number: str = "", books: str = "") -> None:
        self.who, self.number, self.books = who, number, books

    def lines(self, listing: Listing, rows: int, digest: str, *, persons: bool) -> list[tuple[str, str]]:
        campaign = listing.subject if isinstance(listing.subject, Campaign) else None
        filters = listing.spoken() or [("筛选条件", "全部")]
        return [
            ("内容", listing.title),
            ("活动", str(campaign) if campaign else "全部"),
            *filters,
            ("导出人", self.who),
            ("导出时间", _moment_text(listing.now)),
            ("导出编号", self.number),
            ("行数", f"{rows}"),
            ("个人信息", "完整姓名和手机号（经批准，已登记理由）" if persons else "已隐去"),
            ("行内容 SHA-256", digest),
            ("方案版本", (campaign.plan_version if campaign else "") or "未登记"),
            ("账目状态", self.books or books_state(campaign)),
        ]


def books_state(campaign: Campaign | None) -> str:
    """Say whether a campaign's books stand still."""
    freeze = Freeze.objects.filter(campaign=campaign, released_at=None).first() if campaign else None
    return f"冻结中（核对问题 {len(freeze.findings)} 项）" if freeze else "正常（未冻结）"


def checked_books(campaign: Any) -> str:
    """Check the books of an export's campaign, freeze them on red, and return what the cover says."""
    if not isinstance(campaign, Campaign) or campaign.launched_at is None:
        return ""
    report = reconcile.check(campaign)
    reconcile.freeze_if_red(campaign, report.findings)
    if report.is_green:
        return f"核对平衡（{_moment_text(report.checked_at)}，流水 {report.transfers} 条）；{books_state(campaign)}"
    return f"发现问题 {len(report.findings)} 项（{_moment_text(report.checked_at)}）；{books_state(campaign)}"


def _moment_text(moment: dt.datetime) -> str:
    return f"{clock.local(moment):%Y-%m-%d %H:%M:%S}"


def write(
    path: Path, listing: Listing, cover: Cover, *, persons: bool = False, beat: Callable[[int], None] | None = None
) -> tuple[int, str]:
    """Write a list to a workbook and return how many rows it has and the SHA-256 over them.

    The hash is over one line of canonical JSON for each row: text as shown, amounts in fen, moments in ISO 8601.
    """
    book = xlsxwriter.Workbook(
        str(path),
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "default_date_format": "yyyy/m/d hh:mm:ss",
        },
    )
    formats = Formats(book)
    first = book.add_worksheet("说明")
    try:
        columns = listing.columns_on("workbook")
        done, digest = _write_rows(book, formats, listing, columns, persons=persons, beat=beat)
        _write_cover(first, formats, cover.lines(listing, done, digest, persons=persons))
    finally:
        book.close()
    return done, digest


class Formats:
    """The cell formats, made once per workbook."""

    def __init__(self, book: Any) -> None:
        head = {"bold": True, "bg_color": "#F3EFE9", "border": 1, "border_color": "#CFC3B4", "valign": "vcenter"}
        total = {"bold": True, "bg_color": "#FDF0D5", "top": 1}
        numbers = {
            Kind.COUNT: "#,##0",
            Kind.MONEY: "#,##0.00",
            Kind.FACE: "General",
            Kind.RATIO: "0.00",
            Kind.MOMENT: "yyyy/m/d hh:mm:ss",
            Kind.DAY: "yyyy/m/d",
        }
        self.head = book.add_format(head)
        self.text = book.add_format({"num_format": "@"})
        # Excel's own mark for "this is text": the value stays as it was typed, and nothing ever runs it.
        self.quoted = book.add_format({"num_format": "@", "quote_prefix": True})
        self.by_kind = {kind: book.add_format({"num_format": text}) for kind, text in numbers.items()}
        self.total_text = book.add_format(total)
        self.totals = {kind: book.add_format({**total, "num_format": text}) for kind, text in numbers.items()}
        self.label = book.add_format({"bold": True, "valign": "top"})
        self.wrapped = book.add_format({"text_wrap": True, "num_format": "@", "valign": "top"})


def _write_rows(
    book: Any,
    formats: Formats,
    listing: Listing,
    columns: list[Column],
    *,
    persons: bool,
    beat: Callable[[int], None] | None,
) -> tuple[int, str]:
    digest, done, place = hashlib.sha256(), 0, 0
    sums = dict.fromkeys((c.total for c in columns if c.total), 0)
    sheet = _new_sheet(book, formats, listing.title, columns, 1)
    readers = [c.full if persons and c.full else c.value for c in columns]
    for chunk in listing.chunks():
        for row in chunk:
            values = [read(row) for read in readers]
            if place >= SHEET_ROWS - 2:  # the header above, the totals below
                sheet, place = _new_sheet(book, formats, listing.title, columns, len(book.worksheets())), 0
            place += 1
            for number, (column, value) in enumerate(zip(columns, values, strict=True)):
                _write_cell(sheet, place, number, column.kind, value, formats)
                if column.total and isinstance(value, int):
                    sums[column.total] += value
            digest.update(_line(values))
            done += 1
        if beat:
            beat(done)
    _write_totals(sheet, place + 1, columns, {**sums, **_ratio(sums)}, formats)
    return done, digest.hexdigest()


def _ratio(sums: dict[str, int]) -> dict[str, Any]:
    return {"ratio": sums["amount"] / sums["face"]} if sums.get("face") and "ratio" in sums else {}


def _line(values: Iterable[Any]) -> bytes:
    plain = [
        clock.local(v).isoformat() if isinstance(v, dt.datetime) else str(v) if isinstance(v, dt.date) else v
        for v in values
    ]
    return (json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "replace")


def _new_sheet(book: Any, formats: Formats, title: str, columns: list[Column], number: int) -> Any:
    sheet = book.add_worksheet(title if number == 1 else f"{title}{number}")
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(columns):
        sheet.set_column(place, place, column.width)
    for place, column in enumerate(columns):
        unit = "（元）" if column.kind in (Kind.MONEY, Kind.FACE) and "元" not in column.heading else ""
        sheet.write_string(0, place, column.heading + unit, formats.head)
    return sheet


def clean_text(value: Any) -> str:
    """Return a text that a cell can hold, without the characters that would damage the file."""
    return _ILLEGAL.sub("", str(value))[:CELL_LENGTH]


def _write_cell(sheet: Any, row: int, place: int, kind: Kind, value: Any, formats: Formats) -> None:
    if value is None or value == "":
        return
    if kind in (Kind.MONEY, Kind.FACE):
        sheet.write_number(row, place, yuan_decimal(value), formats.by_kind[kind])
    elif kind in (Kind.COUNT, Kind.RATIO):
        sheet.write_number(row, place, value, formats.by_kind[kind])
    elif kind is Kind.MOMENT:
        sheet.write_datetime(row, place, clock.local(value).replace(tzinfo=None), formats.by_kind[kind])
    elif kind is Kind.DAY:
        sheet.write_datetime(row, place, value, formats.by_kind[kind])
    else:
        text = clean_text(value)
        sheet.write_string(row, place, text, formats.quoted if text.startswith(_HOSTILE) else formats.text)


def _write_totals(sheet: Any, row: int, columns: list[Column], sums: dict[str, Any], formats: Formats) -> None:
    if not any(column.total for column in columns):
        return
    for place, column in enumerate(columns):
        value = sums.get(column.total) if column.total else None
        if place == 0 and not column.total:
            sheet.write_string(row, place, "合计", formats.total_text)
        elif value is None:
            sheet.write_blank(row, place, None, formats.total_text)
        else:
            number = yuan_decimal(value) if column.kind in (Kind.MONEY, Kind.FACE) else value
            sheet.write_number(row, place, number, formats.totals[column.kind])


def _write_cover(sheet: Any, formats: Formats, lines: list[tuple[str, str]]) -> None:
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 72)
    for row, (label, value) in enumerate(lines):
        sheet.write_string(row, 0, label, formats.label)
        sheet.write_string(row, 1, clean_text(value), formats.wrapped)
