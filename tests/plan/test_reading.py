"""A plan as it may be typed: other orders, other digits, real dates; and what is said when it cannot be read."""

from __future__ import annotations

import datetime as dt
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coupons import consumers
from coupons.models import Exclusion
from coupons.plan.linting import FATAL, lint
from coupons.plan.reading import read_plan
from coupons.plan.tables import PlanError, Problems, whole
from huigou.errors import Refusal
from huigou.excel_reading import Cell, read_sheets
from merchants.listing import load_plan
from merchants.models import Merchant
from tests.plan.make_second_county import FOLDER, SECOND_COUNTY
from tests.plan.workbooks import rezipped, with_sheet, workbook, write_plan

PLAN = read_plan(FOLDER)


def said(folder) -> list[tuple[str, str, str]]:
    with pytest.raises(PlanError) as caught:
        read_plan(folder)
    return [(problem.sheet, problem.cell, problem.message) for problem in caught.value.problems]


def bare(draft) -> tuple:
    """What a plan says, without where it stands."""
    return (
        draft.settings,
        [(r.number, r.opens_at, r.closes_at) for r in draft.rounds],
        sorted((b.category_code, b.face_fen, b.count) for b in draft.batches),
        [(m.name, m.category_codes, m.address, m.phone) for m in draft.merchants],
    )


# ---- the same plan, written otherwise


def same(tmp_path, book, sheet, change) -> None:
    assert bare(read_plan(write_plan(tmp_path, with_sheet(SECOND_COUNTY, book, sheet, change)))) == bare(PLAN)


def test_columns_in_another_order(tmp_path):
    plan = with_sheet(SECOND_COUNTY, "附件2", "附件2", lambda rows: [rows[0], *([*r[2:], *r[:2]] for r in rows[1:])])
    plan = with_sheet(plan, "活动时间", "活动时间", lambda rows: [[r[2], r[0], r[1]] for r in rows])
    plan = with_sheet(
        plan, "附件1", "附件1", lambda rows: [rows[0], *([r[3], r[0], *r[1:3], *r[4:]] for r in rows[1:])]
    )
    assert bare(read_plan(write_plan(tmp_path, plan))) == bare(PLAN)


def test_full_width_digits_thousands_and_units(tmp_path):
    def change(rows):
        rows[2][0], rows[2][1], rows[3][0] = "２０", "３００张", "５０元"
        rows[4][2], rows[7][5] = "９１", "３９，１００"

    same(tmp_path, "附件1", "附件1", change)


def test_dashes_and_blanks_are_nothing(tmp_path):
    def change(rows):
        rows[2][2], rows[2][3], rows[3][2] = "—", "-", "  "

    same(tmp_path, "附件1", "附件1", change)


def test_real_excel_dates(tmp_path):
    def change(rows):
        for row, round_ in zip(rows[1:], PLAN.rounds, strict=True):
            row[1], row[2] = (moment.replace(tzinfo=None) for moment in (round_.opens_at, round_.closes_at))

    same(tmp_path, "活动时间", "活动时间", change)


@pytest.mark.parametrize(
    "typed",
    ["2023-05-01 08:30", "2023/5/1 8:30:00", "2023.5.1 8点30分", "２０２３年５月１日 ８：３０", "2023-05-01T08:30"],
)
def test_moments_as_people_type_them(tmp_path, typed):
    same(tmp_path, "活动时间", "活动时间", lambda rows: rows[1].__setitem__(1, typed))


def test_24_oclock_is_the_next_days_beginning(tmp_path):
    changed = with_sheet(
        SECOND_COUNTY, "活动时间", "活动时间", lambda rows: rows[3].__setitem__(2, "2023年5月31日24:00")
    )
    assert read_plan(write_plan(tmp_path, changed)).rounds[2].closes_at.isoformat() == "2023-06-01T00:00:00+08:00"


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("第1轮", 1),
        ("第一轮", 1),
        ("一", 1),
        ("第十轮", 10),
        ("第十二轮", 12),
        ("二十", 20),
        ("第九十九轮", 99),
        (" 7 ", 7),
    ],
)
def test_numbers_of_rounds_as_people_write_them(tmp_path, typed, number):
    changed = with_sheet(SECOND_COUNTY, "活动时间", "活动时间", lambda rows: rows[1].__setitem__(0, typed))
    assert read_plan(write_plan(tmp_path, changed)).rounds[0].number == number


def test_lines_above_and_blank_rows_between_are_no_matter(tmp_path):
    def change(rows):
        rows.insert(0, ["内部资料"])
        rows.insert(3, [None] * 6)
        rows.append([None, "  "])

    same(tmp_path, "附件1", "附件1", change)


def test_a_sheet_of_another_name_is_taken_where_it_is_the_only_one(tmp_path):
    plan = {**SECOND_COUNTY, "附件1": {"Sheet1": SECOND_COUNTY["附件1"]["附件1"]}}
    assert bare(read_plan(write_plan(tmp_path, plan))) == bare(PLAN)


def test_what_excel_leaves_beside_an_open_workbook_is_no_second_one(tmp_path):
    write_plan(tmp_path, SECOND_COUNTY)
    (tmp_path / "~$附件1.xlsx").write_bytes(b"\x05lock")
    assert bare(read_plan(tmp_path)) == bare(PLAN)


# ---- the printed form with the contacts' names


def with_contacts(rows):
    rows[1].insert(4, "联系人")
    for place, row in enumerate(rows[2:], 1):
        row.insert(4, "钱某" if place < 6 else None)


@pytest.mark.django_db
def test_the_printed_form_with_contacts_loads(tmp_path):
    draft = read_plan(write_plan(tmp_path, with_sheet(SECOND_COUNTY, "附件2", "附件2", with_contacts)))
    assert bare(draft) == bare(PLAN)
    load_plan(draft, {}, accepted_by="演示甲")
    first, last = Merchant.objects.get(seq=1), Merchant.objects.get(seq=6)
    assert (first.contact.name, first.contact.phone) == ("钱某", "19900000101")
    assert last.contact is None
    # A firm's own people do not draw; nobody else is kept away.
    assert Exclusion.objects.filter(phone_key=consumers.phone_key("19900000101")).exists()
    assert Exclusion.objects.count() == 5


# ---- what cannot be read is named by sheet, cell and reason


def test_every_problem_is_named_at_once(tmp_path):
    def change(rows):
        rows[2][1], rows[3][3], rows[4][0] = "三百", -5, 99.5

    folder = write_plan(tmp_path, with_sheet(SECOND_COUNTY, "附件1", "附件1", change))
    assert said(folder) == [
        ("附件1", "B3", "数量“三百”不是整数"),
        ("附件1", "D4", "数量 -5 不在 0 至 10000000 之间"),
        ("附件1", "A5", "面额“99.5”不是整数"),
    ]


CASES = [
    ("活动设置", "设置", lambda r: r[8].__setitem__(1, "三点九一万"), ("设置", "B9", "资金总额请以元为单位填写")),
    ("活动设置", "设置", lambda r: r[9].__setitem__(1, 0), ("设置", "B10", "使用门槛倍数 0 不在 1 至 100 之间")),
    (
        "活动设置",
        "设置",
        lambda r: r[10].__setitem__(1, 2),
        ("设置", "B11", "每人每品类每轮中奖上限 2 不在 1 至 1 之间"),
    ),
    ("活动设置", "设置", lambda r: r[14].__setitem__(1, 4), ("设置", "B15", "每页条数 4 不在 5 至 200 之间")),
    (
        "活动设置",
        "设置",
        lambda r: r[15].__setitem__(1, "抓阄"),
        ("设置", "B16", "“抓阄”不是幸运大转盘、大转盘、报名摇号、摇号之一"),
    ),
    ("活动设置", "设置", lambda r: r[1].__setitem__(1, "云" * 51), ("设置", "B2", "活动名称超过 50 字")),
    ("活动设置", "设置", lambda r: r.append(["期次", "2024年"]), ("设置", "A18", "设置“期次”写了两次")),
    ("活动设置", "设置", lambda r: [*r[:3], *r[4:]], ("设置", "", "缺少设置：县")),
    (
        "活动设置",
        "品类",
        lambda r: r[1].__setitem__(0, "影院"),
        ("品类", "A2", "品类代码“影院”须为 2 至 20 个小写字母、数字"),
    ),
    ("活动设置", "品类", lambda r: r[2].__setitem__(2, "影院"), ("品类", "B3", "“影院”同时是两个品类的名称或别名")),
    ("活动设置", "品类", lambda r: r[2].__setitem__(6, "也许"), ("品类", "G3", "“也许”应为“是”或“否”")),
    (
        "活动时间",
        "活动时间",
        lambda r: r[1].__setitem__(1, "5月1日"),
        ("活动时间", "B2", "时间“5月1日”读不懂，应如 2022年6月25日9:00"),
    ),
    (
        "活动时间",
        "活动时间",
        lambda r: r[1].__setitem__(1, "2023-2-30 9:00"),
        ("活动时间", "B2", "时间“2023-2-30 9:00”不存在"),
    ),
    (
        "活动时间",
        "活动时间",
        lambda r: r[1].__setitem__(2, "9999年12月31日24:00"),
        ("活动时间", "C2", "时间“9999年12月31日24:00”不在 2000 至 2100 年之间"),
    ),
    ("活动时间", "活动时间", lambda r: r[1].__setitem__(0, None), ("活动时间", "A2", "轮次没有填写")),
    ("附件1", "附件1", lambda r: r[1].__setitem__(1, "麻将馆"), ("附件1", "B2", "“麻将馆”不是“品类”表中的品类或别名")),
    ("附件1", "附件1", lambda r: r[1].__setitem__(2, "电影院"), ("附件1", "C2", "品类“影院”有两列")),
    ("附件1", "附件1", lambda r: r[1].__setitem__(1, None), ("附件1", "B3", "“300”所在的列没有表头")),
    (
        "附件1",
        "附件1",
        lambda r: r[1].__setitem__(5, "金额小计(万元)"),
        ("附件1", "F2", "“金额小计(万元)”请以元、张为单位填写"),
    ),
    ("附件1", "附件1", lambda r: r[3].__setitem__(0, 20), ("附件1", "A4", "面额 20 元重复")),
    ("附件1", "附件1", lambda r: r[3].__setitem__(0, None), ("附件1", "A4", "这一行没有面额")),
    ("附件1", "附件1", lambda r: r[2].__setitem__(1, 0.5), ("附件1", "B3", "数量“0.5”不是整数")),
    ("附件1", "附件1", lambda r: r[2].__setitem__(1, "1,2"), ("附件1", "B3", "数量“1,2”不是整数")),
    ("附件2", "附件2", lambda r: r[1].__setitem__(2, "店名"), ("附件2", "A1", "找不到列：企业名称")),
    (
        "附件2",
        "附件2",
        lambda r: r[2].__setitem__(1, "麻将馆"),
        ("附件2", "B3", "行业“麻将馆”不是“品类”表中的品类或别名"),
    ),
    ("附件2", "附件2", lambda r: r[2].__setitem__(1, None), ("附件2", "B3", "没有行业类别")),
    ("附件2", "附件2", lambda r: r[3].__setitem__(2, None), ("附件2", "C4", "这一行没有企业名称")),
    ("附件2", "附件2", lambda r: r[3].__setitem__(3, "路" * 201), ("附件2", "D4", f"“{'路' * 19}…”超过 200 字")),
]


@pytest.mark.parametrize(("book", "sheet", "change", "problem"), CASES, ids=[case[3][2][:30] for case in CASES])
def test_what_cannot_be_read_is_named(tmp_path, book, sheet, change, problem):
    assert said(write_plan(tmp_path, with_sheet(SECOND_COUNTY, book, sheet, change)))[0] == problem


# ---- what can be read but should not be followed blindly

FOUND = [
    ("活动设置", "设置", lambda r: r[8].__setitem__(1, 40_000), ("budget-differs", "设置", "")),
    ("活动设置", "设置", lambda r: r.append(["使用门坎倍数", 3]), ("setting-unknown", "设置", "A18")),
    ("活动设置", "品类", lambda r: r.append(["drug", "药店"]), ("category-idle", "品类", "A5")),
    ("活动设置", "品类", lambda r: r[1].__setitem__(8, "否"), ("category-inactive-stock", "品类", "A2")),
    ("活动时间", "活动时间", lambda r: r[2].__setitem__(0, 3), ("round-order", "活动时间", "A3")),
    ("活动时间", "活动时间", lambda r: r[2].__setitem__(1, "2023年5月3日20:00"), ("round-overlap", "活动时间", "A3")),
    ("活动时间", "活动时间", lambda r: r[2].__setitem__(2, "2023年5月4日8:00"), ("round-backwards", "活动时间", "A3")),
    ("活动时间", "活动时间", lambda r: r[1].__setitem__(2, "2023年5月2日21:00"), ("round-gap", "活动时间", "A3")),
    ("附件1", "附件1", lambda r: r[0].__setitem__(0, "4万元"), ("annex1-title", "附件1", "A1")),
    ("附件1", "附件1", lambda r: r[2].__setitem__(4, 301), ("annex1-row-count", "附件1", "E3")),
    ("附件1", "附件1", lambda r: r[2].__setitem__(5, 6001), ("annex1-row-money", "附件1", "F3")),
    ("附件1", "附件1", lambda r: r[6].__setitem__(1, 361), ("annex1-column-count", "附件1", "B7")),
    ("附件1", "附件1", lambda r: r[7].__setitem__(3, 9001), ("annex1-column-money", "附件1", "D8")),
    ("附件1", "附件1", lambda r: r[6].__setitem__(4, 642), ("annex1-total-count", "附件1", "E7")),
    ("附件1", "附件1", lambda r: r[7].__setitem__(5, 39_101), ("annex1-total-money", "附件1", "F8")),
    ("附件1", "附件1", lambda r: r[4].__setitem__(3, 2), ("batch-fewer-than-rounds", "附件1", "D5")),
    ("附件2", "附件2", lambda r: r[:6], ("category-without-shop", "品类", "A4")),
    ("附件2", "附件2", lambda r: r[:7], ("category-single-shop", "品类", "A4")),
    ("附件2", "附件2", lambda r: r[3].__setitem__(2, r[2][2]), ("merchant-twice", "附件2", "C3")),
    ("附件2", "附件2", lambda r: r[3].__setitem__(4, r[2][4]), ("merchant-phone-twice", "附件2", "C3")),
    ("附件2", "附件2", lambda r: r[3].__setitem__(3, None), ("merchant-incomplete", "附件2", "C4")),
    ("附件2", "附件2", lambda r: r[3].__setitem__(slice(3, 5), [None, None]), ("merchant-collective", "附件2", "C4")),
]


@pytest.mark.parametrize(("book", "sheet", "change", "finding"), FOUND, ids=[case[3][0] for case in FOUND])
def test_each_finding_has_its_code_and_place(tmp_path, book, sheet, change, finding):
    draft = read_plan(write_plan(tmp_path, with_sheet(SECOND_COUNTY, book, sheet, change)))
    assert finding in [(f.code, f.sheet, f.cell) for f in lint(draft)]


def test_a_category_without_stock_is_said(tmp_path):
    def drop_sport(rows):
        for row in rows[1:]:
            del row[3]

    draft = read_plan(write_plan(tmp_path, with_sheet(SECOND_COUNTY, "附件1", "附件1", drop_sport)))
    assert ("category-without-stock", "A4") in [(f.code, f.cell) for f in lint(draft)]


def test_hidden_rows_are_read_and_said(tmp_path):
    write_plan(tmp_path, SECOND_COUNTY)

    def hide(parts):
        path = "xl/worksheets/sheet1.xml"
        parts[path] = parts[path].replace(b'<row r="4"', b'<row hidden="1" r="4"')

    (tmp_path / "附件1.xlsx").write_bytes(rezipped((tmp_path / "附件1.xlsx").read_bytes(), hide))
    draft = read_plan(tmp_path)
    assert bare(draft) == bare(PLAN)
    assert [(f.code, f.sheet, f.message) for f in lint(draft)] == [("sheet-hidden", "附件1", "隐藏的第 4 行也已读入")]


@pytest.mark.django_db
@pytest.mark.parametrize("code", sorted(FATAL))
def test_what_no_round_can_be_made_from_cannot_be_signed_away(tmp_path, code):
    book, sheet, change, _ = next(case for case in FOUND if case[3][0] == code)
    draft = read_plan(write_plan(tmp_path, with_sheet(SECOND_COUNTY, book, sheet, change)))
    with pytest.raises(Refusal) as caught:
        load_plan(draft, {finding.code: "知道了" for finding in lint(draft)}, accepted_by="演示甲")
    assert caught.value.code == "plan_fatal"


# ---- properties

TEXT = st.text(alphabet=string.printable[:-6] + "０１２三百万元张，。（）　—\u200b", max_size=30)
VALUE = st.one_of(st.none(), st.integers(-(10**18), 10**18), st.floats(-1e300, 1e300), TEXT)


@given(VALUE)
@example("－５")
@example(1e300)
@example("٣")
def test_a_number_is_read_right_or_named_never_guessed(value):
    problems = Problems()
    number = whole(Cell(value, "B3"), "附件1", problems, what="数量")
    if number is not None:
        assert not problems.found
        plain = str(value).translate(str.maketrans("０１２，", "012,", "张元, \u200b　"))
        assert float(plain.strip()) == number
    elif problems.found:
        assert [(p.sheet, p.cell) for p in problems.found] == [("附件1", "B3")]


@given(st.lists(st.lists(VALUE, max_size=6), max_size=12))
def test_what_a_workbook_holds_is_what_is_read(rows):
    [sheet] = read_sheets(workbook({"附件1": rows}))
    written = [[None if value == "" else value for value in row] for row in rows]
    read = {row.number: row for row in sheet.rows}
    for number, row in enumerate(written, 1):
        for column, value in enumerate(row):
            got = read[number][column].value if number in read and column < len(read[number]) else None
            if isinstance(value, int | float):
                assert float(got) == pytest.approx(float(value), rel=1e-12)
            else:
                assert got == value


@given(st.lists(st.lists(VALUE, max_size=6), max_size=8), st.sampled_from(["活动时间", "附件1", "附件2"]))
def test_any_table_is_read_or_refused_by_name_and_never_falls_over(tmp_path_factory, rows, book):
    plan = with_sheet(SECOND_COUNTY, book, book, lambda old: [*old[:3], *rows])
    folder = write_plan(tmp_path_factory.mktemp("plan"), plan)
    try:
        draft = read_plan(folder)
    except PlanError as refused:
        found = refused.problems
    else:
        found = lint(draft)
    assert all(thing.sheet and thing.message for thing in found)


@given(st.datetimes(dt.datetime.fromisoformat("2000-01-01"), dt.datetime.fromisoformat("2100-12-31")))
def test_a_real_excel_date_is_read_to_the_second(moment):
    moment = moment.replace(microsecond=0)
    [sheet] = read_sheets(workbook({"活动时间": [[moment]]}))
    assert sheet.rows[0][0].value == moment
