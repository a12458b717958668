"""Aliyun SMS, SendSms of 2017-05-25, signed the RPC way (HMAC-SHA1, 请求体与签名机制).

The RPC style is used rather than ACS3 because all of its parameters, the phone number among them, can stand in the
form body; Aliyun's own ACS3 clients put them into the address, which proxies and access logs keep.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from django.conf import settings

from huigou import outbound
from huigou.errors import Reason
from huigou.sms.base import (
    BAD_NUMBER,
    BUSY,
    DOWN,
    MISCONFIGURED,
    GatewayBackend,
    Receipt,
    Sms,
    SmsError,
    reason_for,
)

ENDPOINT = "https://dysmsapi.aliyuncs.com"
VERSION = "2017-05-25"

# By prefix of Aliyun's error code.
REASONS: dict[str, Reason] = {
    "isv.BUSINESS_LIMIT_CONTROL": BUSY,
    "isv.DAY_LIMIT_CONTROL": BUSY,
    "isv.MONTH_LIMIT_CONTROL": BUSY,
    "Throttling": BUSY,
    "isp.": DOWN,
    "isp.RAM_PERMISSION_DENY": MISCONFIGURED,
    "ServiceUnavailable": DOWN,
    "InternalError": DOWN,
    "isv.MOBILE_NUMBER_ILLEGAL": BAD_NUMBER,
    "isv.OUT_OF_SERVICE": MISCONFIGURED,
    "isv.AMOUNT_NOT_ENOUGH": MISCONFIGURED,
    "isv.ACCOUNT_": MISCONFIGURED,
    "isv.PRODUCT_UN_SUBSCRIPT": MISCONFIGURED,
    "isv.SMS_": MISCONFIGURED,
    "isv.TEMPLATE_MISSING_PARAMETERS": MISCONFIGURED,
    "InvalidAccessKeyId": MISCONFIGURED,
    "SignatureDoesNotMatch": MISCONFIGURED,
    "IncompleteSignature": MISCONFIGURED,
    "InvalidTimeStamp": MISCONFIGURED,
    "Forbidden": MISCONFIGURED,
}


class AliyunBackend(GatewayBackend):
    """Send by an approved template. SMS_GATEWAY_URL replaces the address where it is set."""

    name = "aliyun"
    required = ("SMS_ACCESS_ID", "SMS_ACCESS_SECRET", "SMS_SIGN_NAME", "SMS_TEMPLATE_ID")

    def request(self, sms: Sms, now: datetime) -> tuple[str, dict[str, str], bytes]:
        """Return the signed request; ``now`` must be within fifteen minutes of Aliyun's clock."""
        params = {
            "AccessKeyId": settings.SMS_ACCESS_ID,
            "Action": "SendSms",
            "Format": "JSON",
            "OutId": sms.reference,
            "PhoneNumbers": sms.phone,
            "SignName": settings.SMS_SIGN_NAME,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": str(uuid.uuid4()),
            "SignatureVersion": "1.0",
            "TemplateCode": sms.template,
            "TemplateParam": json.dumps(dict(sms.params), ensure_ascii=False, separators=(",", ":")),
            "Timestamp": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Version": VERSION,
        }
        params["Signature"] = signature(params, settings.SMS_ACCESS_SECRET)
        address = (settings.SMS_GATEWAY_URL or ENDPOINT).rstrip("/") + "/"
        return address, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(params).encode()

    def judge(self, answer: outbound.Answer) -> Receipt | SmsError:
        """Read Code and BizId."""
        found = answer.document()
        if found["Code"] == "OK":
            return Receipt(self.name, str(found.get("BizId", "")))
        return SmsError(reason_for(found["Code"], REASONS), found["Code"], str(found.get("Message", "")))


def signature(params: Mapping[str, str], secret: str) -> str:
    """Return the signature (base64) of a POST to ``/`` with these parameters."""
    query = "&".join(f"{_quoted(name)}={_quoted(params[name])}" for name in sorted(params))
    to_sign = f"POST&%2F&{_quoted(query)}"
    return base64.b64encode(hmac.digest(f"{secret}&".encode(), to_sign.encode(), hashlib.sha1)).decode()


def _quoted(text: str) -> str:
    return quote(text, safe="~")
