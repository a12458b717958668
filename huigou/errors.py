"""The one way in which this platform says no.

A ``Reason`` is a constant with a machine code, an HTTP status, a Chinese sentence and what the person can do
next; a ``Refusal`` is that reason raised with its particulars. Page, API, admin and command render the same object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

REASONS: list[Reason] = []  # every one there is, for the interface's description


@dataclass(frozen=True)
class Reason:
    """Why something is refused.

    ``code`` is stable and machine-readable, ``status`` the HTTP status, ``sentence`` and ``next_step`` are
    Chinese format strings filled from the refusal's parameters.
    """

    code: str
    status: int
    sentence: str
    next_step: str

    def __post_init__(self) -> None:
        REASONS.append(self)

    def __call__(self, **params: Any) -> Refusal:
        """Return the refusal to raise: ``raise SOLD_OUT(category="餐饮")``."""
        return Refusal(self, **params)


class Refusal(Exception):
    """A normal, expected 'no'. Nothing has been changed when it is raised."""

    def __init__(self, reason: Reason, **params: Any) -> None:
        self.reason = reason
        self.params = params
        super().__init__(reason.code)

    @property
    def code(self) -> str:
        return self.reason.code

    @property
    def status(self) -> int:
        return self.reason.status

    @property
    def message(self) -> str:
        return self.reason.sentence.format(**self.params)

    @property
    def next_step(self) -> str:
        return self.reason.next_step.format(**self.params)

    def as_dict(self) -> dict[str, str]:
        """Return what the API answers: code, message and next step."""
        return {"code": self.code, "message": self.message, "next": self.next_step}

    def __str__(self) -> str:
        return f"{self.message}（{self.next_step}）" if self.reason.next_step else self.message


BAD_INPUT = Reason("bad_input", 400, "{what}不正确", "请按提示改正后重新提交")
FROZEN = Reason("books_frozen", 503, "账目核对中，暂停办理：{what}", "请稍候，核对完成后即可继续，已得的消费券不受影响")
FORBIDDEN = Reason("forbidden", 403, "您没有办理此事的权限", "请联系本部门负责人或工信局管理员")

# What the interface answers before any verb is asked.
NOT_JSON = Reason("not_json", 400, "请求内容不是有效的 JSON", "请刷新页面后重试")
NO_SUCH_ADDRESS = Reason("not_found", 404, "没有这个地址或记录", "请核对地址，或刷新页面")
WRONG_METHOD = Reason("wrong_method", 405, "这个地址不支持 {method} 方法", "请按接口文档的方法访问")
TOO_LARGE = Reason("too_large", 413, "提交的内容过大（上限 {limit}）", "请减小后重新提交")
WRONG_TYPE = Reason("wrong_type", 415, "不支持的内容类型“{type}”", "请按接口文档的类型提交")
SERVER_ERROR = Reason("server_error", 500, "系统暂时不能办理", "请稍候重试；已得的消费券不受影响")
