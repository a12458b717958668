"""Tencent Cloud SMS, SendSms of 2021-01-11, signed with TC3-HMAC-SHA256 (cloud.tencent.com/document/product/382)."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

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

ENDPOINT = "https://sms.tencentcloudapi.com"
SERVICE = "sms"
VERSION = "2021-01-11"
CONTENT_TYPE = "application/json; charset=utf-8"

# By prefix of Tencent's error code.
REASONS: dict[str, Reason] = {
    "LimitExceeded": BUSY,
    "RequestLimitExceeded": BUSY,
    "InternalError": DOWN,
    "AuthFailure": MISCONFIGURED,
    "UnauthorizedOperation": MISCONFIGURED,
    "MissingParameter": MISCONFIGURED,
    "UnsupportedOperation": MISCONFIGURED,
    "FailedOperation.InsufficientBalance": MISCONFIGURED,
    "FailedOperation.SignatureIncorrectOrUnapproved": MISCONFIGURED,
    "FailedOperation.TemplateIncorrectOrUnapproved": MISCONFIGURED,
    "FailedOperation.PhoneNumberInBlacklist": BAD_NUMBER,
    "InvalidParameterValue.IncorrectPhoneNumber": BAD_NUMBER,
    "InvalidParameterValue.SdkAppIdNotExist": MISCONFIGURED,
}


class TencentBackend(GatewayBackend):
    """Send by an approved template. SMS_GATEWAY_URL replaces the address where it is set."""

    name = "tencent"
    required = ("SMS_ACCESS_ID", "SMS_ACCESS_SECRET", "SMS_SDK_APP_ID", "SMS_SIGN_NAME", "SMS_TEMPLATE_ID")

    def request(self, sms: Sms, now: datetime) -> tuple[str, dict[str, str], bytes]:
        """Return the signed request; ``now`` must be within five minutes of Tencent's clock."""
        address = settings.SMS_GATEWAY_URL or ENDPOINT
        body = json.dumps(
            {
                "PhoneNumberSet": [f"+86{sms.phone}"],
                "SmsSdkAppId": settings.SMS_SDK_APP_ID,
                "TemplateId": sms.template,
                "SignName": settings.SMS_SIGN_NAME,
                "TemplateParamSet": list(sms.params.values()),
                "SessionContext": sms.reference,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
        host, timestamp = urlsplit(address).netloc, int(now.timestamp())
        headers = {
            "Authorization": authorization(
                settings.SMS_ACCESS_ID, settings.SMS_ACCESS_SECRET, host=host, body=body, timestamp=timestamp
            ),
            "Content-Type": CONTENT_TYPE,
            "Host": host,
            "X-TC-Action": "SendSms",
            "X-TC-Version": VERSION,
            "X-TC-Timestamp": str(timestamp),
            "X-TC-Region": settings.SMS_REGION,
        }
        return address.rstrip("/") + "/", headers, body

    def judge(self, answer: outbound.Answer) -> Receipt | SmsError:
        """Read either the request's error or the one number's status."""
        response = answer.document()["Response"]
        if error := response.get("Error"):
            return SmsError(reason_for(error["Code"], REASONS), error["Code"], str(error.get("Message", "")))
        status = response["SendStatusSet"][0]
        if status["Code"] == "Ok":
            return Receipt(self.name, str(status.get("SerialNo", "")))
        return SmsError(reason_for(status["Code"], REASONS), status["Code"], str(status.get("Message", "")))


def authorization(access_id: str, secret: str, *, host: str, body: bytes, timestamp: int) -> str:
    """Return the Authorization header of a POST to ``/`` (TC3-HMAC-SHA256, 签名方法 v3)."""
    canonical = "\n".join(
        [
            "POST",
            "/",
            "",
            f"content-type:{CONTENT_TYPE}",
            f"host:{host}",
            "",
            "content-type;host",
            hashlib.sha256(body).hexdigest(),
        ]
    )
    date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{SERVICE}/tc3_request"
    to_sign = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"TC3{secret}".encode()
    for part in (date, SERVICE, "tc3_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    signature = hmac.digest(key, to_sign.encode(), hashlib.sha256).hex()
    return f"TC3-HMAC-SHA256 Credential={access_id}/{scope}, SignedHeaders=content-type;host, Signature={signature}"
