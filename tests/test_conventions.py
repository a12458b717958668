"""What holds over the whole repository: the direction of imports, one clock, whole fen, Chinese for people."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models
from django.utils import translation

from huigou.errors import Reason

ROOT = Path(__file__).parent.parent
APPS = ("huigou", "coupons", "merchants", "reports")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
OUR_MODELS = [model for model in apps.get_models(include_auto_created=False) if model._meta.app_label in APPS]


def source(*but: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield (path, tree) of our own modules, without generated ones."""
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "/migrations/" not in name and "/static/" not in name and not name.startswith(but):
                yield name, ast.parse(path.read_text())


def in_git() -> list[Path]:
    """Return the files of the repository; a copy without its history has what lies there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    hidden = {"var", ".venv", ".git"}
    return [p for p in ROOT.rglob("*") if p.is_file() and not hidden & set(p.relative_to(ROOT).parts)]


# ---- imports


def test_imports_point_upstream():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]


# ---- one clock

CLOCK_READS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "dt.datetime.now", "dt.datetime.utcnow", "dt.datetime.today",
    "date.today", "dt.date.today", "timezone.now", "timezone.localdate", "timezone.localtime", "time.time",
    "time.time_ns", "time.localtime", "time.gmtime", "Now", "functions.Now",
}  # fmt: skip
SQL_CLOCK = re.compile(
    r"\b(now\(\)|(clock|statement|transaction)_timestamp\(\)|current_(timestamp|date|time)\b|localtimestamp\b)", re.I
)
# The clock itself; and the textbook's way that the benchmark measures ours against, in tables of its own.
MAY_READ_A_CLOCK = ("huigou/clock.py", "reports/benchmark/")


def docstrings(tree: ast.Module) -> set[int]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, kinds)]
    return {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}


def clock_reads(tree: ast.Module) -> Iterator[tuple[int, str]]:
    meant = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CLOCK_READS:
            yield node.lineno, ast.unparse(node.func)
        elif isinstance(node, ast.keyword) and node.arg in ("auto_now", "auto_now_add"):
            yield node.value.lineno, node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in meant:
            yield from ((node.lineno, read[0]) for read in SQL_CLOCK.finditer(node.value.replace("huigou_now()", "")))


def test_no_code_reads_a_clock_but_the_one():
    found = [(path, *read) for path, tree in source(*MAY_READ_A_CLOCK) for read in clock_reads(tree)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    ["timezone.now()", "dt.datetime.now(tz)", "time.time()", "dt.date.today()", "x = Now()", "sql = 'SELECT now()'",
     "DateTimeField(auto_now_add=True)", "run('UPDATE a SET b = CURRENT_TIMESTAMP')"],
)  # fmt: skip
def test_the_look_for_clocks_sees_one(line):
    assert list(clock_reads(ast.parse(line)))


# ---- whole fen


def money(node: ast.AST) -> bool:
    names = [
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)
    ]
    return any(re.search(r"(^|_)fen(_|$)", name, re.I) for name in names)


def floats(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and money(node):
            exact = isinstance(node.left, ast.Call) and ast.unparse(node.left.func).endswith(("Decimal", "Fraction"))
            if not exact:
                yield node.lineno, ast.unparse(node)
        elif (
            isinstance(node, ast.Call) and ast.unparse(node.func) in ("float", "round") and any(map(money, node.args))
        ) or (isinstance(node, ast.Call) and re.fullmatch(r"(models\.)?FloatField", ast.unparse(node.func))):
            yield node.lineno, ast.unparse(node)


def test_money_is_never_a_float():
    assert [(path, *found) for path, tree in source() for found in floats(tree)] == []


@pytest.mark.parametrize("line", ["yuan = amount_fen / 100", "float(row.face_fen)", "share = models.FloatField()"])
def test_the_look_for_floats_sees_one(line):
    assert list(floats(ast.parse(line)))


def test_amounts_in_the_database_are_whole():
    fields = [field for model in OUR_MODELS for field in model._meta.local_fields if field.name.endswith("_fen")]
    assert fields
    assert [str(field) for field in fields if not isinstance(field, models.IntegerField)] == []


# ---- Chinese for people


def test_models_and_fields_have_chinese_names():
    unnamed = []
    with translation.override("zh-hans"):
        for model in OUR_MODELS:
            meta = model._meta
            if not (CHINESE.search(str(meta.verbose_name)) and CHINESE.search(str(meta.verbose_name_plural))):
                unnamed.append(model.__name__)
            fields = [f for f in (*meta.local_fields, *meta.local_many_to_many) if f.name != "id"]
            unnamed += [str(f) for f in fields if not CHINESE.search(str(f.verbose_name))]
    assert unnamed == []


def test_choices_are_chinese():
    with translation.override("zh-hans"):
        foreign = [
            (str(field), label)
            for model in OUR_MODELS
            for field in model._meta.local_fields
            for _, label in field.flatchoices
            if not CHINESE.search(str(label)) and not re.fullmatch(r"WGS-84|GCJ-02", str(label))
        ]
    assert foreign == []


def test_a_constraint_that_fires_says_so_in_chinese():
    constraints = [(model, constraint) for model in OUR_MODELS for constraint in model._meta.constraints]
    assert len(constraints) > 50
    silent = [c.name for _, c in constraints if not CHINESE.search(str(c.violation_error_message))]
    assert silent == []
    assert [name for name, times in Counter(c.name for _, c in constraints).items() if times > 1] == []


def reasons() -> list[tuple[str, Reason]]:
    """Return every Reason that stands in a module, once, with where it was made."""
    found: dict[int, tuple[str, Reason]] = {}
    for app in APPS:
        package = importlib.import_module(app)
        for info in pkgutil.walk_packages(package.__path__, f"{app}."):
            if (
                ".migrations" in info.name
                or info.name.endswith((".__main__", ".wsgi", ".rsgi"))
                or ".static" in info.name
            ):
                continue
            module = importlib.import_module(info.name)
            for name, value in vars(module).items():
                if isinstance(value, Reason):
                    found.setdefault(id(value), (f"{info.name}.{name}", value))
    return list(found.values())


def test_every_refusal_has_a_code_of_its_own_a_sentence_and_a_next_step():
    known = reasons()
    assert len(known) > 80
    assert [code for code, times in Counter(reason.code for _, reason in known).items() if times > 1] == []
    for name, reason in known:
        assert re.fullmatch(r"[a-z][a-z0-9_]{2,39}", reason.code), name
        assert reason.status in (400, 401, 403, 404, 405, 409, 413, 415, 429, 500, 502, 503), name
        assert CHINESE.search(reason.sentence) or "{" in reason.sentence, name
        assert CHINESE.search(reason.next_step) or "{" in reason.next_step, name


def unnamed(known: list[tuple[str, Reason]], tests: str) -> list[str]:
    """Return the reasons that stand in no test, neither by the name of their constant nor by their code."""
    words = set(re.findall(r"\b[A-Z][A-Z_]+\b", tests)) | set(re.findall(r"""["']([a-z0-9_]+)["']""", tests))
    return [name for name, reason in known if not {name.rpartition(".")[2], reason.code} & words]


def test_every_refusal_is_named_by_a_test():
    tests = [path.read_text() for path in sorted((ROOT / "tests").rglob("*.py"))]
    assert unnamed(reasons(), "\n".join(tests)) == []


def test_the_look_for_refusals_without_a_test_sees_one():
    known = reasons()
    name, reason = known[0]
    others = " ".join(f'"{each.code}"' for _, each in known[1:])
    assert unnamed(known, f"{others} def test_{reason.code}") == [name]
    assert unnamed(known, f"{others} assert code == '{reason.code}'") == []


# ---- shape

LONGEST = 70  # lines with the docstring: a screen and a little


def test_functions_fit_a_screen():
    long = [
        (path, node.name, node.end_lineno - node.lineno + 1)
        for path, tree in source()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > LONGEST
    ]
    assert long == []


def test_nothing_is_put_off():
    later = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError|pytest\.mark\.(skip|xfail)\b")
    found = []
    for path in in_git():
        if path.suffix in (".py", ".html", ".js", ".css") and path != Path(__file__) and "locale" not in path.parts:
            found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in later.finditer(path.read_text())]
    assert found == []


# ---- what lies in the repository

PHONE = re.compile(rb"(?<![0-9A-Za-z.#_-])1[3-9][0-9]{9}(?![0-9A-Za-z])")
TEXT = {".py", ".md", ".html", ".js", ".css", ".json", ".txt", ".toml", ".yml", ".yaml", ".example", ".sql", ".conf"}


def test_only_invented_phone_numbers_stand_in_files():
    found = [
        f"{path.relative_to(ROOT)}: {number.decode()}"
        for path in in_git()
        if path.suffix in TEXT
        for number in PHONE.findall(path.read_bytes())
        if not number.startswith(b"1990000")
    ]
    assert found == []


FOREIGN = re.compile(
    r"""(?:src|href|action|data)\s*=\s*["'](?:https?:)?//[^"']+|url\(\s*["']?(?:https?:)?//[^)]+"""
    r"""|(?:from|import)\s*\(?\s*["'](?:https?:)?//[^"']+"""
)


def test_pages_load_nothing_from_elsewhere():
    folders = [ROOT / "templates", *(ROOT / app / "static" for app in APPS)]
    found = []
    for path in (p for folder in folders for p in folder.rglob("*") if p.suffix in (".html", ".js", ".css", ".svg")):
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in FOREIGN.finditer(path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    "text",
    ['<script src="https://cdn.example/a.js">', "url(//fonts.example/a.woff)", 'import x from "https://esm.example/x"'],
)
def test_the_look_for_foreign_parts_sees_one(text):
    assert FOREIGN.search(text)


def test_no_conflict_is_left_half_merged():
    marks = ("<" * 7 + " ", ">" * 7 + " ")
    texts = [p for p in in_git() if p.suffix in {".py", ".html", ".css", ".js", ".md", ".toml", ".txt", ".po", ".sql"}]
    assert [str(p) for p in texts if any(line.startswith(marks) for line in p.read_text().splitlines())] == []


def test_no_path_of_one_machine_stands_in_a_file():
    machine = re.compile(rb"/(home|Users)/[a-z]\w+/|/root/|/work/")
    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in in_git()
        if path.suffix in TEXT and path != Path(__file__)
        for match in machine.finditer(path.read_bytes())
    ]
    assert found == []


# ---- Django's own looks


@pytest.mark.django_db
def test_system_checks_are_green():
    call_command("check", fail_level="WARNING", stdout=StringIO())


@pytest.mark.django_db
def test_models_and_migrations_agree():
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())
