"""The settlement as workbooks: one for the campaign and one per shop. Built twice, they are the same bytes.

No name and no phone of a citizen stands in them; a clerk stands with a number.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xlsxwriter

from huigou import clock
from huigou.money import yuan_decimal
from reports.models import Settlement, SettlementLine, SettlementUse

# A workbook carries its creation time. Ours is the moment the content was fixed, or this one before that.
NO_MOMENT = dt.datetime(2000, 1, 1, tzinfo=clock.SHANGHAI)
MONEY, TIME, COUNT, TEXT = "money", "time", "count", "text"
FORMATS = {MONEY: "#,##0.00", TIME: "yyyy-mm-dd hh:mm:ss", COUNT: "0", TEXT: "@"}


@dataclass(frozen=True)
class Column:
    """One column of a sheet: heading, kind of cell, width in characters, and how to read it from a row."""

    title: str
    kind: str
    width: int
    value: Callable[[Any], Any]
    is_summed: bool = False


SHOPS: Sequence[Column] = (
    Column("序号", COUNT, 6, lambda line: line.merchant.seq),
    Column("商家", TEXT, 34, lambda line: line.merchant.name),
    Column("统计状态", TEXT, 16, lambda line: line.merchant.get_stat_status_display()),
    Column("使用张数", COUNT, 10, lambda line: line.uses, is_summed=True),
    Column("计入张数", COUNT, 10, lambda line: line.counted, is_summed=True),
    Column("不计入张数", COUNT, 11, lambda line: line.uses - line.counted, is_summed=True),
    Column("拉动消费（元）", MONEY, 16, lambda line: line.spend_fen, is_summed=True),
    Column("补贴金额（元）", MONEY, 16, lambda line: line.counted_fen, is_summed=True),
    Column("已付（元）", MONEY, 14, lambda line: line.paid_fen, is_summed=True),
    Column("付款凭证号", TEXT, 22, lambda line: line.payment_no),
    Column("付款时间", TIME, 20, lambda line: line.paid_at),
    Column("追回（元）", MONEY, 14, lambda line: line.clawed_back_fen, is_summed=True),
    Column("审计意见", TEXT, 50, lambda line: "；".join(line.texts)),
)
USES: Sequence[Column] = (
    Column("核销号", COUNT, 10, lambda use: use.redemption_id),
    Column("消费券号", COUNT, 10, lambda use: use.redemption.coupon_id),
    Column("店面", TEXT, 28, lambda use: use.redemption.outlet.name),
    Column("员工号", COUNT, 8, lambda use: use.redemption.clerk_id),
    Column("品类", TEXT, 10, lambda use: use.redemption.category.name),
    Column("面额（元）", MONEY, 12, lambda use: use.face_fen, is_summed=True),
    Column("消费金额（元）", MONEY, 14, lambda use: use.redemption.amount_fen),
    Column("消费种类", TEXT, 14, lambda use: use.redemption.kind),
    Column("小票号", TEXT, 16, lambda use: use.redemption.receipt_no),
    Column("扫码时间", TIME, 20, lambda use: use.redemption.scanned_at),
    Column("确认时间", TIME, 20, lambda use: use.redemption.completed_at),
    Column("结论", TEXT, 20, lambda use: use.get_verdict_display()),
    Column(
        "补贴（元）",
        MONEY,
        12,
        lambda use: use.face_fen if use.verdict == SettlementUse.Verdict.COUNTS else 0,
        is_summed=True,
    ),
)


def books(settlement: Settlement) -> Iterator[tuple[str, bytes]]:
    """Return (file name, bytes) of the campaign's workbook and then of each shop's."""
    lines = _lines(settlement)
    yield "结算汇总.xlsx", _workbook(settlement, [("商家结算", SHOPS, lines)])
    for line in lines:
        uses = line.details.select_related("redemption__outlet", "redemption__category", "redemption__coupon").order_by(
            "redemption_id"
        )
        name = f"{line.merchant.seq:03d}-{_plain(line.merchant.name)}.xlsx"
        yield name, _workbook(settlement, [("商家结算", SHOPS, [line]), ("明细", USES, list(uses))])


def write(settlement: Settlement, folder: Path) -> dict[str, str]:
    """Write all workbooks into a folder with a list of their SHA-256; return {file name: SHA-256}."""
    folder.mkdir(parents=True, exist_ok=True)
    sums, listing = {}, ""
    for name, content in books(settlement):
        (folder / name).write_bytes(content)
        sums[name] = hashlib.sha256(content).hexdigest()
        listing += sum_line(name, content)
    (folder / "SHA256SUMS").write_text(listing, encoding="utf-8")
    return sums


def stamp(settlement: Settlement) -> tuple[int, int, int, int, int, int]:
    """Return the moment that files of this settlement carry: when its content was fixed, so that it stays the same."""
    made = clock.local(settlement.frozen_at or NO_MOMENT)
    return made.year, made.month, made.day, made.hour, made.minute, made.second


def sum_line(name: str, content: bytes) -> str:
    """Return a file's line in SHA256SUMS."""
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n"


def _lines(settlement: Settlement) -> list[SettlementLine]:
    lines = list(settlement.lines.select_related("merchant").order_by("merchant__seq", "merchant_id"))
    for line in lines:
        given = line.opinions.filter(use=None).order_by("pk")
        line.texts = [f"{o.get_opinion_display()}：{o.text}" for o in given]  # type: ignore[attr-defined]
    return lines


def _plain(name: str) -> str:
    return re.sub(r"[^\w（）()-]", "_", name)[:60]


def _workbook(settlement: Settlement, sheets: Sequence[tuple[str, Sequence[Column], Sequence[Any]]]) -> bytes:
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    made = clock.local(settlement.frozen_at or NO_MOMENT).replace(tzinfo=None)
    with xlsxwriter.Workbook(out, options) as workbook:
        title = f"{settlement.campaign} 商家结算"
        workbook.set_properties({"title": title, "comments": settlement.sha256, "created": made})
        formats = {kind: workbook.add_format({"num_format": code}) for kind, code in FORMATS.items()}
        bold = workbook.add_format({"bold": True})
        for name, columns, rows in sheets:
            _sheet(workbook.add_worksheet(name), columns, rows, formats, bold)
    return out.getvalue()


def _sheet(sheet: Any, columns: Sequence[Column], rows: Sequence[Any], formats: dict[str, Any], bold: Any) -> None:
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(columns):
        sheet.set_column(place, place, column.width)
        sheet.write_string(0, place, column.title, bold)
    totals = [0] * len(columns)
    for number, row in enumerate(rows, 1):
        for place, column in enumerate(columns):
            value = column.value(row)
            _cell(sheet, number, place, column.kind, value, formats[column.kind])
            if column.is_summed:
                totals[place] += value or 0
    last = len(rows) + 1
    sheet.write_string(last, 0, "合计", bold)
    for place, column in enumerate(columns):
        if column.is_summed:
            _cell(sheet, last, place, column.kind, totals[place], formats[column.kind])


def _cell(sheet: Any, row: int, place: int, kind: str, value: Any, shape: Any) -> None:
    if value is None or value == "":
        return
    if kind == MONEY:
        sheet.write_number(row, place, yuan_decimal(value), shape)
    elif kind == TIME:
        sheet.write_datetime(row, place, clock.local(value).replace(tzinfo=None, microsecond=0), shape)
    elif kind == COUNT:
        sheet.write_number(row, place, value, shape)
    else:
        sheet.write_string(row, place, str(value), shape)
