"""Liveness, readiness and figures: what they say, and to whom."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client

from huigou import views


def test_a_living_process_says_so_without_its_servers(monkeypatch):
    monkeypatch.setattr(views, "connection", None)
    monkeypatch.setattr(views, "cache", None)
    assert Client().get("/healthz").content == b"ok"


def test_ready_names_database_migrations_and_redis(db, monkeypatch):
    monkeypatch.setattr(views, "_ready", {"migrated": False})
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == dict.fromkeys(("ready", "database", "migrations", "redis", "clock"), True)


def test_without_redis_the_platform_is_still_ready_and_says_what_is_missing(db, monkeypatch):
    monkeypatch.setattr(cache, "get", lambda *_: (_ for _ in ()).throw(ConnectionError()))
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["redis"]) == (200, False)


def test_without_the_database_it_is_not(db, monkeypatch):
    class Down:
        def cursor(self):
            raise OperationalError

    monkeypatch.setattr(views, "connection", Down())
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, False)


def test_with_a_migration_missing_it_is_not(db, monkeypatch):
    monkeypatch.setattr(views, "_ready", {"migrated": False})
    monkeypatch.setattr(views.MigrationExecutor, "migration_plan", lambda *_: ["one"])
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["migrations"]) == (503, False)


def test_figures_are_for_this_machine(db):
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert b"# HELP" in answer.content


@pytest.mark.parametrize(
    "more",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"HTTP_X_FORWARDED_FOR": "192.0.2.7"},  # by the proxy of this machine
        {"HTTP_X_REAL_IP": "192.0.2.7"},
        {"HTTP_AUTHORIZATION": "Bearer ", "REMOTE_ADDR": "192.0.2.7"},
    ],
)
def test_figures_are_not_for_the_public(db, more):
    assert Client().get("/metrics", **more).status_code == 404


def test_a_prometheus_elsewhere_needs_the_token(db, settings):
    settings.METRICS_TOKEN = "invented-token"
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert Client().get("/metrics", headers={"Authorization": "Bearer wrong"}, **elsewhere).status_code == 404
    assert Client().get("/metrics", headers={"Authorization": "Bearer invented-token"}, **elsewhere).status_code == 200
