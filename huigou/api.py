"""What the DRF views of all apps share."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from huigou.errors import BAD_INPUT, FORBIDDEN, Refusal

SAME_ORIGIN_HEADER = "X-Requested-With"
SAME_ORIGIN_VALUE = "huigou"


class SameOrigin(BasePermission):
    """Let a write through only from our own pages' scripts.

    Another site can neither send our SameSite=Lax cookies with a POST nor set this header without a preflight that
    nobody answers; where the browser names the origin, it must be ours too.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method in SAFE_METHODS:
            return True
        origin = request.headers.get("Origin")
        same = origin is None or origin == f"{request.scheme}://{request.get_host()}"
        if request.headers.get(SAME_ORIGIN_HEADER) != SAME_ORIGIN_VALUE or not same:
            raise FORBIDDEN()
        return True


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Answer a Refusal with its own status and body; DRF's own errors keep their status in the same shape."""
    if isinstance(exc, Refusal):
        return Response(exc.as_dict(), status=exc.status)
    response = drf_exception_handler(exc, context)
    if response is not None:
        detail = response.data if isinstance(response.data, dict) else {"detail": response.data}
        message = str(detail.get("detail") or "；".join(f"{k}：{_first(v)}" for k, v in detail.items()))
        code = getattr(getattr(exc, "detail", None), "code", None) or BAD_INPUT.code
        response.data = {"code": str(code), "message": message, "next": BAD_INPUT.next_step}
    return response


def _first(value: Any) -> str:
    return str(value[0]) if isinstance(value, list) and value else str(value)
