"""What the DRF views of all apps share."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from huigou.errors import BAD_INPUT, Refusal


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
