"""The interface's description: its page, what every operation may refuse, and all codes there are."""

from __future__ import annotations

from typing import Any

from drf_spectacular.views import SpectacularSwaggerSplitView

from huigou.api import SAME_ORIGIN_HEADER, SAME_ORIGIN_VALUE
from huigou.errors import REASONS


class Docs(SpectacularSwaggerSplitView):
    """The interface's documentation under the strict policy: no inline script, no file from elsewhere."""

    template_name = "api/docs.html"
    title = "接口文档"


INTRODUCTION = """\
本平台自己的页面所调用的接口。人由签名的 Cookie 识别；写操作只接受本站页面发出的请求：
请求头 `X-Requested-With: huigou`，浏览器给出的 `Origin` 须为本站。金额一律为整数（分），时间为 ISO 8601 或毫秒。

每一个拒绝都是同一形状：`code`（稳定的机器可读代码）、`message`（中文说明）、`next`（下一步怎么办）。

| code | 状态码 | 说明 | 下一步 |
|---|---|---|---|
"""
BEFORE_ANY_VERB = {
    "403": "不是本站页面发出的请求",
    "404": "没有这个地址或记录",
    "405": "方法不对",
    "413": "内容过大",
    "415": "内容类型不对",
    "429": "操作过于频繁",
    "500": "系统暂时不能办理",
    "503": "账目核对中，或外部服务不可用",
}


def describe_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to the schema what every operation may answer, what every write must send, and all codes there are."""
    refusal = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}}
    for operations in result["paths"].values():
        for method, operation in operations.items():
            is_write = method not in ("get", "head")
            for status, words in BEFORE_ANY_VERB.items():
                if is_write or status not in ("403", "413", "415"):
                    operation["responses"].setdefault(status, {**refusal, "description": words})
            operation["responses"] = dict(sorted(operation["responses"].items()))
            if is_write:
                operation.setdefault("parameters", []).append(_OWN_PAGE)
    rows = sorted({reason.code: reason for reason in REASONS}.values(), key=lambda reason: (reason.status, reason.code))
    table = "".join(f"| `{r.code}` | {r.status} | {r.sentence} | {r.next_step} |\n" for r in rows)
    result["info"]["description"] = INTRODUCTION + table
    return result


_OWN_PAGE = {
    "in": "header",
    "name": SAME_ORIGIN_HEADER,
    "required": True,
    "description": "本站页面的请求",
    "schema": {"type": "string", "enum": [SAME_ORIGIN_VALUE], "default": SAME_ORIGIN_VALUE},
}
