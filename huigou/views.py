"""Liveness, readiness, and the pages of errors."""

from __future__ import annotations

from django.conf import settings
from django.core.cache import cache
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from huigou import starting

_ready = {"migrated": False}


def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the process answers."""
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether database, migrations, clock and Redis are as they must be: 200, or 503 naming what is not."""
    state = {"database": False, "migrations": False, "clock": False, "redis": False}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        state["database"] = True
        if not _ready["migrated"]:
            executor = MigrationExecutor(connection)
            _ready["migrated"] = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        state["migrations"] = _ready["migrated"]
        state["clock"] = settings.DEMO or not starting.clock_is_shifted()
    except DatabaseError:
        pass
    try:
        cache.get("readyz")
        state["redis"] = True
    except Exception:
        state["redis"] = False
    good = state["database"] and state["migrations"] and state["clock"]
    # Redis is never the truth: without it the platform still draws and redeems, only without waiting room and queue.
    return JsonResponse({"ready": good, **state}, status=200 if good else 503)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Explain a failed CSRF check in plain Chinese."""
    return render(request, "errors/csrf.html", {"debug": settings.DEBUG}, status=403)
