"""What staff do on the back office's pages, as steps that several browser tests share."""

from __future__ import annotations

from django.conf import settings
from django.test import Client
from playwright.sync_api import Locator, Page, expect

from huigou.models import Staff
from huigou.theme import MENU
from tests.chromium import DESKTOP, Opener
from tests.serving import Site

ADDRESSES = {item["title"]: item["link"] for part in MENU for item in part["items"]}


def at_work(opened: Opener, site: Site, who: Staff, entry: str) -> Page:
    """Open an entry of the menu for somebody who is logged in already, on a desktop of their own."""
    client = Client()
    client.force_login(who, "django.contrib.auth.backends.ModelBackend")
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context = opened(DESKTOP)
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site.url}])
    page = context.new_page()
    page.goto(f"{site.url}{ADDRESSES[entry]}")
    expect(page.get_by_role("heading", name=entry).first).to_be_visible()
    return page


def go(page: Page, entry: str) -> None:
    """Open an entry of the menu."""
    page.get_by_role("navigation").get_by_role("link", name=entry, exact=True).click()
    expect(page.get_by_role("heading", name=entry).first).to_be_visible()


def ask(page: Page, button: str, row: str = "") -> Locator:
    """Press a deed's button, of the page or of the row that holds a word; return its dialog."""
    where = page.locator("tbody tr", has_text=row) if row else page.locator("body")
    where.get_by_role("link", name=button, exact=True).first.click()
    dialog = page.locator("dialog.desk-dialog[open]")
    expect(dialog).to_be_visible()
    return dialog


def agree(dialog: Locator) -> None:
    """Send a dialog's form."""
    dialog.locator("button[type=submit]").click()


def told(page: Page, words: str) -> None:
    """Wait for what the page says after a deed."""
    expect(page.get_by_text(words).first).to_be_visible()
