"""Annexes 1 and 2 of a plan: how many coupons of which face, and which firms."""

from __future__ import annotations

import re
from decimal import Decimal

from coupons.plan.draft import Place, PlanBatch, PlanCategory, PlanMerchant, Printed
from coupons.plan.tables import MAX_COUPONS, UNHEADED, Problems, Table, heading, parts, text_of, whole
from huigou.excel_reading import Cell, shown
from huigou.money import FEN_PER_YUAN

FACE_COLUMNS = {"face": ["面额"]}
MAX_FACE_YUAN = 100_000
_COUNT_TOTAL, _MONEY_TOTAL = ("消费券小计", "张数小计", "小计"), ("金额小计", "金额合计")


def annex1(table: Table, categories: list[PlanCategory], problems: Problems) -> tuple[list[PlanBatch], list[Printed]]:
    """Return the batches of annex 1 and the totals printed beside them."""
    columns = _columns(table, categories, problems)
    batches: list[PlanBatch] = []
    printed = [p for cell in table.above if (p := _title(cell, table.sheet))]
    seen: set[int] = set()
    for row in table.rows:
        first = row["face"]
        _refuse_unheaded(row, table.sheet, problems)
        label = heading(first.text)
        if label.startswith(("消费券张数", "张数", "合计", "总计")):
            printed += _totals(row, columns, "count", 1, table.sheet, problems)
        elif label.startswith("金额"):
            printed += _totals(row, columns, "money", FEN_PER_YUAN, table.sheet, problems)
        elif not first.text:
            if any(row[key].text for key in columns):
                problems.add(table.sheet, first.ref, "这一行没有面额")
        elif (face := whole(first, table.sheet, problems, what="面额", least=1, most=MAX_FACE_YUAN)) is not None:
            if face in seen:
                problems.add(table.sheet, first.ref, f"面额 {face} 元重复")
            seen.add(face)
            found, subtotals = _face_row(row, face, columns, table.sheet, problems)
            batches += found
            printed += subtotals
    if not batches and not problems.found:
        problems.add(table.sheet, "", "没有任何投放数量")
    return batches, printed


def _refuse_unheaded(row: dict[str, Cell], sheet: str, problems: Problems) -> None:
    for key, cell in row.items():
        if key.startswith(UNHEADED) and cell.text:
            problems.add(sheet, cell.ref, f"“{shown(cell.text)}”所在的列没有表头")


def _columns(table: Table, categories: list[PlanCategory], problems: Problems) -> dict[str, str]:
    """Return {column key: category code, "+count" or "+money"}."""
    columns: dict[str, str] = {}
    for key, cell in table.headings.items():
        if "万" in cell.text:
            problems.add(table.sheet, cell.ref, f"“{shown(cell.text)}”请以元、张为单位填写")
        if key in ("face", "品类") or key.startswith(UNHEADED):
            continue
        if key in _COUNT_TOTAL:
            columns[key] = "+count"
        elif key in _MONEY_TOTAL:
            columns[key] = "+money"
        elif (category := next((c for c in categories if c.is_called(key)), None)) is not None:
            if category.code in columns.values():
                problems.add(table.sheet, cell.ref, f"品类“{shown(category.name)}”有两列")
            columns[key] = category.code
        else:
            problems.add(table.sheet, cell.ref, f"“{shown(cell.text)}”不是“品类”表中的品类或别名")
    return columns


def _face_row(
    row: dict[str, Cell], face: int, columns: dict[str, str], sheet: str, problems: Problems
) -> tuple[list[PlanBatch], list[Printed]]:
    batches, printed = [], []
    for key, meaning in columns.items():
        cell = row[key]
        number = whole(cell, sheet, problems, what="数量", most=MAX_COUPONS if meaning[0] != "+" else 10**11)
        if number is None:
            continue
        where = Place(sheet, cell.ref)
        if meaning == "+count":
            printed.append(Printed("row_count", str(face * FEN_PER_YUAN), number, where))
        elif meaning == "+money":
            printed.append(Printed("row_money", str(face * FEN_PER_YUAN), number * FEN_PER_YUAN, where))
        elif number:
            batches.append(PlanBatch(meaning, face * FEN_PER_YUAN, number, where))
    return batches, printed


def _totals(
    row: dict[str, Cell], columns: dict[str, str], what: str, unit: int, sheet: str, problems: Problems
) -> list[Printed]:
    printed = []
    for key, meaning in columns.items():
        cell = row[key]
        number = whole(cell, sheet, problems, what="合计", most=10**12)
        if number is None:
            continue
        if meaning in ("+count", "+money"):
            if meaning[1:] == what:
                printed.append(Printed(f"total_{what}", "", number * unit, Place(sheet, cell.ref)))
        else:
            printed.append(Printed(f"column_{what}", meaning, number * unit, Place(sheet, cell.ref)))
    return printed


def _title(cell: Cell, sheet: str) -> Printed | None:
    match = re.search(r"([0-9]{1,6}(?:\.[0-9]{1,4})?)\s*万", cell.text)
    if match is None:
        return None
    fen = int(Decimal(match[1]) * 10_000 * FEN_PER_YUAN)
    return Printed("title", shown(cell.text, 60), fen, Place(sheet, cell.ref))


MERCHANT_COLUMNS = {
    "seq": ["序号"],
    "trade": ["行业类别", "行业", "类别"],
    "name": ["企业名称", "商家名称", "名称"],
    "address": ["企业地址", "地址"],
    "contact": ["联系人"],
    "phone": ["联系电话", "电话"],
}


def annex2(table: Table, categories: list[PlanCategory], problems: Problems) -> list[PlanMerchant]:
    """Return the firms of annex 2, in its order."""
    rows: list[PlanMerchant] = []
    trade, trade_cell = "", ""
    for row in table.rows:
        name = " ".join(text_of(row, "name").split())
        if text_of(row, "trade"):  # it is printed on its first row only
            trade, trade_cell = text_of(row, "trade"), row["trade"].ref
        if not name:
            if text_of(row, "address") or text_of(row, "phone"):
                problems.add(table.sheet, row["name"].ref, "这一行没有企业名称")
            continue
        codes = tuple(c.code for c in categories if c.is_called(trade) or any(c.is_called(p) for p in parts(trade)))
        if not codes:
            said = f"行业“{shown(trade)}”不是“品类”表中的品类或别名" if trade else "没有行业类别"
            problems.add(table.sheet, trade_cell or row["trade"].ref, said)
        address, phone, contact = text_of(row, "address"), text_of(row, "phone"), text_of(row, "contact")
        for key, text, limit in (("name", name, 100), ("address", address, 200), ("phone", phone, 30)):
            if len(text) > limit:
                problems.add(table.sheet, row[key].ref, f"“{shown(text)}”超过 {limit} 字")
        if len(contact) > 20:
            problems.add(table.sheet, row["contact"].ref, "联系人超过 20 字")
        seq = whole(row["seq"], table.sheet, problems, what="序号", least=1, most=10**6) if "seq" in row else None
        rows.append(
            PlanMerchant(
                seq=seq or len(rows) + 1,
                name=name,
                category_codes=codes,
                address=address,
                phone=phone,
                contact=contact,
                is_collective=not address and not phone,
                place=Place(table.sheet, row["name"].ref),
            )
        )
    if not rows and not problems.found:
        problems.add(table.sheet, "", "没有企业")
    return rows
