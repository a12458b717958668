"""Damaged, foreign and hostile workbooks get a clear refusal within 2 s and 64 MB, and load nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from coupons.models import Campaign
from merchants.models import Merchant
from tests.plan.hostile import cases
from tests.plan.make_second_county import SECOND_COUNTY
from tests.plan.workbooks import write_plan

CASES = cases()
READ_ALL_THE_SAME = {"styles without end"}  # only heavy: it must stay within the bounds
MAX_GROWTH_KB = 64 * 1024


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A good plan in which one workbook is of the kind."""
    made = {}
    for kind, (file, data, _) in CASES.items():
        made[kind] = write_plan(tmp_path_factory.mktemp("hostile") / kind, SECOND_COUNTY)
        (made[kind] / f"{Path(file).stem}.xlsx").unlink()
        (made[kind] / file).write_bytes(data)
    return made


@pytest.fixture(scope="module")
def said(folders) -> dict[str, dict]:
    """What was said of each, measured in a process that may use 2 s and grow by no more than it should."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.plan.jail", *map(str, folders.values())],
        capture_output=True,
        check=True,
        text=True,
        timeout=300,
    )
    lines = map(json.loads, done.stdout.splitlines())
    return {line.pop("folder"): line for line in lines}


def test_there_are_enough_kinds():
    assert len(CASES) >= 50


@pytest.mark.parametrize("kind", CASES)
def test_it_is_refused_with_sheet_cell_and_reason(said, kind):
    answer = said[kind]
    if kind not in READ_ALL_THE_SAME:
        assert answer["outcome"] == "refused"
        for words in CASES[kind][2]:
            assert words in " ".join(answer["problems"])
    assert answer["outcome"] in ("refused", "read")
    assert answer["grown_kb"] < MAX_GROWTH_KB


def test_the_jail_kills_what_takes_too_long():
    slow = "from tests.plan import jail; jail.read_plan = lambda _: [i for i in range(10**12)]; jail.main(['x'])"
    done = subprocess.run([sys.executable, "-c", slow], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["outcome"].startswith(("killed by signal", "fell over: MemoryError"))


def test_two_workbooks_of_one_name_are_refused(tmp_path):
    write_plan(tmp_path, {**SECOND_COUNTY, "附件1（改）": SECOND_COUNTY["附件1"]})
    with pytest.raises(CommandError, match=r"附件1 有不止一个工作簿：附件1\.xlsx、附件1（改）\.xlsx"):
        call_command("lint_plan", str(tmp_path))


def test_a_missing_workbook_and_a_missing_folder_are_named(tmp_path):
    write_plan(tmp_path, {name: book for name, book in SECOND_COUNTY.items() if name != "附件2"})
    with pytest.raises(CommandError, match="附件2 没有这个工作簿"):
        call_command("lint_plan", str(tmp_path))
    with pytest.raises(CommandError, match="没有这个文件夹"):
        call_command("lint_plan", str(tmp_path / "nowhere"))


def test_a_folder_in_a_workbooks_place_is_named(tmp_path):
    write_plan(tmp_path, SECOND_COUNTY)
    (tmp_path / "附件1.xlsx").unlink()
    (tmp_path / "附件1.xlsx").mkdir()
    with pytest.raises(CommandError, match="附件1 找不到文件"):
        call_command("lint_plan", str(tmp_path))


def test_a_refusal_is_json_too_where_that_is_asked(folders, capsys):
    with pytest.raises(CommandError):
        call_command("lint_plan", str(folders["formula"]), "--json")
    body = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert body["code"] == "plan_unreadable"
    assert body["problems"] == [
        {"sheet": "附件1", "cell": "B3", "message": "是公式，请改为数值（复制后选择性粘贴“数值”）"}
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["zip bomb", "external entity", "formula", "negative count", "old xls", "macros"])
def test_nothing_of_it_is_loaded(folders, kind):
    with pytest.raises(CommandError, match="未导入任何内容"):
        call_command("load_plan", str(folders[kind]))
    assert (Campaign.objects.count(), Merchant.objects.count()) == (0, 0)
