"""The views that the draw is measured against. Served by the benchmark's own web process and by no other."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from coupons import consumers
from huigou import tokens
from reports.benchmark import baseline

STOCK = 1


def empty(request: HttpRequest) -> HttpResponse:
    """Do nothing, under the standard middleware."""
    return HttpResponse(b"ok", content_type="text/plain")


def _who(request: HttpRequest) -> int:
    token = tokens.read("c", request.COOKIES.get(consumers.COOKIE))
    return token.id if token else 0


@csrf_exempt
def one_insert(request: HttpRequest) -> HttpResponse:
    """Insert one row in a transaction of its own."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_mark (consumer_id) VALUES (%s)", [_who(request)])
    return HttpResponse(b"ok", content_type="text/plain")


@csrf_exempt
def textbook_draw(request: HttpRequest) -> HttpResponse:
    """Draw in the textbook way."""
    won = baseline.draw(STOCK, _who(request))
    return JsonResponse({"win": won.pk} if won else {"code": "sold_out"}, status=200 if won else 409)
