"""The demonstration, served as in production, with a cast on it: what pictures and Lighthouse look at.

Runs on the servers and the database of its own VAR_DIR (``make shots``, ``make lighthouse``), never on make run's.
"""

# ruff: noqa: E402 (Django is set up before its models are imported)
from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huigou.settings")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

import django

django.setup()

from django.conf import settings
from django.core.management import call_command

from coupons.models import Campaign
from huigou import clock
from tests.every_page import Cast, cast, county_of
from tests.serving import Site, free_port, running, wait_for, web


@contextmanager
def served() -> Iterator[Site]:
    """Serve this VAR_DIR's database with collected, compressed files and a worker behind, as make run does."""
    call_command("collectstatic", interactive=False, verbosity=0)
    port = free_port()
    environment = {**os.environ, "HUIGOU_SERVING": "true", "VAR_DIR": str(settings.VAR_DIR)}
    tasks = [sys.executable, "-m", "celery", "-A", "huigou", "worker", "--pool", "solo", "--loglevel", "error"]
    with running(web(port, "--no-log"), environment), running(tasks, environment):
        url = f"http://127.0.0.1:{port}"
        wait_for(url + "/readyz")
        yield Site(url, environment)


def staged() -> Cast:
    """Load the county's plan and let the cast play on it; the database must be new."""
    call_command("create_demo", people=0, verbosity=0)
    campaign = Campaign.objects.current()
    assert campaign is not None
    return cast(county_of(campaign))


def mover() -> Callable[[dt.datetime], None]:
    """Return a way to set the platform's clock, which runs on from there."""
    offset = dt.timedelta(0)

    def move(when: dt.datetime) -> None:
        # From now, not from the beginning: judging fifty pages takes longer than a registration is open.
        nonlocal offset
        offset += when - clock.now()
        clock.shift(offset=offset)

    return move


def today() -> dt.date:
    """Return this machine's day, for the date of a measurement."""
    return dt.datetime.now(clock.SHANGHAI).date()
