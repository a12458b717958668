"""What a page passes to WeChat's own script: a signature of its address."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from huigou.wechat.credentials import jsapi_ticket


@dataclass(frozen=True)
class JsapiConfig:
    """What the page passes to wx.config. The timestamp is a string: iOS fails on a number."""

    app_id: str
    timestamp: str
    nonce: str
    signature: str

    def as_dict(self) -> dict[str, str]:
        """Return it under the names that wx.config takes."""
        return {
            "appId": self.app_id,
            "timestamp": self.timestamp,
            "nonceStr": self.nonce,
            "signature": self.signature,
        }


@sensitive_variables()
def jsapi_config(url: str, now: datetime) -> JsapiConfig:
    """Sign a page's address for wx.config (getLocation, scanQRCode).

    ``url`` is location.href as the phone sees it; its fragment does not count.
    """
    nonce, timestamp = secrets.token_hex(8), str(int(now.timestamp()))
    signature = jsapi_signature(jsapi_ticket(), nonce, timestamp, url)
    return JsapiConfig(settings.WECHAT_APP_ID, timestamp, nonce, signature)


@sensitive_variables()
def jsapi_signature(ticket: str, nonce: str, timestamp: str, url: str) -> str:
    """Return the SHA-1 (hex) that WeChat's JS-SDK document prescribes, 附录1."""
    page = url.partition("#")[0]
    plain = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={page}"
    return hashlib.sha1(plain.encode(), usedforsecurity=False).hexdigest()
