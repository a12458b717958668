"""Phones of the standing people, and what every page must keep to."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from coupons import consumers
from coupons.models import Consumer
from merchants import binding
from merchants.models import Clerk

SCRIPT = {"HTTP_X_REQUESTED_WITH": "huigou"}


@pytest.fixture
def phone_of() -> Callable[..., Client]:
    """Return a browser on which somebody is bound."""

    def phone(*people: Consumer | Clerk) -> Client:
        client = Client(headers={"X-Requested-With": "huigou"})
        for who in people:
            module = consumers if isinstance(who, Consumer) else binding
            client.cookies[module.COOKIE] = module.cookie_of(who)
        return client

    return phone


def keeps_to_the_policy(response) -> None:  # type: ignore[no-untyped-def]
    """Say that a page needs nothing that the strict policy forbids: no inline script, style or handler."""
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    html = response.content.decode()
    assert not re.findall(r"\sstyle=|<style|\son[a-z]+=|javascript:", html)
    scripts = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", html)
    assert all('type="application/json"' in attributes for attributes in scripts)
