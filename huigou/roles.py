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


# ---- what each department may see and do in the back office


@dataclass(frozen=True)
class Right:
    """A page or a deed: its Chinese name and whose it is."""

    title: str
    departments: frozenset[str]


def _right(title: str, *departments: str) -> Right:
    return Right(title, frozenset(departments))


EVERYBODY = tuple(D)
# Who looks at single coupons and the people behind them (masked). The operator runs the platform and sees no winner.
WATCHERS = (D.INDUSTRY, D.FINANCE, D.AUDIT, D.DISCIPLINE, D.MARKET, D.POLICE, D.LEADERS)
OFFICE = (*WATCHERS, D.MEDIA, D.OPERATOR)

RIGHTS: dict[str, Right] = {
    # -- pages
    "reports.view_shopfigures": _right("商家统计", *OFFICE),
    "merchants.view_redemption": _right("优惠券使用", *WATCHERS),
    "coupons.view_coupon": _right("优惠券领取", *WATCHERS),
    "coupons.view_consumer": _right("买家管理", *WATCHERS),
    "merchants.view_merchant": _right("商家管理", *OFFICE),
    "merchants.view_outlet": _right("店面", *OFFICE),
    "merchants.view_clerk": _right("员工", *WATCHERS),
    "coupons.view_batch": _right("优惠券管理", *OFFICE),
    "coupons.view_changerequest": _right("审批事项", *WATCHERS),
    "coupons.view_campaign": _right("活动与方案", *OFFICE),
    "coupons.view_round": _right("轮次", *OFFICE),
    "coupons.view_category": _right("品类", *OFFICE),
    "coupons.view_exclusion": _right("排除名单", D.INDUSTRY, D.DISCIPLINE, D.AUDIT),
    "coupons.view_notice": _right("公告", *OFFICE),
    "coupons.view_station": _right("村级服务站", D.INDUSTRY, D.DISCIPLINE, D.STATION, D.LEADERS),
    "coupons.view_assist": _right("代抽记录", D.INDUSTRY, D.DISCIPLINE, D.AUDIT, D.STATION, D.LEADERS),
    "coupons.view_reveal": _right("个人信息查看记录", D.DISCIPLINE, D.AUDIT),
    "coupons.view_freeze": _right("账目冻结", D.INDUSTRY, D.FINANCE, D.AUDIT, D.DISCIPLINE, D.LEADERS, D.OPERATOR),
    "reports.view_reallocation": _right("品类调整", D.INDUSTRY, D.FINANCE, D.AUDIT, D.DISCIPLINE, D.LEADERS),
    "reports.view_settlement": _right("商家结算", D.INDUSTRY, D.FINANCE, D.AUDIT, D.DISCIPLINE, D.LEADERS),
    "reports.view_settlementline": _right("商家结算明细", D.INDUSTRY, D.FINANCE, D.AUDIT, D.DISCIPLINE, D.LEADERS),
    "reports.view_closing": _right("活动结账", D.INDUSTRY, D.FINANCE, D.AUDIT, D.DISCIPLINE, D.LEADERS),
    "reports.collect_settlement": _right("汇总与锁定结算", D.INDUSTRY),
    "reports.audit_settlement": _right("出具审计意见", D.AUDIT),
    "merchants.view_complaint": _right("投诉", D.MARKET, D.INDUSTRY, D.DISCIPLINE, D.AUDIT, D.LEADERS),
    "merchants.view_inspection": _right("检查记录", D.MARKET, D.INDUSTRY, D.DISCIPLINE, D.AUDIT, D.LEADERS),
    "merchants.view_attempt": _right("核销尝试", D.POLICE, D.DISCIPLINE, D.AUDIT, D.INDUSTRY),
    "reports.view_auditentry": _right("操作记录", D.DISCIPLINE, D.AUDIT),
    "reports.view_exportjob": _right("导出记录", *WATCHERS, D.MEDIA),
    "huigou.view_staff": _right("工作人员", D.LEADERS, D.DISCIPLINE, D.OPERATOR),
    # -- what 工信局, the organiser, does every day
    "merchants.recall_redemption": _right("撤回", D.INDUSTRY),
    "coupons.change_batch": _right("更新优惠券", D.INDUSTRY),
    "coupons.add_batch": _right("添加优惠券", D.INDUSTRY),
    "merchants.add_merchant": _right("添加商家", D.INDUSTRY),
    "merchants.change_merchant": _right("更新商家", D.INDUSTRY),
    "merchants.import_merchant": _right("导入商家", D.INDUSTRY),
    "merchants.add_outlet": _right("添加店面", D.INDUSTRY),
    "merchants.change_outlet": _right("更新店面", D.INDUSTRY),
    "merchants.view_letter": _right("打开承诺书", D.INDUSTRY, D.MARKET, D.AUDIT, D.DISCIPLINE),
    "merchants.record_letter": _right("登记承诺书", D.INDUSTRY),
    "merchants.issue_code": _right("发放商家验证码", D.INDUSTRY),
    "merchants.unbind_clerk": _right("解绑店员", D.INDUSTRY),
    "coupons.import_plan": _right("导入方案", D.INDUSTRY),
    "coupons.change_place": _right("更新县域边界与位置核对", D.INDUSTRY),
    # Up to three custodians beside the platform (design: seed of the draw).
    "coupons.hold_share": _right("提交种子份额", D.INDUSTRY, D.DISCIPLINE, D.AUDIT),
    "coupons.pause": _right("暂停与恢复轮次、品类", D.INDUSTRY, D.LEADERS),
    "coupons.add_exclusion": _right("加入排除名单", D.INDUSTRY, D.DISCIPLINE),
    "coupons.remove_exclusion": _right("移出排除名单", D.DISCIPLINE),
    "coupons.add_station": _right("添加服务站", D.INDUSTRY),
    "coupons.change_station": _right("更新服务站", D.INDUSTRY),
    # -- conduct of shops: 市监局 watches it, 工信局 organises
    "merchants.sanction": _right("商家状态变更", D.INDUSTRY, D.MARKET),
    "merchants.handle_complaint": _right("处理投诉", D.MARKET),
    "merchants.add_inspection": _right("登记检查", D.MARKET),
    # -- announcements: 融媒体中心
    "coupons.add_notice": _right("发布公告", D.MEDIA, D.INDUSTRY),
    "coupons.change_notice": _right("更新、撤下公告", D.MEDIA, D.INDUSTRY),
    "coupons.print_poster": _right("打印海报", D.MEDIA, D.INDUSTRY),
    # -- personal data: a full number needs this, a reason, and leaves a row
    "coupons.reveal_person": _right("查看完整姓名和手机号", D.INDUSTRY, D.AUDIT, D.DISCIPLINE, D.POLICE, D.MARKET),
    "reports.export_persons": _right("导出完整姓名和手机号", D.AUDIT, D.DISCIPLINE, D.INDUSTRY),
    "reports.add_exportjob": _right("导出", *WATCHERS),
    # -- assisted draws at village stations
    "coupons.assist": _right("代抽、打印纸质券、确认持券人", D.STATION),
    # -- accounts: the leading group's office appoints people, nobody else
    "huigou.add_staff": _right("添加工作人员", D.LEADERS),
    "huigou.change_staff": _right("更新工作人员", D.LEADERS),
    # -- four eyes: who may do which step stands in CHANGES
    "coupons.propose_change": _right("提出审批", D.INDUSTRY, D.FINANCE, D.AUDIT, D.MARKET),
    "coupons.decide_change": _right("审批", *(d for d in D if any(d in step.checkers for step in CHANGES.values()))),
    # Each step's own button, for those who may make it: coupons.propose_fund, coupons.propose_realloc, ...
    **{f"coupons.propose_{verb}": Right(f"提出{step.title}", step.makers) for verb, step in CHANGES.items()},
}


def may(department: str, right: str) -> bool:
    """Say whether a department has a right of the back office."""
    return right in RIGHTS and department in RIGHTS[right].departments
