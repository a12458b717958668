"""A workbook holds what the list holds: its columns, types, totals, cover and hash; nothing in it ever runs."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import zipfile

import pytest

from huigou import clock
from reports import exports
from reports.exports import cells
from reports.exports.recounting import recount
from tests.exports.conftest import NICKNAMES

# The columns of the plan's page text first and in its order; what an audit needs besides follows.
COLUMNS = {
    "uses": [
        "商家", "员工微信号", "员工姓名", "员工电话", "金额（元）", "买家微信号", "买家手机号", "消费人数·加油品类",
        "消费金额（元）", "备注", "确认时间", "品类", "企业名称", "统计状态", "小票号", "付款方式", "扫码时间", "券号",
    ],
    "coupons": [
        "金额（元）", "类型（品类）", "姓名", "微信名", "手机号", "使用情况", "商家", "领取时间", "轮次", "到期时间",
        "券号",
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
def test_the_columns_stand_as_the_plan_prints_them(world, written, kind):
    assert written(kind).headings == COLUMNS[kind]


@pytest.mark.parametrize("kind", exports.LISTS)
def test_every_list_can_be_written_and_recounted(world, written, kind):
    book = written(kind)
    assert book.done.rows == book.listing.count()
    assert recount(book.path).is_whole
    for sheet in book.sheets:
        assert sheet.freeze_panes == "A2"
        assert sheet.print_title_rows == "$1:$1"


def test_cells_have_the_types_of_what_they_hold(world, written):
    uses = written("uses")
    use = world.uses[0]
    assert uses.column("金额（元）")[0].value == 100
    assert uses.column("消费金额（元）")[0].value == use.amount_fen / 100
    assert uses.column("消费金额（元）")[0].number_format == "#,##0.00"
    entered = uses.column("确认时间")[0]
    assert entered.is_date
    assert entered.value.isoformat() == "2022-06-25T10:00:07"
    for heading in ("买家手机号", "券号", "小票号"):
        cell = uses.column(heading)[0]
        assert cell.value is None or (cell.number_format, cell.data_type) == ("@", "s")


def test_a_full_number_is_text_and_only_where_it_was_allowed(world, written):
    buyer = world.uses[0].consumer.person
    masked, full = written("uses"), written("uses", persons=True)
    assert masked.column("买家手机号")[0].value == buyer.masked_phone
    assert "*" in masked.column("买家手机号")[0].value
    assert full.column("买家手机号")[0].value == buyer.phone
    assert full.column("买家手机号")[0].data_type == "s"
    assert buyer.phone not in _text_of(masked.path)


def _text_of(path) -> str:
    with zipfile.ZipFile(path) as archive:
        return "".join(archive.read(name).decode() for name in archive.namelist())


def test_totals_stand_last_and_equal_the_ledger(world, written):
    uses = written("uses")
    assert uses.column("商家")[-1].value == "合计"
    assert uses.column("金额（元）")[-1].value * 100 == world.face_fen
    assert uses.column("消费金额（元）")[-1].value * 100 == pytest.approx(world.amount_fen)
    assert uses.done.sums == {"face": world.face_fen, "amount": world.amount_fen}
    assert uses.cover["与账目核对"] == f"相符：账上核销净额 {world.face_fen / 100:,.2f} 元"
    assert uses.cover["消费金额合计"] == f"{world.amount_fen / 100:,.2f} 元"


def test_a_sum_that_is_not_the_ledgers_is_said(world, written, as_owner):
    with as_owner():
        world.uses[0].__class__.objects.filter(pk=world.uses[0].pk).update(state="reversed", ended_at=clock.now())
    assert written("uses").cover["与账目核对"].startswith("不符")


def test_a_filtered_list_is_totalled_as_filtered_and_not_held_against_the_books(world, written):
    fuel = written("uses", {"category": "fuel"})
    assert fuel.done.rows == 5
    assert fuel.column("金额（元）")[-1].value == 250
    assert fuel.cover["品类"] == "加油站"
    assert "与账目核对" not in fuel.cover


def test_the_cover_says_filter_who_when_rows_hash_plan_and_books(world, written):
    world.county.campaign.__class__.objects.update(plan_version="a" * 64)
    cover = written("coupons", {"since": "2022-06-25", "until": "2022-06-25", "state": "used"}).cover
    assert list(cover) == [
        "内容", "活动", "开始日期", "结束日期", "状态", "导出人", "导出时间", "导出编号", "行数", "工作表",
        "金额合计", "个人信息", "行内容 SHA-256", "方案版本", "账目状态",
    ]  # fmt: skip
    assert cover["状态"] == "已使用 已发送商家"
    assert cover["导出人"] == "审计局 张审计"
    assert cover["导出时间"] == f"{clock.now():%Y-%m-%d %H:%M:%S}"
    assert (cover["行数"], cover["工作表"]) == ("10", "1 张")
    assert cover["方案版本"] == "a" * 64
    assert cover["账目状态"] == "正常（未冻结）"


def test_the_hash_can_be_recounted_with_a_few_lines_of_somebody_elses(world, written):
    book = written("uses")
    said = hashlib.sha256()
    for row in list(book.sheets[0].iter_rows(min_row=2))[:-1]:
        plain = []
        for cell in row:
            value = cell.value
            if isinstance(value, dt.datetime):
                value = value.isoformat()
            elif isinstance(value, int | float):
                value = round(value * 100)  # every number of this list is an amount
            elif value is not None:
                value = value.replace("_x005F_", "_")
            plain.append(value)
        said.update((json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n").encode())
    assert said.hexdigest() == book.done.digest == book.cover["行内容 SHA-256"]


def test_nicknames_stay_what_they_are_and_never_run(world, written):
    cells_ = written("uses").column("买家微信号")[:-1]
    assert [cell.value or "" for cell in cells_[:5]] == NICKNAMES[:5]
    assert cells_[5].value == "响铃[31m"  # what no workbook can hold is left out
    assert [cell.value for cell in cells_[6:8]] == NICKNAMES[6:8]
    assert cells.as_typed(cells_[8].value) == NICKNAMES[8]
    assert cells_[9].value is None
    assert {cell.data_type for cell in cells_[:9]} == {"s"}
    assert [cell.quotePrefix for cell in cells_[:7]] == [True] * 5 + [False] * 2


@pytest.mark.parametrize("kind", exports.LISTS)
def test_no_formula_and_no_link_stands_anywhere(world, written, kind):
    with zipfile.ZipFile(written(kind).path) as archive:
        for name in archive.namelist():
            body = archive.read(name).decode()
            assert not re.search(r"<f[ >]|<hyperlink|externalLink|<definedName[^>]*>[^<]*[(]", body), name


def test_a_list_longer_than_a_sheet_goes_on_on_the_next(world, written):
    book = written("uses", sheet_rows=6)
    assert [sheet.title for sheet in book.sheets] == ["优惠券使用", "优惠券使用2", "优惠券使用3"]
    assert [sheet.max_row for sheet in book.sheets] == [5, 5, 4]
    assert all([cell.value for cell in sheet[1]] == COLUMNS["uses"] for sheet in book.sheets)
    assert all(sheet.freeze_panes == "A2" for sheet in book.sheets)
    assert book.column("商家", 2)[-1].value == "合计（3 张工作表）"
    assert book.column("金额（元）", 2)[-1].value * 100 == world.face_fen
    assert book.cover["工作表"] == "3 张"
    found = recount(book.path)
    assert (found.rows, found.is_whole) == (10, True)
    assert found.digest == written("uses").done.digest  # where sheets end says nothing about the rows


def test_a_sheet_ends_where_excel_ends():
    assert exports.SHEET_ROWS == 2**20


def test_every_printed_page_says_whose_it_is(world, written):
    for sheet in written("uses").file.worksheets:
        assert "审计局 张审计" in sheet.oddFooter.left.text
        assert "导出编号 7" in sheet.oddFooter.left.text


@pytest.mark.parametrize(
    ("typed", "cell"),
    [
        ("a\x00b\x0bc\ud800d\uffff", "abcd"),
        ("两行\r\n字", "两行\n字"),
        ("万" * 40_000, "万" * 32_767),
        ("😀" * 20_000, "😀" * 16_383),  # counted in UTF-16 units, and never half a sign
        ("\x01\x02", None),
    ],
)
def test_a_text_is_cut_to_what_a_cell_can_hold(typed, cell):
    assert cells.counted(cells.Kind.TEXT, typed) == cell


def test_an_edited_row_is_found_out(world, written):
    book = written("uses")
    place = book.headings.index("消费金额（元）") + 1
    book.sheets[0].cell(row=3, column=place).value += 0.01
    book.file.save(book.path)
    found = recount(book.path)
    assert (found.rows, found.is_whole) == (10, False)


def test_a_removed_row_is_found_out(world, written):
    book = written("coupons")
    book.sheets[0].delete_rows(2)
    book.file.save(book.path)
    assert not recount(book.path).is_whole
