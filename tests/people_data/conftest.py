"""An account at WeChat with three people who have been there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.leafs.loopback import FakeWeChat, an_account

SECRET = "s3cr3t-0f-the-account-9f8e7d"


@pytest.fixture
def account(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWeChat]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with an_account(settings, SECRET) as server:
        server.codes["base"] = {"openid": "o-wang", "scope": "snsapi_base"}
        server.codes["base-again"] = {"openid": "o-wang", "scope": "snsapi_base"}
        server.codes["named"] = {"openid": "o-wang", "scope": "snsapi_userinfo"}
        server.codes["snap"] = {"openid": "o-virtual", "scope": "snsapi_userinfo", "is_snapshotuser": 1}
        server.profiles["o-wang"] = {"nickname": "明远🍜?'\"<b>"}
        server.subscribers.add("o-wang")
        yield server
