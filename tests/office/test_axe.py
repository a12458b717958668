"""No page of the back office has a serious fault by axe-core; it has one look, so light alone is judged."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Route

from tests.axe import axe
from tests.chromium import DESKTOP, PHONE, Opener
from tests.office import furnished
from tests.office.test_matrix import NO_PAGES, YES, asks_of

HOST = "http://testserver"
FONTS = (".woff", ".woff2", ".ttf")


@pytest.fixture
def office(at: Any, tmp_path: Path, settings: Any) -> furnished.Office:
    settings.MEDIA_ROOT = str(tmp_path)
    at("2022-06-25 09:05")
    return furnished.furnish(tmp_path)


def served(pages: dict[str, Any]) -> Any:
    """Answer a browser from pages that are made already, and from the static folders.

    A page is never made in the answer itself: that runs in the driver's event loop, whose database connection is
    another than the test's and would wait for the test's transaction for ever.
    """

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(HOST)
        if (page := pages.get(path)) is not None:
            route.fulfill(status=page.status_code, body=page.content, content_type=page["Content-Type"])
            return
        found = finders.find(path.split("?")[0].removeprefix("/static/")) if path.startswith("/static/") else None
        if found is None or found.endswith(FONTS):
            route.fulfill(status=404, body="")
        else:
            kind = mimetypes.guess_type(found)[0] or "application/octet-stream"
            route.fulfill(status=200, body=Path(found).read_bytes(), content_type=kind)

    return answer


def faults(opened: Opener, client: Client, paths: list[str], viewport: dict[str, int], **more: Any) -> list[str]:
    """Return what axe-core finds on somebody's pages."""
    pages = {path: client.get(path) for path in paths}
    context = opened(viewport=viewport, **more)
    context.route("**/*", served(pages))
    page, wrong = context.new_page(), []
    for path in paths:
        page.goto(HOST + path, wait_until="load")
        wrong += [f"{path} {finding}" for finding in axe(page)]
    context.close()
    return wrong


@pytest.mark.django_db
@pytest.mark.parametrize("look", [{}, {"viewport": PHONE}], ids=["desktop", "phone"])
def test_no_page_of_the_bureau_has_a_serious_fault(office, desk_of, opened, look):
    seen: list[str] = []
    wrong: list[str] = []
    for department in ("industry", "audit", "leaders", "market", "station") if not look else ("industry",):
        found = [a.path for a in asks_of(office, department) if a.method == "GET" and a.expected == YES]
        paths = [p for p in dict.fromkeys(found) if p not in seen and not NO_PAGES.search(p)]
        seen += paths
        wrong += faults(opened, desk_of(department), paths, **{"viewport": DESKTOP, **look})
    wrong += faults(opened, Client(), ["/admin/login/"], **{"viewport": DESKTOP, **look})
    assert wrong == [], "\n".join(wrong)
