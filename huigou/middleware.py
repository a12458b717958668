"""One place where a refusal becomes a page or a JSON answer, and where the admin gets its own policy."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from structlog.contextvars import bind_contextvars, bound_contextvars

from huigou.errors import Refusal
from huigou.rules import refusal_of

# The admin's theme evaluates Alpine expressions and sets inline styles; nothing from outside is allowed there either.
ADMIN_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class LogContextMiddleware:
    """Let every line that is logged under a request say which one, and which page; never its address or its query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with bound_contextvars(request_id=secrets.token_hex(4), method=request.method, page=""):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: object) -> None:
        # The route, not the path: that of a coupon's page holds its living code.
        bind_contextvars(page=request.resolver_match.route if request.resolver_match else "")


class RefusalMiddleware:
    """Render a Refusal that reached the edge; anything else is Django's to handle."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/admin/"):
            response.headers.setdefault("Content-Security-Policy", ADMIN_POLICY)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DatabaseError):
            exception = refusal_of(exception) or exception  # a rule that the database held is a refusal too
        if not isinstance(exception, Refusal):
            return None
        if request.path.startswith("/api/") or request.headers.get("accept", "").startswith("application/json"):
            return JsonResponse(exception.as_dict(), status=exception.status)
        return render(request, "errors/refusal.html", {"refusal": exception}, status=exception.status)
