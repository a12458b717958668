"""The interface is described truly, and its page works under the strict policy."""

from __future__ import annotations

import re

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from tests.api.test_refusals import addresses
from tests.chromium import Opener
from tests.pages.conftest import keeps_to_the_policy


@pytest.fixture(scope="module")
def schema(tmp_path_factory) -> dict:
    """The OpenAPI document, validated; a warning of its making fails."""
    path = tmp_path_factory.mktemp("schema") / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(path))
    return yaml.safe_load(path.read_text())


def test_the_document_is_valid_openapi_and_names_every_address(schema):
    assert schema["openapi"].startswith("3.")
    described = {re.sub(r"\{\w+\}", "1", path) for path in schema["paths"]}
    assert described == set(addresses())


def test_every_operation_says_in_chinese_what_it_does_and_what_it_refuses(schema):
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert re.search("[一-鿿]", operation["summary"]), path
            assert "200" in operation["responses"]
            refused = {"404", "405", "500", "503"} | ({"403", "413", "415"} if method == "post" else set())
            assert refused <= set(operation["responses"])
            for status, answer in operation["responses"].items():
                if status != "200":
                    shape = answer["content"]["application/json"]["schema"]["$ref"]
                    assert shape.endswith(("/Refusal", "/ScreenRefusal")), (path, status)


def test_a_write_needs_the_header_of_our_pages(schema):
    sent = schema["paths"]["/api/v1/draws"]["post"]["parameters"]
    headers = [(p["name"], p.get("required", False)) for p in sent if p["in"] == "header"]
    assert headers == [("Idempotency-Key", False), ("X-Requested-With", True)]


def test_every_code_stands_in_the_description(schema):
    for code in ("forbidden", "not_json", "too_large", "not_bound", "books_frozen", "server_error"):
        assert f"| `{code}` |" in schema["info"]["description"]


def test_the_document_is_served(db):
    answer = Client().get("/api/schema/")
    assert answer.status_code == 200
    assert yaml.safe_load(answer.content)["info"]["title"] == "惠购乾城"


def test_its_page_keeps_to_the_policy_and_speaks_chinese(db):
    answer = Client().get("/api/docs/")
    keeps_to_the_policy(answer)
    html = answer.content.decode()
    assert 'lang="zh-CN"' in html
    assert "接口文档" in html
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', html)


@pytest.mark.django_db(transaction=True)
def test_its_page_shows_every_operation_in_chromium(live_server, opened: Opener, static_files):
    page = opened({"width": 1440, "height": 900}).new_page()
    said = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: said.append(request.url) if live_server.url not in request.url else None)
    page.goto(f"{live_server.url}/api/docs/")
    page.locator(".opblock").first.wait_for()
    assert page.locator(".opblock").count() == len(addresses())
    page.locator(".opblock-summary", has_text="/api/v1/draws").click()
    opblock = page.locator(".opblock.is-open", has_text="本站页面的请求")
    opblock.get_by_role("button", name="试一试").click()
    opblock.get_by_role("button", name="发送", exact=True).wait_for()
    own_words = re.compile(r"[A-Z][a-z]+(?: [a-z]+){0,3}\.?")  # the package's: "Try it out", "No links"
    assert [line for line in opblock.inner_text().splitlines() if own_words.fullmatch(line.strip())] == []
    assert [text for text in said if not text.startswith("data:")] == []
