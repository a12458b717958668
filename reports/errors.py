"""Every way in which checking the books and settling can be refused."""

from huigou.errors import Reason
from huigou.rules import speak_for

FREEZE_GREW = Reason("freeze_grew", 409, "提出解冻之后又发现了新的核对问题", "请核对全部问题后重新提出")
NOT_FROZEN = Reason("not_frozen", 409, "该期活动没有在冻结中", "请刷新页面查看")

SETTLEMENT_EARLY = Reason("settlement_early", 409, "活动结束满 {days} 天（{when}）后方可结算", "请届时再办理")
SETTLEMENT_STATE = Reason(
    "settlement_state", 409, "结算当前为“{state}”，不能办理此步", "请按 汇总、锁定、审计、批准、付款 的次序办理"
)
SETTLEMENT_OPEN = Reason(
    "settlement_open", 409, "活动尚未结束或仍有 {count} 张券未了结", "请待最后一轮的录入时限过后再锁定"
)
SETTLEMENT_DIFFERS = Reason("settlement_differs", 409, "{merchant}的结算与账目不符", "请先核对账目")
AUDIT_MISSING = Reason("audit_missing", 409, "还有 {count} 家商家没有审计意见：{who}", "请由审计局逐家或逐笔出具意见")
DISALLOW_PENDING = Reason("disallow_pending", 409, "有 {count} 笔不予补贴的审计意见尚未办理", "请先办理“不予补贴”")
NO_OPINION = Reason("no_opinion", 409, "没有待办理的不予补贴意见", "请核对审计意见")
PAYMENT_EXCEEDS = Reason("payment_exceeds", 409, "{merchant}的金额超过可办理的金额 {limit} 元", "请核对金额后重新提出")

EXPORT_FILTER = Reason("export_filter", 400, "筛选条件不正确", "请回到列表核对筛选条件后重新导出")
EXPORT_REASON = Reason("export_reason", 400, "导出完整姓名和手机号须写明理由", "请填写理由后重新提交")
EXPORT_FILE = Reason("export_file", 400, "不是本平台导出的工作簿：{problem}", "请核对文件，或重新导出")

# Rules that triggers hold (reports/models and its migrations), where no verb says it better.
speak_for(
    {
        "settlement_is_exact": "已批准的结算不能更改",
        "settlement_is_frozen": "该期结算已锁定，不能再退回",
    }
)
