"""axe-core on every page, in daylight, in the dark and in large print; and nothing wider than a small phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Response

from coupons import lifecycle
from tests import factories
from tests.axe import Finding, axe
from tests.chromium import PHONE, Opener
from tests.every_page import ERRORS, Cast, Shown, acts, cast, error_page
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)
ALL = ("minor", "moderate", "serious", "critical")
MODES = ("light", "dark", "large")
SMALL = {"width": 320, "height": 640}
# A phone of 390 px zoomed to 200 % has 195 px of its own to lay the page out in.
ZOOMED = {"width": 195, "height": 422}


@pytest.fixture
def on(at) -> Cast:  # type: ignore[no-untyped-def]
    """Return the cast on a small county of three categories, in the middle of its first day."""
    at("2022-06-25 08:30")
    stock = {("lodging", 50): 8, ("dining", 100): 8, ("dining", 500): 2, ("fuel", 100): 8, ("book", 20): 6}
    county = factories.a_county(stock)
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    return cast(county)


def test_every_page_is_sound_in_every_mode_and_no_wider_than_a_small_phone(
    on: Cast, at, site: Site, opened: Opener
) -> None:
    tab, found, wide, seen = opened().new_page(), [], [], set()
    for pages in acts(on, at):
        for shown in pages:
            answer = open_as(shown, tab, site)
            assert answer.status == shown.status, shown.name
            for mode in MODES:
                found += [f"{shown.name}, {mode}: {each}" for each in judged(tab, mode)]
            wide += [f"{shown.name}, {width} px, {mode}" for width, mode in too_wide(tab)]
            seen.add(shown.name)
    assert found == []
    assert wide == []
    assert len(seen) > 40


def judged(tab: Page, mode: str) -> list[Finding]:
    """Return everything that axe-core finds once the page has turned to a mode."""
    tab.emulate_media(color_scheme="dark" if mode == "dark" else "light")
    in_large_print(tab, on=mode == "large")
    return axe(tab, impacts=ALL)


def in_large_print(tab: Page, *, on: bool) -> None:
    tab.evaluate("on => document.documentElement.toggleAttribute('data-large', on)", on)


def too_wide(tab: Page) -> list[tuple[int, str]]:
    """Return where the page would have to be pushed sideways: a small phone, and one zoomed to 200 %."""
    found = []
    for size in (SMALL, ZOOMED):
        tab.set_viewport_size(size)
        for mode in ("plain", "large"):
            in_large_print(tab, on=mode == "large")
            if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append((size["width"], mode))
    tab.set_viewport_size(PHONE)
    return found


def test_axe_finds_nothing_on_the_pages_of_errors(site: Site, opened: Opener) -> None:
    for scheme in ("light", "dark"):
        tab = opened(color_scheme=scheme).new_page()
        for name in ERRORS:
            body = error_page(name)
            tab.route("**/broken", lambda route, _, body=body: route.fulfill(body=body, content_type="text/html"))
            tab.goto(f"{site.url}/broken")
            assert axe(tab, impacts=ALL) == [], name
            tab.unroute("**/broken")


def open_as(shown: Shown, tab: Page, site: Site) -> Response:
    """Open a page as whoever it is for."""
    tab.goto("about:blank")  # the page before must not ask on with the next one's cookie
    tab.context.clear_cookies()
    if cookie := shown.cookie():
        tab.context.add_cookies([{"name": cookie[0], "value": cookie[1], "url": site.url}])
    answer = tab.goto(site.url + shown.address())
    assert answer is not None
    return answer
