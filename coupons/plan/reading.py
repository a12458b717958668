"""Read the four workbooks of a plan folder exactly as printed.

Merged titles, a trade only on its first row, 24:00, blank cells and the categories' aliases are understood; columns are
found by their headings. What cannot be read is a PlanError that lists every problem with sheet, cell and reason.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from coupons.plan.annexes import FACE_COLUMNS, MERCHANT_COLUMNS, annex1, annex2
from coupons.plan.draft import Named, Place, PlanCategory, PlanDraft, PlanRound, PlanSettings
from coupons.plan.tables import (
    MAX_COUPONS,
    Problems,
    Table,
    find_sheet,
    find_table,
    heading,
    open_workbook,
    parts,
    text_of,
    whole,
)
from coupons.plan.wording import named_trades
from huigou import clock
from huigou.excel_reading import Cell, Sheet, shown
from huigou.money import FEN_PER_YUAN


def read_plan(folder: Path) -> PlanDraft:
    """Return the plan of a folder; raises PlanError listing everything that cannot be read."""
    return read_draft(find_sheets(folder), named_trades(folder))


def find_sheets(folder: Path) -> dict[str, Sheet]:
    """Return the plan's five sheets by the names they go by here; raises PlanError for what is no workbook of one."""
    problems = Problems()
    if not folder.is_dir():
        problems.add("方案文件夹", "", f"没有这个文件夹：{shown(folder, 80)}")
    problems.stop()
    books = {prefix: open_workbook(folder, prefix, problems) for prefix in ("活动设置", "活动时间", "附件1", "附件2")}
    problems.stop()
    sheets = {
        title: find_sheet(books[book][1], title, books[book][0], problems)
        for title, book in (
            ("设置", "活动设置"),
            ("品类", "活动设置"),
            *((b, b) for b in ("活动时间", "附件1", "附件2")),
        )
    }
    problems.stop()
    found = {title: sheet for title, sheet in sheets.items() if sheet}
    titles = Counter(sheet.title.strip() for sheet in found.values())
    for title, sheet in found.items():
        # Two left at Sheet1, or one book handed in twice: nobody would know which of them a message names.
        if titles[sheet.title.strip()] > 1 and sheet.title.strip() != title:
            found[title] = replace(sheet, title=f"{title}的{sheet.title.strip()}")
    return found


def headed(title: str, sheet: Sheet, problems: Problems) -> Table:
    """Return a sheet's table, found by the headings that the sheet of this name must have."""
    return find_table(sheet, *_TABLES[title], problems)


def read_draft(sheets: Mapping[str, Sheet], trades: Sequence[Named]) -> PlanDraft:
    """Return the plan that the five sheets hold; raises PlanError listing every cell that cannot be read."""
    problems = Problems()
    # Every table is looked for before any is read: a wrong workbook is named once and not by its every cell.
    tables = {title: headed(title, sheet, problems) for title, sheet in sheets.items()}
    problems.stop()
    settings, unknown = _settings(tables["设置"], problems)
    categories = _categories(tables["品类"], problems)
    rounds = _rounds(tables["活动时间"], problems)
    batches, printed = annex1(tables["附件1"], categories, problems)
    merchants = annex2(tables["附件2"], categories, problems)
    problems.stop()
    hidden = [
        Named(f"隐藏的{what}也已读入", Place(sheet.title, "")) for sheet in sheets.values() for what in sheet.hidden
    ]
    return PlanDraft(
        settings=PlanSettings(**settings),
        categories=tuple(categories),
        rounds=tuple(rounds),
        batches=tuple(batches),
        merchants=tuple(merchants),
        printed=tuple(printed),
        named=tuple(trades),
        unread=(*hidden, *unknown),
    )


# ---- 活动设置


_SETTINGS: dict[str, tuple[str, str, int, int]] = {  # heading in the sheet: field, kind, its least and greatest
    "活动名称": ("name", "text", 1, 50),
    "期次": ("edition", "text", 1, 50),
    "县": ("county", "text", 1, 50),
    "依据文件": ("document", "text", 0, 100),
    "主办单位": ("host", "text", 0, 100),
    "承办单位": ("organiser", "text", 0, 100),
    "公众号名称": ("account_name", "text", 0, 100),
    "资金总额": ("budget_fen", "yuan", 1, 10**10),
    "使用门槛倍数": ("multiplier", "number", 1, 100),
    "每人每品类每轮中奖上限": ("wins", "number", 1, 1),
    "每人每品类每轮抽奖次数": ("turns", "number", 1, 20),
    "录入时限": ("entry_hours", "number", 1, 720),
    "结算须在活动结束后": ("settle_after_days", "number", 1, 730),
    "每页条数": ("page_size", "number", 5, 200),
    "抽奖方式": ("draw_mode", "mode", 0, 0),
    "位置核对": ("place_policy", "place", 0, 0),
    "末轮余额": ("remainder", "text", 0, 200),
}
_NEEDED = ("活动名称", "期次", "县", "资金总额", "使用门槛倍数")
_MODES = {"幸运大转盘": "wheel", "大转盘": "wheel", "报名摇号": "lottery", "摇号": "lottery"}
_PLACES = {"必须": "required", "声明": "declared", "不核对": "off"}


def _settings(table: Table, problems: Problems) -> tuple[dict[str, Any], list[Named]]:
    """Return {field: value} and the items that nobody knows."""
    given: dict[str, Any] = {}
    unknown = []
    for row in table.rows:
        item, cell = heading(row["item"].text), row["value"]
        if not item or not cell.text:
            continue
        if item not in _SETTINGS:
            unknown.append(Named(f"设置“{shown(item)}”不是平台的设置，未采用", Place(table.sheet, row["item"].ref)))
            continue
        field = _SETTINGS[item][0]
        if field in given:
            problems.add(table.sheet, row["item"].ref, f"设置“{item}”写了两次")
        if "万元" in row["item"].text or ("万" in cell.text and field == "budget_fen"):
            problems.add(table.sheet, cell.ref, "资金总额请以元为单位填写")
        given[field] = _setting(item, cell, table.sheet, problems)
    missing = [item for item in _NEEDED if _SETTINGS[item][0] not in given]
    if missing:
        problems.add(table.sheet, "", f"缺少设置：{'、'.join(missing)}")
    return {field: value for field, value in given.items() if value is not None}, unknown


def _setting(item: str, cell: Cell, sheet: str, problems: Problems) -> str | int | None:
    _, kind, least, most = _SETTINGS[item]
    if kind == "text":
        if len(cell.text) > most:
            problems.add(sheet, cell.ref, f"{item}超过 {most} 字")
        return cell.text
    if kind in ("yuan", "number"):
        number = whole(cell, sheet, problems, what=item, least=least, most=most)
        return number * FEN_PER_YUAN if number and kind == "yuan" else number
    words = _MODES if kind == "mode" else _PLACES
    value = next((code for word, code in words.items() if word in cell.text), None)
    if value is None:
        problems.add(sheet, cell.ref, f"“{shown(cell.text)}”不是{'、'.join(words)}之一")
    return value


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
        code, name = text_of(row, "code"), text_of(row, "name")
        if not code and not name:
            continue
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,19}", code):
            problems.add(table.sheet, row["code"].ref, f"品类代码“{shown(code)}”须为 2 至 20 个小写字母、数字")
        blanks = whole(row["blanks"], table.sheet, problems, what="空奖数", most=MAX_COUPONS) if "blanks" in row else 0
        category = PlanCategory(
            code=code,
            name=name,
            aliases=parts(text_of(row, "aliases")),
            kind_label=text_of(row, "kind_label") or "消费种类",
            kind_choices=parts(text_of(row, "choices")),
            kind_unit=text_of(row, "unit"),
            cashless=_yes(row, "cashless", table.sheet, problems),
            blanks=blanks or 0,
            is_active=_yes(row, "active", table.sheet, problems, blank=True),
            place=Place(table.sheet, row["code"].ref),
        )
        _judge_category(category, row, rows, problems)
        rows.append(category)
    if not rows:
        problems.add(table.sheet, "", "没有品类")
    return rows


def _judge_category(
    category: PlanCategory, row: dict[str, Cell], others: list[PlanCategory], problems: Problems
) -> None:
    sheet = category.place.sheet
    limits = [("name", 20, [category.name]), ("kind_label", 20, [category.kind_label])]
    limits += [("unit", 10, [category.kind_unit]), ("choices", 50, list(category.kind_choices))]
    for key, limit, texts in limits:
        if any(len(text) > limit for text in texts):
            problems.add(sheet, row[key].ref, f"“{shown(row[key].text)}”超过 {limit} 字")
    if not category.name:
        problems.add(sheet, row["name"].ref, "品类没有名称")
    for other in others:
        if category.code == other.code:
            problems.add(sheet, row["code"].ref, f"品类代码“{shown(category.code)}”重复")
        for name in sorted(category.names & other.names):
            problems.add(sheet, row["name"].ref, f"“{shown(name)}”同时是两个品类的名称或别名")


_YES = frozenset({"是", "启用", "有", "true", "1", "y", "yes", "√"})
_NO = frozenset({"否", "不启用", "停用", "无", "false", "0", "n", "no", "×"})


def _yes(row: dict[str, Cell], key: str, sheet: str, problems: Problems, *, blank: bool = False) -> bool:
    said = text_of(row, key).lower()
    if said and said not in _YES | _NO:
        problems.add(sheet, row[key].ref, f"“{shown(said)}”应为“是”或“否”")
    return said in _YES or (blank and not said)


# ---- 活动时间

_ROUND = {"number": ["轮次"], "opens": ["抽奖开始", "开始时间"], "closes": ["使用到期", "到期时间", "结束时间"]}
_MOMENT = re.compile(
    r"(\d{4})[年/.-](\d{1,2})[月/.-](\d{1,2})日?[\sT]*(\d{1,2})[:：时点](\d{1,2})?(?:[:：分](\d{1,2})?)?秒?", re.ASCII
)


_YEARS = range(2000, 2101)


def _rounds(table: Table, problems: Problems) -> list[PlanRound]:
    rows = []
    for row in table.rows:
        if not any(row[key].text for key in _ROUND):
            continue
        number = _round_number(row["number"], table.sheet, problems)
        opens, closes = (_moment(row[key], table.sheet, problems) for key in ("opens", "closes"))
        if number and opens and closes:
            rows.append(PlanRound(number, opens, closes, Place(table.sheet, row["number"].ref)))
    if not rows and not problems.found:
        problems.add(table.sheet, "", "没有轮次")
    return rows


_DIGITS = "零一二三四五六七八九"


def _round_number(cell: Cell, sheet: str, problems: Problems) -> int | None:
    """Return 3 for 3, 第3轮 or 第三轮, up to 第九十九轮."""
    text = re.sub(r"^第|[轮期]$", "", cell.text)
    if match := re.fullmatch(rf"([{_DIGITS}]?)(十?)([{_DIGITS}]?)", text):
        tens, ten, ones = match.groups()
        if ten:
            return (_DIGITS.index(tens) if tens else 1) * 10 + (_DIGITS.index(ones) if ones else 0)
        if tens and not ones:
            return _DIGITS.index(tens) or None
    number = whole(Cell(text, cell.ref), sheet, problems, what="轮次", least=1, most=200)
    if number is None and not text:
        problems.add(sheet, cell.ref, "轮次没有填写")
    return number


def _moment(cell: Cell, sheet: str, problems: Problems) -> dt.datetime | None:
    """Return an aware moment of Asia/Shanghai; 24:00 is the next day's 00:00."""
    moment = None
    if isinstance(cell.value, dt.datetime):
        moment = cell.value.replace(tzinfo=clock.SHANGHAI)
    elif match := _MOMENT.fullmatch(cell.text):
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        midnight = (hour, minute, second) == (24, 0, 0)
        try:
            moment = dt.datetime(year, month, day, 0 if midnight else hour, minute, second, tzinfo=clock.SHANGHAI)
        except ValueError:
            problems.add(sheet, cell.ref, f"时间“{shown(cell.text, 30)}”不存在")
            return None
        if moment.year in _YEARS and midnight:
            moment += dt.timedelta(days=1)
    if moment is None:
        problems.add(sheet, cell.ref, f"时间“{shown(cell.text, 30)}”读不懂，应如 2022年6月25日9:00")
    elif moment.year not in _YEARS:
        problems.add(sheet, cell.ref, f"时间“{shown(cell.text, 30)}”不在 {_YEARS[0]} 至 {_YEARS[-1]} 年之间")
        return None
    return moment


_TABLES: dict[str, tuple[dict[str, list[str]], list[str]]] = {  # sheet: {key: its headings}, the keys it must have
    "设置": ({"item": ["项目"], "value": ["内容"]}, ["item", "value"]),
    "品类": (_CATEGORY, ["code", "name"]),
    "活动时间": (_ROUND, list(_ROUND)),
    "附件1": (FACE_COLUMNS, ["face"]),
    "附件2": (MERCHANT_COLUMNS, ["trade", "name"]),
}
