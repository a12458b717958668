"""Liveness, readiness, and the pages of errors."""

from __future__ import annotations

from django.conf import settings
from django.core.cache import cache
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.crypto import constant_time_compare
from django.views import defaults
from django_prometheus.exports import ExportToDjangoView

from huigou import starting
from huigou.errors import BAD_INPUT, NO_SUCH_ADDRESS, SERVER_ERROR

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


def metrics(request: HttpRequest) -> HttpResponse:
    """Hand the figures to a Prometheus on this machine, or to one that knows METRICS_TOKEN; others find nothing.

    What a proxy passes on comes from elsewhere, though its connection begins on this machine.
    """
    token = settings.METRICS_TOKEN
    is_known = token and constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {token}")
    passed_on = any(name in request.headers for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"))
    is_here = request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1", "") and not passed_on
    if not (is_known or is_here):
        raise Http404
    return ExportToDjangoView(request)


def no_such_api(request: HttpRequest) -> JsonResponse:
    """Answer an address under /api/ that is none as the interface answers everything."""
    return JsonResponse(NO_SUCH_ADDRESS().as_dict(), status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what is no honest request, another site's name above all: a page, or the interface's own shape."""
    if request.path.startswith("/api/"):
        return JsonResponse(BAD_INPUT(what="请求").as_dict(), status=400)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what nobody foresaw: a page, or the interface's own shape."""
    if request.path.startswith("/api/"):
        return JsonResponse(SERVER_ERROR().as_dict(), status=500)
    return defaults.server_error(request)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Explain a failed CSRF check in plain Chinese."""
    return render(request, "errors/csrf.html", {"debug": settings.DEBUG}, status=403)
