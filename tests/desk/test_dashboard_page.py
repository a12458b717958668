"""首页 as it is rendered: each number on it, and each bar of its charts, is what the list behind its link says."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field

import pytest
from django.test import Client

from huigou.models import Department
from tests import factories
from tests.desk.test_old_pages import inner, text
from tests.office.furnished import furnish

FIGURE = re.compile(
    r"<(?:a|div)(?P<tag>[^>]*\bdash-figure\b[^>]*)><span>(?P<title>.*?)</span><b>(?P<value>.*?)</b>"
    r"<small>(?P<note>.*?)</small>",
    re.S,
)
# What is no row count is the last line of this column.
OF_COLUMN = {
    "消费金额（元）": "消费金额",
    "消费券金额（元）": "金额",
    "拉动倍数": "拉动倍数",
    "未发放（元）": "未发金额",
}
WORDS = {"账目", "后台任务"}  # a state, not a number


@dataclass
class Said:
    """What a list's page says: 共 N 条, and its last line by heading."""

    rows: str
    totals: dict[str, str]


@dataclass
class Reader:
    """Somebody's browser, which follows each way once."""

    client: Client
    known: dict[str, Said] = field(default_factory=dict)

    def follow(self, address: str) -> Said:
        if address not in self.known:
            answer = self.client.get(address)
            assert answer.status_code == 200, address
            page = answer.content.decode()
            assert "请按提示改正查询条件" not in page, address
            rows = re.search(r'class="desk-pager".*?共 <b>(\d+)</b> 条', page, re.S)
            headings = inner(page, r'<th scope="col"[^>]*>(.*?)</th>')
            last = re.search(r"<tfoot>(.*?)</tfoot>", page, re.S)
            cells = inner(last[1], r"<t[hd][^>]*>(.*?)</t[hd]>") if last else [""] * len(headings)
            assert rows, address
            assert len(cells) == len(headings), address
            totals = {name: cell.removeprefix("合计").strip() for name, cell in zip(headings, cells, strict=True)}
            self.known[address] = Said(rows[1], totals)
        return self.known[address]

    def says(self, title: str, address: str) -> str:
        said = self.follow(address)
        return said.totals.get(OF_COLUMN[title], "") if title in OF_COLUMN else said.rows


def plain(number: str) -> str:
    """Return a number as it is written without commas, and without fen where there are none."""
    return number.replace(",", "").removesuffix(".00")


def figures_on(page: str) -> list[tuple[str, str, str, str]]:
    """Return title, value, note and link ("" for none) of each number of a rendered page."""
    found = []
    for figure in FIGURE.finditer(page):
        link = re.search(r'href="([^"]*)"', figure["tag"])
        words = (text(figure[name]) for name in ("title", "value", "note"))
        found.append((*words, html.unescape(link[1]) if link else ""))
    return found


@pytest.fixture
def page(scene, desk) -> str:
    scene.more(3)
    return desk.get("/admin/").content.decode()


def test_every_number_of_the_page_is_what_its_list_says(page, desk):
    reader, numbers, sums = Reader(desk), 0, 0
    for title, value, note, link in figures_on(page):
        if title in WORDS:
            continue
        assert link, title
        assert plain(value) == plain(reader.says(title, link)), (title, link)
        numbers += 1
        # The money under a count is the last line of the same list.
        for amount in re.findall(r"([\d,.]+) 元", note):
            assert plain(amount) in map(plain, reader.follow(link).totals.values()), (title, note, link)
            sums += 1
    assert (numbers, sums) == (15, 4)


def test_every_bar_of_every_chart_is_what_its_list_says(page, desk):
    reader, bars = Reader(desk), 0
    state = json.loads(re.search(r'<script id="dash-state"[^>]*>(.*?)</script>', page, re.S)[1])
    assert set(state["charts"]) == {"category", "time", "face", "shops"}
    for name, chart in state["charts"].items():
        for series in chart["series"]:
            for value, link in zip(series["data"], series["links"], strict=True):
                said = reader.says(series["name"], link)
                assert value == float(plain(said) or 0), (name, series["name"], link)
                bars += bool(value)
    assert bars >= 20


def test_every_department_finds_its_numbers_again_in_its_lists(at, tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path
    at("2022-06-25 09:05")
    furnish(tmp_path)
    known, above_zero = set(), set()
    for department in Department.values:
        staff, client = factories.a_staff(department), Client()
        client.force_login(staff, "django.contrib.auth.backends.ModelBackend")
        reader = Reader(client)
        for title, value, _, link in figures_on(client.get("/admin/").content.decode()):
            # Departments share numbers; a station alone has its own part of a list.
            if not value.isdecimal() or not link or ((title, value, link) in known and department != "station"):
                continue
            assert value == reader.says(title, link), (department, title, link)
            known.add((title, value, link))
            above_zero |= {title} if value != "0" else set()
    assert {
        "待审批事项",
        "待受理投诉",
        "暂停的商家",
        "今天查看全号",
        "今天的操作",
        "今天代抽",
        "排除名单",
        "买家",
        "公告",
        "今天使用",
    } <= above_zero
