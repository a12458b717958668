"""What the DRF views of all apps share: who may write, how much, and how a refusal is answered."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from rest_framework.views import exception_handler as drf_exception_handler

from huigou.errors import (
    BAD_INPUT,
    FORBIDDEN,
    NO_SUCH_ADDRESS,
    NOT_JSON,
    TOO_LARGE,
    WRONG_METHOD,
    WRONG_TYPE,
    Refusal,
)
from huigou.rules import refusal_of

SAME_ORIGIN_HEADER = "X-Requested-With"
SAME_ORIGIN_VALUE = "huigou"
MAX_BODY_BYTES = 16_000  # the largest honest request, an entry with a note, has about 2,000


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


class AlwaysJson(BaseContentNegotiation):
    """Answer in JSON whatever is asked for: a browser that opens an address reads the refusal too."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        wanted = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == wanted), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class ShallowJson(JSONParser):
    """JSON whose nesting an interpreter can follow: a body of nothing but brackets is no JSON of ours."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as deep:
            raise exceptions.ParseError from deep


class OwnPagesView(APIView):
    """A view for our own pages' scripts: people are named by their signed cookie, writes come from our origin."""

    permission_classes = [SameOrigin]
    parser_classes = [ShallowJson]
    content_negotiation_class = AlwaysJson
    max_body_bytes = MAX_BODY_BYTES

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a body by its announced length, before a byte of it is read."""
        super().initial(request, *args, **kwargs)
        if int(request.META.get("CONTENT_LENGTH") or 0) > self.max_body_bytes:
            raise TOO_LARGE(limit=spoken_bytes(self.max_body_bytes))


def spoken_bytes(count: int) -> str:
    """Return 16 KB or 12 MB."""
    return f"{count // 1_000_000} MB" if count >= 1_000_000 else f"{count // 1_000} KB"


def checked(shape: type[Serializer], data: Any) -> dict[str, Any]:
    """Return what came in, checked against its shape; raises BAD_INPUT naming each field in Chinese and why."""
    asked = shape(data=data)
    if asked.is_valid():
        return asked.validated_data
    raise BAD_INPUT(what="；".join(_named(asked, field, said) for field, said in asked.errors.items()))


def _named(asked: Serializer, field: str, said: Any) -> str:
    known = asked.fields.get(field)
    label = (known.help_text or known.label) if known is not None else "请求"
    return f"{str(label).partition('：')[0]}（{str(_first(said)).rstrip('。')}）"


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Answer every refusal in one shape with its own status: ours, and those that DRF raises before our code."""
    if isinstance(exc, SuspiciousOperation):  # what Django refuses while it takes a form apart
        exc = TOO_LARGE(limit="以接口文档为准") if isinstance(exc, RequestDataTooBig) else BAD_INPUT(what="请求")
    if isinstance(exc, DatabaseError):
        exc = refusal_of(exc) or exc
    if isinstance(exc, Refusal):
        return Response(exc.as_dict(), status=exc.status)
    response = drf_exception_handler(exc, context)
    if response is None:
        return None  # nobody's refusal: the handler of errors answers
    refusal = _as_refusal(exc, context["request"])
    response.data = refusal.as_dict()
    response.status_code = refusal.status
    return response


def _as_refusal(exc: Exception, request: Request) -> Refusal:
    if isinstance(exc, exceptions.ParseError):
        return NOT_JSON()
    if isinstance(exc, exceptions.MethodNotAllowed):
        return WRONG_METHOD(method=(request.method or "")[:20])
    if isinstance(exc, exceptions.UnsupportedMediaType):
        return WRONG_TYPE(type=(request.content_type or "无")[:60])
    if isinstance(exc, exceptions.PermissionDenied | exceptions.NotAuthenticated):
        return FORBIDDEN()
    if isinstance(exc, exceptions.ValidationError):
        detail = exc.detail if isinstance(exc.detail, dict) else {"": exc.detail}
        return BAD_INPUT(what="；".join(_first(said) for said in detail.values()))
    return NO_SUCH_ADDRESS()


def _first(value: Any) -> str:
    text = str(value[0]) if isinstance(value, list) and value else str(value)
    return text.encode("utf-8", "replace").decode()  # half a surrogate that was sent is said back
