"""The command and the single file say green, or what is wrong and with which exit code."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from tests.fairness import forgeries
from tests.fairness.vectors import VERIFY


@pytest.fixture
def files(tmp_path):
    """Return the paths of an honest round's two files."""
    story = forgeries.honest()
    document, published = tmp_path / "round.json", tmp_path / "heads.jsonl"
    document.write_text(json.dumps(story.document()))
    published.write_text(story.published())
    return document, published


def forge(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def by_command(*args):
    """Return (exit code, last line, whole output) of the management command."""
    out = io.StringIO()
    try:
        call_command("verify_round", *map(str, args), stdout=out)
        code = 0
    except SystemExit as stopped:
        code = stopped.code
    return code, out.getvalue().splitlines()[-1], out.getvalue()


def by_single_file(*args):
    """Return the same of the single file, run by a Python without site packages."""
    program = [sys.executable, "-I", "-S", str(VERIFY / "verify_round_standalone.py"), *map(str, args)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env={"PYTHONUTF8": "1"})
    return done.returncode, (done.stdout.splitlines() or [""])[-1], done.stdout + done.stderr


@pytest.mark.parametrize("run", [by_command, by_single_file])
def test_an_honest_round_is_green(run, files):
    code, last, output = run(files[0], "--heads", files[1])
    assert code == 0
    assert last.startswith("全部相符")
    assert "错误" not in output


@pytest.mark.parametrize("run", [by_command, by_single_file])
def test_a_forged_round_is_not_and_the_last_line_is_json(run, files):
    forge(files[0], forgeries._cut_tail)
    code, last, output = run(files[0], "--heads", files[1], "--json")
    answer = json.loads(last)
    assert (code, answer["ok"]) == (1, False)
    assert [(f["code"], f["ticket"]) for f in answer["findings"]] == [("tail-cut", 33)]
    assert "尾部被截去" in output


@pytest.mark.parametrize("run", [by_command, by_single_file])
def test_what_is_not_revealed_yet_is_not_called_whole(run, files):
    forge(files[0], lambda document: [share.update(share=None) for share in document["shares"]])
    code, last, output = run(files[0], "--heads", files[1])
    assert code == 0
    assert last.startswith("已核对的相符，牌序要等份额揭示后再核对")
    assert "尚未揭示，牌序还不能核对（同类共 3 处）" in output


@pytest.mark.parametrize("run", [by_command, by_single_file])
def test_another_key_is_seen(run, files):
    code, last, _ = run(files[0], "--key", "00" * 31 + "01", "--json")
    assert code == 1
    assert {f["code"] for f in json.loads(last)["findings"]} >= {"key", "signature"}


def test_the_command_counts_what_it_verified(files):
    _, last, _ = by_command(files[0], "--json")
    answer = json.loads(last)
    assert (answer["ok"], answer["decks"], answer["draws"]) == (True, 2, 80)
    assert [finding["code"] for finding in answer["findings"]] == ["heads-not-given"]


@pytest.mark.parametrize(
    ("text", "more"),
    [("{", ()), ("[" * 100_000, ()), ("{}", ("--key", "00")), ("{}", ("--heads", "/nowhere/heads.jsonl"))],
)
def test_what_cannot_be_read_is_said_so(tmp_path, text, more):
    path = tmp_path / "round.json"
    path.write_text(text)
    with pytest.raises(CommandError, match=r"读不了|64 位") as refused:
        call_command("verify_round", str(path), *more)
    assert refused.value.returncode == 2
    assert by_single_file(path, *more)[0] == 2


def test_what_is_no_reveal_file_is_named(tmp_path):
    path = tmp_path / "round.json"
    path.write_text("{}")
    assert by_command(path)[0] == by_single_file(path)[0] == 1
