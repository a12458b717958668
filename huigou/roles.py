"""Who may do what, as commented data; applied on deploy, used by the tests.

A change is made by one person and approved by another from a different department (design: four eyes). What the
database compares is person and department; this table says which departments may stand on either side.
"""

from __future__ import annotations

from dataclasses import dataclass

from huigou.models import Department

D = Department


@dataclass(frozen=True)
class FourEyes:
    """A money-moving step: its Chinese name, who may make it, who may approve it."""

    title: str
    makers: frozenset[str]
    checkers: frozenset[str]


def _step(title: str, makers: set[str], checkers: set[str]) -> FourEyes:
    return FourEyes(title, frozenset(makers), frozenset(checkers))


CHANGES: dict[str, FourEyes] = {
    # 财政局 makes the county's money available for the plan that 工信局 loaded.
    "fund": _step("拨入资金", {D.INDUSTRY}, {D.FINANCE, D.LEADERS}),
    # The campaign goes live once every finding of the plan is signed off.
    "launch": _step("活动上线", {D.INDUSTRY}, {D.LEADERS, D.FINANCE}),
    # What a round releases, edited by hand before it is dealt.
    "release": _step("修改本轮投放", {D.INDUSTRY}, {D.FINANCE, D.LEADERS}),
    # 第五轮结束后根据各品类使用情况进行适当调整
    "realloc": _step("品类调整", {D.INDUSTRY}, {D.FINANCE, D.LEADERS}),
    # A refunded purchase: the coupon goes back, or its value to the pool.
    "reverse": _step("退回已使用的券", {D.INDUSTRY, D.MARKET}, {D.FINANCE, D.AUDIT, D.LEADERS}),
    # 审计局 says what does not count; 财政局 confirms.
    "disallow": _step("不予补贴", {D.AUDIT, D.INDUSTRY}, {D.FINANCE, D.LEADERS, D.AUDIT}),
    "settle": _step("批准结算", {D.INDUSTRY}, {D.FINANCE, D.LEADERS}),
    "pay": _step("登记付款", {D.FINANCE}, {D.INDUSTRY, D.LEADERS}),
    "clawback": _step("追回补贴", {D.INDUSTRY, D.FINANCE}, {D.FINANCE, D.LEADERS, D.AUDIT}),
    # 返还财政 或 转作下一轮
    "return": _step("余额返还财政", {D.INDUSTRY, D.FINANCE}, {D.FINANCE, D.LEADERS}),
    "carry": _step("余额转作下一轮", {D.INDUSTRY, D.FINANCE}, {D.FINANCE, D.LEADERS}),
    "close": _step("活动结账", {D.INDUSTRY, D.FINANCE}, {D.FINANCE, D.LEADERS}),
    # Red books: two people name the findings that they accept.
    "unfreeze": _step("解除冻结", {D.INDUSTRY, D.FINANCE, D.AUDIT}, {D.FINANCE, D.AUDIT, D.LEADERS}),
    # The draw's seed: postponing a round when a share is missing, and the public random number.
    "postpone": _step("轮次延期", {D.INDUSTRY}, {D.DISCIPLINE, D.LEADERS}),
    "entropy": _step("登记公开随机数", {D.INDUSTRY}, {D.DISCIPLINE, D.AUDIT}),
}
