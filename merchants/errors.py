"""Every way in which a merchant's deed can be refused."""

from huigou.errors import Reason
from huigou.rules import speak_for

CLERK_NOT_BOUND = Reason("clerk_not_bound", 401, "请到适用商家出示", "如您是店员，请先用工信局发放的验证码绑定")
BINDING_CODE_WRONG = Reason("binding_code_wrong", 400, "商家验证码不正确、已使用或已失效", "请核对或向县工信局重新申领")
LETTER_NEEDED = Reason("letter_needed", 409, "{merchant}尚未提交信用承诺书", "请先登记承诺书，再发放验证码")
CODE_NOT_OPEN = Reason("code_not_open", 409, "该验证码已使用、已作废或已失效", "请重新发放")
CODE_TEXTS = Reason("code_texts", 429, "同一验证码最多发送 {limit} 次短信", "请打印交给商家，或作废后重新发放")
NO_MOBILE = Reason("no_mobile", 409, "{shop}没有登记手机号，不能发短信", "请在店面或商家资料中填写手机号，或打印验证码")
SHOP_TEMPLATE = Reason("shop_template", 503, "短信平台还没有商家验证码的模板", "请联系运维人员，或打印验证码")
NO_CODE = Reason("no_code", 404, "没有可作废的验证码", "请刷新页面查看")
COLLECTIVE_NEEDS_SITES = Reason("collective_needs_sites", 409, "{merchant}为集体名录", "请先逐个登记其站点（店面）")
NOT_OWNER = Reason("not_owner", 403, "只有店主可以解绑店员", "请联系店主或县工信局")
NO_CLERK = Reason("no_clerk", 404, "没有这名店员", "请刷新页面查看")

# Scanning, in the order of checks that tests/redemption/test_order_of_refusals.py pins
CODE_UNREADABLE = Reason(
    "code_unreadable", 400, "没有识别到消费券二维码", "请对准顾客手机上的二维码，或输入 8 位数字码"
)
CODE_STALE = Reason("code_stale", 409, "二维码已失效", "请让顾客刷新页面，出示最新的二维码（截图无效）")
SHORT_CODE_TRIES = Reason("short_code_tries", 429, "数字码输错次数过多", "请 10 分钟后再试，或改用扫码")
PAPER_DIGITS = Reason("paper_digits", 400, "纸质券须核对持券人", "请输入持券人手机号后四位，或服务站的 6 位确认码")
PAPER_TRIES = Reason("paper_tries", 429, "纸质券核对错误次数过多", "请 10 分钟后再试，或联系出券的服务站")
PAPER_REPLACED = Reason("paper_replaced", 409, "这张纸质券已作废", "持券人已另打一张，请出示最新的一张")
COUPON_USED = Reason("coupon_used", 409, "该券已于{when}在{where}使用", "请勿再抵扣；如有疑问请顾客查看“我的消费券”")
COUPON_PENDING_ELSEWHERE = Reason(
    "coupon_pending_elsewhere", 409, "该券已发送给{where}", "请让顾客出示另一张券，或由该店撤回"
)
COUPON_EXPIRED = Reason("coupon_expired", 409, "该券已于{when}到期", "请按原价收款；顾客可参加下一轮抽奖")
WRONG_MERCHANT = Reason("wrong_merchant", 409, "这是{category}消费券，本店不能使用", "请顾客到{category}类适用商家使用")
MERCHANT_NOT_ACTIVE = Reason("merchant_not_active", 403, "本店当前{state}", "请联系县工信局了解情况")
SCANS_PAUSED = Reason("scans_paused", 503, "核销暂停：{notice}", "请留意公告，恢复后再扫码")
ONE_AT_A_TIME = Reason("one_at_a_time", 409, "该顾客有一张券正待{where}录入", "每笔交易仅限一张，请先完成或撤回那一张")
SECOND_COUPON = Reason(
    "second_coupon",
    409,
    "该顾客 {minutes} 分钟内已在本店用过券",
    "如确为另一笔消费，请勾选“另一笔消费”并填写不同的小票号",
)
SAME_RECEIPT = Reason("same_receipt", 409, "小票号与上一笔相同", "每笔交易仅限一张券；另一笔消费请填写另一张小票号")
OWN_COUPON = Reason("own_coupon", 403, "店员不能核销本人的消费券", "请由其他店员核销")

# Entering
NO_REDEMPTION = Reason("no_redemption", 404, "没有这条待录入记录", "请在“核销记录”中查看")
ENTRY_LATE = Reason("entry_late", 409, "录入时限已于{until}过去", "该券视为商家放弃补贴；如有异议请联系县工信局")
UNDER_THRESHOLD = Reason(
    "under_threshold", 409, "消费未达到{threshold}元，还差{missing}元", "达到门槛后再录入，或撤回此券"
)
AMOUNT_BAD = Reason("amount_bad", 400, "消费金额不正确", "请填写顾客本次消费的总金额（元），最多两位小数")
KIND_NEEDED = Reason("kind_needed", 400, "请填写{label}", "请选择或填写{label}后提交")
KIND_BAD = Reason("kind_bad", 400, "{label}不正确", "请从给出的选项中选择，数字请填 1 至 9999")
PAYMENT_NEEDED = Reason("payment_needed", 400, "请选择付款方式", "本品类不得使用现金结算，请选择实际付款方式")
ALREADY_ENTERED = Reason("already_entered", 409, "该券已录入，内容不同", "如需更正请联系县工信局")
NOT_REVERSIBLE = Reason("not_reversible", 409, "只有已使用且未退回的券可以退回", "请核对该券的使用情况")
TEXT_TOO_LONG = Reason("text_too_long", 400, "{what}过长", "请控制在 {limit} 个字以内")

# Complaints
NO_MERCHANT = Reason("no_merchant", 404, "没有这家商家", "请从名单中选择商家")
COMPLAINT_EMPTY = Reason("complaint_empty", 400, "请写明发生了什么", "请填写时间、金额和经过")
COMPLAINTS_MANY = Reason("complaints_many", 429, "今天提交的次数已满", "请明天再提交，或拨打市场监管热线 12315")
SETTLEMENT_FROZEN = Reason(
    "settlement_frozen", 409, "该期结算已锁定，不能再退回", "请由审计局出具意见，按“不予补贴”办理"
)

# Standing and conduct
SAME_STATE = Reason("same_state", 409, "{merchant}已是“{state}”", "请刷新页面查看")
LETTER_KIND = Reason("letter_kind", 400, "承诺书须为 PDF、JPG 或 PNG，不超过 20 MB", "请重新扫描或拍照后上传")
COMPLAINT_ENDED = Reason("complaint_ended", 409, "该投诉已办结", "请刷新页面查看")

# What the database holds a redemption to (merchants/models), and how the counter says it.
SCAN_REFUSED_BY = {
    "redemption_of_its_coupon": CODE_STALE,
    "redemption_within_its_life": COUPON_EXPIRED,
    "redemption_of_its_clerk": CLERK_NOT_BOUND,
    "redemption_not_ones_own": OWN_COUPON,
    "redemption_at_its_trade": WRONG_MERCHANT,
    "redemption_once": COUPON_PENDING_ELSEWHERE,
    "redemption_one_pending": ONE_AT_A_TIME,
    "redemption_second_is_marked": SECOND_COUPON,
    "redemption_second_has_receipt": SECOND_COUPON,
    "redemption_other_receipt": SAME_RECEIPT,
}
ENTRY_REFUSED_BY = {
    "redemption_threshold": UNDER_THRESHOLD,
    "redemption_cashless": PAYMENT_NEEDED,
    "redemption_payment_known": PAYMENT_NEEDED,
    "redemption_kind_of_its_trade": KIND_BAD,
    "redemption_used_is_entered": KIND_NEEDED,
    "redemption_other_receipt": SAME_RECEIPT,
}
speak_for(
    {
        "redemption_of_its_coupon": "核销与消费券的持有人、面额、门槛或品类不符",
        "redemption_begins_pending": "核销须从扫码开始",
        "redemption_within_its_life": "扫码须在消费券的有效期之内",
        "redemption_of_its_clerk": "扫码的店员须是该店面的在岗店员",
        "redemption_not_ones_own": "店员不能核销本人的消费券",
        "redemption_at_its_trade": "本店不参加该品类，或当前不能核销",
        "redemption_second_is_marked": "该顾客刚在本店用过券，须确认为另一笔消费",
        "redemption_other_receipt": "小票号与上一笔相同，每笔交易仅限一张券",
        "redemption_cashless": "本品类不得使用现金结算，须登记付款方式",
        "redemption_kind_of_its_trade": "消费种类不是该品类的选项",
        "redemption_way_of_life": "核销记录不能这样变更或删除",
    }
)
