"""axe-core on every page, in daylight, in the dark and in large print; and nothing wider than a small phone."""

from __future__ import annotations

import pytest
from django.urls import get_resolver
from playwright.sync_api import Page, Response

from coupons import lifecycle
from tests import factories
from tests.axe import OF_COLOURS, Finding, axe
from tests.chromium import PHONE, Opener
from tests.every_page import ERRORS, Cast, Shown, acts, cast, error_page
from tests.pages.conftest import keeps_to_the_policy
from tests.serving import ROOT, Site
from tests.targets import too_small

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
    tab, found, small, wide, seen = opened().new_page(), [], [], [], set()
    for pages in acts(on, at):
        for shown in pages:
            answer = open_as(shown, tab, site)
            assert answer.status == shown.status, shown.name
            for mode in MODES:
                found += [f"{shown.name}, {mode}: {each}" for each in judged(tab, mode)]
            small += [f"{shown.name}: {each}" for each in too_small(tab)]
            wide += [f"{shown.name}, {width} px, {mode}" for width, mode in too_wide(tab)]
            seen.add(shown.name)
    assert found == []
    assert small == []
    assert wide == []
    assert len(seen) > 45


# Addresses under /m/, /shop/ and /public/ that answer with a way on, a file or a deed, never with a page of their own.
NO_PAGE = {
    "m-wechat", "m-wechat-back", "m-wechat-subscribe", "m-wechat-subscribed", "shop-wechat", "shop-wechat-back",
    "shop-recall", "public-document", "public-heads",
}  # fmt: skip
# Pages that stand nowhere while a campaign is on; the first is judged below, on an empty database.
NO_ADDRESS = {"m/nothing.html", "m/base.html", "shop/base.html", "public/base.html"}


def test_no_address_and_no_template_is_forgotten_and_all_keep_to_the_strict_policy(on: Cast, at, phone_of) -> None:
    seen, rendered = set(), set()
    for pages in acts(on, at):
        for shown in pages:
            answer = phone_of(*([shown.who] if shown.who else [])).get(shown.address())
            assert answer.status_code == shown.status, shown.name
            keeps_to_the_policy(answer)
            name = answer.resolver_match.url_name
            # The proof of work is a script of its own, asked for where a code is sent and nowhere else.
            assert ("js/pow" in answer.content.decode()) == (name in ("m-bind", "shop-bind")), shown.name
            seen.add(name)
            rendered |= {template.name for template in answer.templates}
    ours = [name for name in pages_by_name() if name not in NO_PAGE]
    assert sorted(set(ours) - seen - {"shop-home"}) == []  # /shop/ is /shop/scan by its shorter address
    folders = ("m", "shop", "public")
    all_templates = {
        f"{folder}/{path.name}" for folder in folders for path in (ROOT / "templates" / folder).glob("*.html")
    }
    assert sorted(all_templates - rendered - NO_ADDRESS) == []


def pages_by_name() -> dict[str, str]:
    """Return {name: pattern} of every address under the three prefixes that people open."""
    found = {}
    for pattern in [each for part in get_resolver().url_patterns for each in getattr(part, "url_patterns", [part])]:
        if str(pattern.pattern).startswith(("m/", "shop/", "public/")):
            found[pattern.name] = str(pattern.pattern)
    assert len(found) > 30
    return found


def judged(tab: Page, mode: str) -> list[Finding]:
    """Return everything that axe-core finds once the page has turned to a mode; the dark changes colours alone."""
    tab.emulate_media(color_scheme="dark" if mode == "dark" else "light")
    in_large_print(tab, on=mode == "large")
    return axe(tab, impacts=ALL, rules=OF_COLOURS if mode == "dark" else ())


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


def test_axe_finds_nothing_before_any_campaign_is_launched(site: Site, opened: Opener) -> None:
    tab = opened().new_page()
    tab.goto(f"{site.url}/m/")
    assert tab.get_by_role("heading", level=1).inner_text() != ""
    assert [each for mode in MODES for each in judged(tab, mode)] == []
    assert too_wide(tab) == []


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
