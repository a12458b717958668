"""Read the four workbooks of a plan folder exactly as printed.

Merged titles, a trade only on its first row, 24:00, blank cells and the categories' aliases are understood; columns are
found by their headings. What cannot be read is a PlanError that lists every problem with sheet, cell and reason.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from coupons.plan.draft import (
    Place,
    PlanBatch,
    PlanCategory,
    PlanDraft,
    PlanMerchant,
    PlanRound,
    PlanSettings,
    Printed,
)
from coupons.plan.tables import Problems, Table, find_sheet, find_table, heading, open_workbook, whole
from huigou import clock
from huigou.excel_reading import Cell
from huigou.money import FEN_PER_YUAN

__all__ = ["PlanBatch", "PlanCategory", "PlanDraft", "PlanMerchant", "PlanRound", "PlanSettings", "read_plan"]

MAX_FACE_YUAN = 100_000
MAX_COUPONS = 10_000_000
_YES = {"是", "启用", "有", "true", "1", "y", "yes"}

_SETTINGS = {  # heading in the sheet: (field, kind)
    "活动名称": ("name", "text"),
    "期次": ("edition", "text"),
    "县": ("county", "text"),
    "依据文件": ("document", "text"),
    "主办单位": ("host", "text"),
    "承办单位": ("organiser", "text"),
    "公众号名称": ("account_name", "text"),
    "资金总额": ("budget_fen", "yuan"),
    "使用门槛倍数": ("multiplier", "number"),
    "每人每品类每轮中奖上限": ("wins", "number"),
    "每人每品类每轮抽奖次数": ("turns", "number"),
    "录入时限": ("entry_hours", "number"),
    "结算须在活动结束后": ("settle_after_days", "number"),
    "每页条数": ("page_size", "number"),
    "抽奖方式": ("draw_mode", "mode"),
    "位置核对": ("place_policy", "place"),
    "末轮余额": ("remainder", "text"),
}
_MODES = {"幸运大转盘": "wheel", "大转盘": "wheel", "报名摇号": "lottery", "摇号": "lottery"}
_PLACES = {"必须": "required", "声明": "declared", "不核对": "off"}
_LIMITS = {"multiplier": 100, "wins": 1, "turns": 20, "entry_hours": 720, "settle_after_days": 730, "page_size": 200}


def read_plan(folder: Path) -> PlanDraft:
    """Return the plan of a folder; raises PlanError listing everything that cannot be read."""
    problems = Problems()
    books = {prefix: open_workbook(folder, prefix, problems) for prefix in ("活动设置", "活动时间", "附件1", "附件2")}
    problems.stop()
    file, sheets = books["活动设置"]
    settings_sheet = find_sheet(sheets, "设置", file, problems)
    category_sheet = find_sheet(sheets, "品类", file, problems)
    times = find_sheet(books["活动时间"][1], "活动时间", "活动时间", problems)
    annex1 = find_sheet(books["附件1"][1], "附件1", "附件1", problems)
    annex2 = find_sheet(books["附件2"][1], "附件2", "附件2", problems)
    problems.stop()
    assert settings_sheet and category_sheet and times and annex1 and annex2  # noqa: S101 (stop() raised otherwise)
    settings = _settings(
        find_table(settings_sheet, {"item": ["项目"], "value": ["内容"]}, ["item", "value"], problems), problems
    )
    categories = _categories(find_table(category_sheet, _CATEGORY, ["code", "name"], problems), problems)
    rounds = _rounds(find_table(times, _ROUND, list(_ROUND), problems), problems)
    batches, printed = _annex1(find_table(annex1, {"face": ["面额"]}, ["face"], problems), categories, problems)
    merchants = _annex2(find_table(annex2, _MERCHANT, ["trade", "name"], problems), categories, problems)
    if settings is None:
        problems.add("设置", "", "缺少活动名称、期次、县、资金总额或使用门槛倍数")
    problems.stop()
    assert settings is not None  # noqa: S101 (stop() raised otherwise)
    return PlanDraft(settings, tuple(categories), tuple(rounds), tuple(batches), tuple(merchants), tuple(printed))


# ---- 活动设置


def _settings(table: Table, problems: Problems) -> PlanSettings | None:
    given: dict[str, object] = {}
    for row in table.rows:
        known = _SETTINGS.get(heading(row["item"].text))
        if known is None or not row["value"].text:
            continue
        name, kind = known
        cell = row["value"]
        if kind == "text":
            given[name] = cell.text
        elif kind == "yuan":
            amount = whole(cell, table.sheet, problems, what="资金总额", least=1, most=10**10)
            given[name] = amount and amount * FEN_PER_YUAN
        elif kind == "number":
            given[name] = whole(
                cell, table.sheet, problems, what=heading(row["item"].text), least=1, most=_LIMITS[name]
            )
        else:
            words = _MODES if kind == "mode" else _PLACES
            value = next((code for word, code in words.items() if word in cell.text), None)
            if value is None:
                problems.add(table.sheet, cell.ref, f"“{cell.text[:20]}”不是{'、'.join(words)}之一")
            given[name] = value
    needed = ("name", "edition", "county", "budget_fen", "multiplier")
    if any(not given.get(name) for name in needed):
        return None
    return PlanSettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


_CATEGORY = {
    "code": ["品类代码", "代码"],
    "name": ["品类", "品类名称"],
    "aliases": ["别名"],
    "kind_label": ["消费种类名称", "消费种类"],
    "choices": ["选项"],
    "unit": ["单位"],
    "cashless": ["不得现金结算"],
    "blanks": ["空奖数"],
    "active": ["启用"],
}


def _categories(table: Table, problems: Problems) -> list[PlanCategory]:
    rows: list[PlanCategory] = []
    for row in table.rows:
        code, name = _text(row, "code"), _text(row, "name")
        if not code and not name:
            continue
        at = row["code"].ref
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,19}", code):
            problems.add(table.sheet, at, f"品类代码“{code}”须为小写字母、数字")
        if not name or len(name) > 20:
            problems.add(table.sheet, row["name"].ref, "品类名称须为 1 至 20 字")
        if any(code == other.code or name == other.name for other in rows):
            problems.add(table.sheet, at, f"品类“{name}”重复")
        blanks = whole(row["blanks"], table.sheet, problems, what="空奖数", most=MAX_COUPONS) if "blanks" in row else 0
        rows.append(
            PlanCategory(
                code=code,
                name=name,
                aliases=_parts(_text(row, "aliases")),
                kind_label=_text(row, "kind_label") or "消费种类",
                kind_choices=_parts(_text(row, "choices")),
                kind_unit=_text(row, "unit"),
                cashless=_text(row, "cashless").lower() in _YES,
                blanks=blanks or 0,
                is_active=_text(row, "active").lower() in _YES if "active" in row else True,
                place=Place(table.sheet, at),
            )
        )
    if not rows:
        problems.add(table.sheet, "", "没有品类")
    return rows


def _text(row: dict[str, Cell], key: str) -> str:
    return row[key].text if key in row else ""


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[、,，;；/]", text) if part.strip())


# ---- 活动时间

_ROUND = {"number": ["轮次"], "opens": ["抽奖开始", "开始时间"], "closes": ["使用到期", "到期时间", "结束时间"]}
_MOMENT = re.compile(r"(\d{4})[年/.-](\d{1,2})[月/.-](\d{1,2})日?\s*(\d{1,2})[:：时点](\d{1,2})?(?:[:：分](\d{1,2})?)?")


def _rounds(table: Table, problems: Problems) -> list[PlanRound]:
    rows = []
    for row in table.rows:
        if not any(row[key].text for key in _ROUND):
            continue
        number = _round_number(row["number"], table.sheet, problems)
        opens, closes = (_moment(row[key], table.sheet, problems) for key in ("opens", "closes"))
        if number and opens and closes:
            rows.append(PlanRound(number, opens, closes, Place(table.sheet, row["number"].ref)))
    if not rows:
        problems.add(table.sheet, "", "没有轮次")
    return rows


def _round_number(cell: Cell, sheet: str, problems: Problems) -> int | None:
    digits = re.sub(r"^第|轮$", "", cell.text)
    chinese = "零一二三四五六七八九十".find(digits) if len(digits) == 1 else -1
    if chinese > 0:
        return chinese
    number = whole(Cell(digits, cell.ref), sheet, problems, what="轮次", least=1, most=200)
    if number is None and not problems.found:
        problems.add(sheet, cell.ref, "轮次没有填写")
    return number


def _moment(cell: Cell, sheet: str, problems: Problems) -> dt.datetime | None:
    """Return an aware moment of Asia/Shanghai; 24:00 is the next day's 00:00."""
    if isinstance(cell.value, dt.datetime):
        return cell.value.replace(tzinfo=clock.SHANGHAI, microsecond=0)
    match = _MOMENT.fullmatch(cell.text)
    if match is None:
        problems.add(sheet, cell.ref, f"时间“{cell.text[:30]}”读不懂，应如 2022年6月25日9:00")
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    midnight = (hour, minute, second) == (24, 0, 0)
    try:
        moment = dt.datetime(year, month, day, 0 if midnight else hour, minute, second, tzinfo=clock.SHANGHAI)
    except ValueError:
        problems.add(sheet, cell.ref, f"时间“{cell.text[:30]}”不存在")
        return None
    return moment + dt.timedelta(days=1) if midnight else moment


# ---- 附件1

_COUNT_TOTAL, _MONEY_TOTAL = ("消费券小计", "张数小计", "小计"), ("金额小计", "金额合计")


def _annex1(table: Table, categories: list[PlanCategory], problems: Problems) -> tuple[list[PlanBatch], list[Printed]]:
    columns = _annex1_columns(table, categories, problems)
    batches: list[PlanBatch] = []
    printed = [p for cell in table.above if (p := _title(cell, table.sheet))]
    seen: set[int] = set()
    for row in table.rows:
        first = row.get("face")
        if first is None or not any(cell.text for cell in row.values()):
            continue
        label = heading(first.text)
        if label.startswith(("消费券张数", "张数", "合计", "总计")):
            printed += _totals(row, columns, "count", 1, table.sheet, problems)
        elif label.startswith("金额"):
            printed += _totals(row, columns, "money", FEN_PER_YUAN, table.sheet, problems)
        elif (face := whole(first, table.sheet, problems, what="面额", least=1, most=MAX_FACE_YUAN)) is not None:
            if face in seen:
                problems.add(table.sheet, first.ref, f"面额 {face} 元重复")
            seen.add(face)
            found, subtotals = _face_row(row, face, columns, table.sheet, problems)
            batches += found
            printed += subtotals
        elif not first.text:
            problems.add(table.sheet, first.ref, "这一行没有面额")
    if not batches and not problems.found:
        problems.add(table.sheet, "", "没有任何投放数量")
    return batches, printed


def _annex1_columns(table: Table, categories: list[PlanCategory], problems: Problems) -> dict[str, str]:
    """Return {column key: category code, "+count" or "+money"}."""
    columns: dict[str, str] = {}
    for key, cell in table.headings.items():
        if key in ("face", "", "品类"):
            continue
        if key in _COUNT_TOTAL:
            columns[key] = "+count"
        elif key in _MONEY_TOTAL:
            columns[key] = "+money"
        elif (category := next((c for c in categories if c.is_called(key)), None)) is not None:
            if category.code in columns.values():
                problems.add(table.sheet, cell.ref, f"品类“{category.name}”有两列")
            columns[key] = category.code
        else:
            problems.add(table.sheet, cell.ref, f"“{cell.text[:20]}”不是“品类”表中的品类或别名")
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
    match = re.search(r"(\d+(?:\.\d+)?)\s*万", cell.text)
    if match is None:
        return None
    return Printed("title", cell.text, round(float(match[1]) * 10_000 * FEN_PER_YUAN), Place(sheet, cell.ref))


# ---- 附件2

_MERCHANT = {
    "seq": ["序号"],
    "trade": ["行业类别", "行业", "类别"],
    "name": ["企业名称", "商家名称", "名称"],
    "address": ["企业地址", "地址"],
    "contact": ["联系人"],
    "phone": ["联系电话", "电话"],
}


def _annex2(table: Table, categories: list[PlanCategory], problems: Problems) -> list[PlanMerchant]:
    rows: list[PlanMerchant] = []
    trade = ""
    for row in table.rows:
        name = " ".join(_text(row, "name").split())
        trade = _text(row, "trade") or trade
        if not name:
            continue
        where = row["name"].ref
        codes = tuple(c.code for c in categories if any(c.is_called(part) for part in _parts(trade)))
        if not codes:
            problems.add(table.sheet, row["trade"].ref, f"行业“{trade[:20]}”不是“品类”表中的品类或别名")
        if len(name) > 100:
            problems.add(table.sheet, where, "企业名称超过 100 字")
        address, phone = _text(row, "address"), _text(row, "phone")
        seq = whole(row["seq"], table.sheet, problems, what="序号", least=1) if "seq" in row else None
        rows.append(
            PlanMerchant(
                seq=seq or len(rows) + 1,
                name=name,
                category_codes=codes,
                address=address,
                phone=phone,
                contact=_text(row, "contact"),
                is_collective=not address and not phone,
                place=Place(table.sheet, where),
            )
        )
    if not rows and not problems.found:
        problems.add(table.sheet, "", "没有企业")
    return rows
