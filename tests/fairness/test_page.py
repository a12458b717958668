"""The public page verifies in a real browser under a strict policy, with nothing sent anywhere."""

from __future__ import annotations

import functools
import json
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.template import Context, Engine

from tests.fairness import forgeries
from tests.fairness.vectors import VERIFY

ROOT = Path(__file__).resolve().parents[2]
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
# The page alone is under test: its frame needs nothing but the blocks.
FRAME = (
    '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{% block title %}{% endblock %}</title>'
    "{% block js %}{% endblock %}</head><body>{% block public_head %}{% endblock %}{% block public %}{% endblock %}"
)
STATIC = re.compile(r'\{% static "coupons/verify/([^"]+)" %\}')
ICON = re.compile(r"\{% icon [^%]*%\}")


def rendered(**context) -> str:
    """Return the page inside the bare frame, its files at /static."""
    source = (ROOT / "templates/public/verify.html").read_text()
    source = ICON.sub("", STATIC.sub(r"/static/\1", source)).replace("{% load static shown %}", "")
    loaders = [("django.template.loaders.locmem.Loader", {"public/base.html": FRAME, "page": source})]
    return Engine(loaders=loaders).get_template("page").render(Context(context))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve the page, its scripts, an honest round and a forged one; yield the address."""
    folder = tmp_path_factory.mktemp("site")
    story = forgeries.honest()
    forged = story.document()
    forgeries._swap_cards(forged)
    (folder / "1.json").write_text(json.dumps(story.document()))
    (folder / "2.json").write_text(json.dumps(forged))
    (folder / "heads.jsonl").write_text(story.published())
    (folder / "static").symlink_to(VERIFY)
    rounds = [{"number": number, "document_url": f"/{number}.json"} for number in (1, 2)]
    (folder / "index.html").write_text(rendered(rounds=rounds, heads_url="/heads.jsonl", public_key="00"))

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self):
            self.send_header("Content-Security-Policy", POLICY)
            super().end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(site, browser):
    """Yield the page in Chromium; what the console complains about fails the test."""
    complaints: list[str] = []
    opened = browser.new_page()
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(site)
    yield opened
    opened.close()
    assert [text for text in complaints if "favicon" not in text and "404" not in text] == []


def verdict(page) -> str:
    page.click("#verify-start")
    page.locator("#verify-verdict").wait_for(state="visible")
    return page.inner_text("#verify-verdict")


def test_an_honest_round_is_green_and_a_receipt_is_found(page):
    assert verdict(page).startswith("全部相符：80 次抽奖")
    assert page.locator("#verify-findings tbody tr").count() == 0
    assert page.locator("#verify-decks tbody tr").count() == 2
    row = forgeries.honest().document()["decks"][0]["log"][11]
    page.fill("#verify-receipt", row[6][:12])
    assert page.locator("#verify-rows tbody tr").count() == 1
    cells = page.locator("#verify-rows tbody td").all_inner_texts()
    assert cells[:3] == ["dining", "11", f"{row[1] / 100:.2f}"]
    assert cells[3] == "2022/6/25 09:00:16"


def test_a_forged_round_is_named(page):
    page.select_option("#verify-round", "/2.json")
    assert verdict(page) == "核验未通过：2 类错误"
    texts = page.locator("#verify-findings tbody tr").all_inner_texts()
    assert texts[0].split("\t")[:3] == ["错误 card", "dining", "7"]


def test_a_round_that_is_not_revealed_is_not_called_whole(page, tmp_path):
    document = forgeries.honest().document()
    for share in document["shares"]:
        share["share"] = None
    (tmp_path / "mine.json").write_text(json.dumps(document))
    page.set_input_files("#verify-file", tmp_path / "mine.json")
    assert verdict(page).startswith("已核对的相符，牌序要等份额揭示后再核对：80 次抽奖")


def test_files_of_ones_own_are_verified(page, tmp_path):
    story = forgeries.honest()
    document = story.document()
    forgeries._full_rewrite(document)
    (tmp_path / "mine.json").write_text(json.dumps(document))
    (tmp_path / "heads.jsonl").write_text(story.published())
    page.set_input_files("#verify-file", tmp_path / "mine.json")
    page.set_input_files("#verify-heads", tmp_path / "heads.jsonl")
    assert verdict(page).startswith("核验未通过")
    assert "错误 key" in page.inner_text("#verify-findings")


def test_what_is_no_file_is_said_to_be_none(page, tmp_path):
    (tmp_path / "mine.json").write_text("{")
    page.set_input_files("#verify-file", tmp_path / "mine.json")
    page.click("#verify-start")
    page.get_by_text("文件不是 JSON").wait_for()
    page.fill("#verify-key", "xyz")
    page.click("#verify-start")
    page.get_by_text("签名公钥要是 64 位十六进制").wait_for()
