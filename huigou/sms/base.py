"""What a text message is, what a backend does with it, and how it fails without telling whose number it was."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from huigou import outbound
from huigou.errors import Reason, Refusal

log = logging.getLogger(__name__)

_LATER = "请稍后再试"
BUSY = Reason("sms_busy", 429, "短信发送过于频繁", _LATER)
BAD_NUMBER = Reason("sms_bad_number", 400, "这个手机号收不到短信", "请核对手机号")
DOWN = Reason("sms_down", 503, "短信暂时发不出去", _LATER)
MISCONFIGURED = Reason("sms_misconfigured", 503, "短信服务暂不可用", "请稍后再试，或联系工作人员")
REJECTED = Reason("sms_rejected", 502, "短信未被受理", _LATER)


class SmsError(Refusal):
    """A message that a gateway did not take. Holds no phone number, no text and no key.

    ``provider_code`` is the gateway's own, ``detail`` its words, scrubbed. ``maybe_sent`` is true when no clear answer
    came: sending again may send twice.
    """

    def __init__(self, reason: Reason, provider_code: str = "", detail: str = "", *, maybe_sent: bool = False) -> None:
        super().__init__(reason)
        self.provider_code = provider_code
        self.detail = detail
        self.maybe_sent = maybe_sent

    @property
    def retryable(self) -> bool:
        """Say whether the same message may go through later without anybody's doing."""
        return self.reason in (BUSY, DOWN)


@dataclass(frozen=True)
class Sms:
    """One message to one phone.

    ``phone`` is 11 digits, ``text`` the whole text without the signature, ``params`` the template's variables in its
    order, for gateways that take no free text. An empty ``template_id`` means SMS_TEMPLATE_ID. ``reference`` is the
    outbox's id, handed through for support calls.
    """

    phone: str = field(repr=False)
    text: str = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    template_id: str = ""
    reference: str = ""

    @property
    def masked_phone(self) -> str:
        """Return 199****1234."""
        return f"{self.phone[:3]}****{self.phone[-4:]}"

    @property
    def signed_text(self) -> str:
        """Return the text with the signature that mainland carriers require."""
        return f"【{settings.SMS_SIGN_NAME}】{self.text}"

    @property
    def template(self) -> str:
        """Return the gateway's template id."""
        return self.template_id or settings.SMS_TEMPLATE_ID


@dataclass(frozen=True)
class Receipt:
    """A gateway took the message; whether the phone got it is another matter."""

    backend: str
    provider_id: str = ""


def verification(phone: str, code: str, minutes: int, reference: str = "") -> Sms:
    """Return the message that carries a verification code; template variables ``code`` and ``minutes``."""
    text = f"您的验证码是{code}，{minutes}分钟内有效。工作人员不会向您索要验证码，请勿告诉他人。"
    return Sms(phone, text, {"code": code, "minutes": str(minutes)}, reference=reference)


def shop_code(phone: str, shop: str, code: str, days: int, reference: str = "") -> Sms:
    """Return the message that carries a shop's one-time binding code; variables ``shop``, ``code`` and ``days``."""
    text = f"{shop}的商家绑定验证码是{code}，{days}天内有效，只能使用一次，请勿告诉店外人员。"
    params = {"shop": shop, "code": code, "days": str(days)}
    return Sms(phone, text, params, template_id=settings.SMS_TEMPLATE_SHOP_ID, reference=reference)


def has_shop_template() -> bool:
    """Say whether a shop's code can be sent: a gateway that knows templates needs one for it, beside the codes'."""
    return bool(settings.SMS_TEMPLATE_SHOP_ID or not settings.SMS_TEMPLATE_ID)


class Backend(ABC):
    """One way to send. ``real`` says that messages leave this machine."""

    name: str
    real: bool = False

    @abstractmethod
    def send(self, sms: Sms, now: datetime) -> Receipt:
        """Hand over one message; ``now`` is the platform's instant. Raises SmsError."""

    def problems(self) -> list[str]:
        """Return in Chinese which settings are missing or wrong."""
        return []


class GatewayBackend(Backend):
    """A backend that makes one HTTP request for each message."""

    real = True
    required: tuple[str, ...] = ()

    def problems(self) -> list[str]:
        """Return the settings that this gateway needs and that are empty."""
        return [f"SMS_BACKEND={self.name} 需要设置 {name}" for name in self.required if not getattr(settings, name, "")]

    @abstractmethod
    def request(self, sms: Sms, now: datetime) -> tuple[str, dict[str, str], bytes]:
        """Return address, headers and body of the request for one message."""

    @abstractmethod
    def judge(self, answer: outbound.Answer) -> Receipt | SmsError:
        """Read the gateway's answer. ValueError, KeyError or TypeError when it is none that we know."""

    @sensitive_variables()
    def send(self, sms: Sms, now: datetime) -> Receipt:
        """Hand over one message. Raises SmsError."""
        if lacking := self.problems():
            raise SmsError(MISCONFIGURED, detail=lacking[0])
        url, headers, body = self.request(sms, now)
        try:
            answer = outbound.call("POST", url, timeout_s=settings.SMS_TIMEOUT_S, body=body, headers=headers)
            verdict = self.judge(answer)
        except outbound.Unreachable as silence:
            verdict = SmsError(DOWN, silence.kind, maybe_sent=silence.maybe_received)
        except (ValueError, LookupError, TypeError, AttributeError):
            verdict = SmsError(DOWN, f"HTTP {answer.status}", "unreadable answer", maybe_sent=True)
        if isinstance(verdict, Receipt):
            return verdict
        verdict.detail = outbound.scrubbed(verdict.detail, _secrets(sms))
        log.warning(
            "sms %s %s: %s %s %s", self.name, sms.reference, verdict.code, verdict.provider_code, verdict.detail
        )
        raise verdict


def _secrets(sms: Sms) -> tuple[str, ...]:
    return (
        settings.SMS_ACCESS_SECRET,
        settings.SMS_GATEWAY_TOKEN,
        sms.phone,
        sms.signed_text,
        sms.text,
        *(value for value in sms.params.values() if len(value) >= 4),
    )


def reason_for(code: str, table: Mapping[str, Reason]) -> Reason:
    """Return the reason of a gateway's error code: the longest prefix listed, else REJECTED."""
    prefixes = [prefix for prefix in table if code.startswith(prefix)]
    return table[max(prefixes, key=len)] if prefixes else REJECTED
