"""Any provider with a plain JSON-over-HTTP interface, described by settings."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.conf import settings

from huigou import outbound
from huigou.sms.base import BUSY, DOWN, MISCONFIGURED, REJECTED, GatewayBackend, Receipt, Sms, SmsError

DEFAULT_BODY = (
    '{"phone": "{phone}", "text": "{text}", "sign": "{sign}", "template": "{template}", "params": "{params}",'
    ' "reference": "{reference}"}'
)


class HttpBackend(GatewayBackend):
    """POST a JSON document to SMS_GATEWAY_URL, with SMS_GATEWAY_TOKEN as bearer token where there is one.

    SMS_GATEWAY_BODY is that document with placeholders in its strings: {phone}, {phone_e164}, {text} (with 【签名】),
    {sign}, {template}, {reference}, {token} and each template variable as {params.code}; a string that is just
    "{params}" becomes the object of the variables. SMS_GATEWAY_OK, "path=value" (such as code=0 or data.status=ok),
    says what a taken message looks like; empty means that any 2xx does.
    """

    name = "http"
    required = ("SMS_GATEWAY_URL",)

    def problems(self) -> list[str]:
        """Return what is missing, and whether body and success rule can be read."""
        found = super().problems()
        try:
            if not isinstance(json.loads(_body_setting()), dict):
                raise ValueError
        except ValueError:
            found.append("SMS_GATEWAY_BODY 应为一个 JSON 对象")
        if (rule := _ok_setting()) and not all(part.strip() for part in rule.partition("=")):
            found.append("SMS_GATEWAY_OK 应形如 code=0")
        return found

    def request(self, sms: Sms, now: datetime) -> tuple[str, dict[str, str], bytes]:
        """Fill the body's placeholders."""
        values = {
            "{phone}": sms.phone,
            "{phone_e164}": f"+86{sms.phone}",
            "{text}": sms.signed_text,
            "{sign}": settings.SMS_SIGN_NAME,
            "{template}": sms.template,
            "{reference}": sms.reference,
            "{token}": settings.SMS_GATEWAY_TOKEN,
            **{f"{{params.{name}}}": value for name, value in sms.params.items()},
        }
        document = _filled(json.loads(_body_setting()), values, dict(sms.params))
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if settings.SMS_GATEWAY_TOKEN:
            headers["Authorization"] = f"Bearer {settings.SMS_GATEWAY_TOKEN}"
        return settings.SMS_GATEWAY_URL, headers, json.dumps(document, ensure_ascii=False).encode()

    def judge(self, answer: outbound.Answer) -> Receipt | SmsError:
        """Judge by status and by SMS_GATEWAY_OK."""
        status, code = answer.status, f"HTTP {answer.status}"
        if status == 429:
            return SmsError(BUSY, code)
        if status in (401, 403):
            return SmsError(MISCONFIGURED, code)
        if status >= 500:
            # A proxy's 502 or 504 says nothing about what the gateway behind it did.
            return SmsError(DOWN, code, maybe_sent=True)
        if not 200 <= status < 300:
            return SmsError(REJECTED, code)
        if not (rule := _ok_setting()):
            return Receipt(self.name)
        path, _, wanted = rule.partition("=")
        value: Any = answer.document()
        for step in path.strip().split("."):
            value = value[step]
        if str(value) == wanted.strip():
            return Receipt(self.name)
        return SmsError(REJECTED, str(value)[:40], answer.body.decode("utf-8", errors="replace"))


def _filled(node: Any, values: dict[str, str], params: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(child, values, params) for key, child in node.items()}
    if isinstance(node, list):
        return [_filled(child, values, params) for child in node]
    if node == "{params}":
        return params
    if not isinstance(node, str):
        return node
    # From left to right and once: a value that itself looks like a placeholder stays as it is.
    out, rest = "", node
    while rest:
        name = next((name for name in values if rest.startswith(name)), None)
        out += values[name] if name else rest[0]
        rest = rest[len(name) :] if name else rest[1:]
    return out


def _body_setting() -> str:
    return settings.SMS_GATEWAY_BODY or DEFAULT_BODY


def _ok_setting() -> str:
    return settings.SMS_GATEWAY_OK
