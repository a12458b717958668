"""Every way in which drawing, binding, planning and approving can be refused."""

from huigou.errors import Reason
from huigou.rules import speak_for

# Binding and session
NOT_BOUND = Reason("not_bound", 401, "您还没有绑定手机号", "请先到“绑定”页填写姓名、手机号和验证码")
BAD_NAME = Reason("bad_name", 400, "姓名不正确", "请填写 2 至 20 个字的真实姓名")
BAD_PHONE = Reason("bad_phone", 400, "手机号不正确", "请填写 11 位手机号")
NO_CONSENT = Reason("no_consent", 400, "尚未同意个人信息处理说明", "请阅读说明并勾选“同意”后再绑定")
BAD_CODE = Reason("bad_code", 400, "验证码不正确或已失效", "请核对短信中的 6 位数字，或重新获取验证码")
CODE_TRIES = Reason("code_tries", 429, "验证码错误次数过多，已作废", "请重新获取验证码")
SMS_TOO_SOON = Reason("sms_too_soon", 429, "获取验证码过于频繁", "请 {seconds} 秒后再试")
SMS_TOO_MANY = Reason("sms_too_many", 429, "今天获取验证码的次数已满", "请明天再试，或到村级服务站办理")
SMS_BUDGET = Reason("sms_budget", 503, "短信发送繁忙", "请稍后再试，或到村级服务站办理")
# The same limits where staff send the text: ``instead`` says what they can do without it.
DESK_SMS_TOO_SOON = Reason("desk_sms_too_soon", 429, "刚向这个号码发过短信", "请 {seconds} 秒后再发")
DESK_SMS_TOO_MANY = Reason("desk_sms_too_many", 429, "{whose}今天的短信次数已满", "{instead}，或明天再发")
DESK_SMS_BUDGET = Reason("desk_sms_budget", 503, "今天的短信总量已用完", "{instead}，或联系运营商调高每日短信总量")
LIVE_COUPONS = Reason("live_coupons", 409, "您还有 {count} 张未用完的消费券", "请在使用或到期后再注销")
TOO_MANY_BINDINGS = Reason(
    "too_many_bindings", 429, "这个手机号近期绑定次数过多", "请一个月后再绑定，或到村级服务站、县工信局办理"
)
DEVICE_FULL = Reason(
    "device_full", 429, "这台手机一天内已绑定 {count} 个手机号", "请用本人的手机绑定；不会用手机的可到村级服务站办理"
)
STILL_CLERK = Reason("still_clerk", 409, "您还是参加活动商家的店员", "请先由店主或县工信局解绑店员，再删除个人信息")
NO_STATION = Reason("no_station", 403, "您不是启用中的服务站的人员", "请联系县工信局登记服务站人员")
VOUCH_UNBOUND = Reason("vouch_unbound", 404, "这个手机号还没有绑定", "请先帮本人绑定手机号，再证明所在地")
CHALLENGE_FAILED = Reason("challenge_failed", 400, "安全校验没有通过", "请刷新页面后重试")

# The draw, in the order of checks that tests/refusals/test_drawing.py pins
ROUND_NOT_OPEN = Reason("round_not_open", 409, "第{number}轮将于{opens}开始抽奖", "请届时再来，届时按钮自动可用")
ROUND_OVER = Reason("round_over", 409, "第{number}轮已于{closes}结束", "请留意下一轮抽奖时间")
NO_ROUND = Reason("no_round", 409, "当前没有可参加的轮次", "请留意公告中的下一轮时间")
ROUND_PAUSED = Reason("round_paused", 503, "抽奖暂停：{notice}", "请留意首页公告，恢复后可继续抽奖")
ROUND_POSTPONED = Reason("round_postponed", 503, "本轮延期：{notice}", "请留意首页公告")
EXCLUDED = Reason("excluded", 403, "按活动纪律，工作人员、商家及其店员不参加抽奖", "如有疑问请联系县工信局")
PLACE_NEEDED = Reason("place_needed", 403, "需要确认您在{county}内", "请允许获取位置，或到村级服务站由工作人员证明")
ALREADY_WON = Reason("already_won", 409, "本轮该品类您已抽中，每个品类每轮最多一张", "请到“我的消费券”查看")
TURNS_USED = Reason("turns_used", 409, "本轮该品类的抽奖次数已用完", "请参加其他品类或下一轮")
BAD_TURN = Reason("bad_turn", 400, "抽奖次序不正确", "请刷新页面后重试")
SOLD_OUT = Reason("sold_out", 409, "本轮{category}消费券已抽完", "{next_round}")
KEY_REUSED = Reason("key_reused", 409, "同一请求号用于了不同的抽奖", "请刷新页面后重试")
NO_CATEGORY = Reason("no_category", 404, "没有这个品类", "请回到首页选择品类")
CATEGORY_INACTIVE = Reason("category_inactive", 409, "{category}本期不投放消费券", "请选择其他品类")
DRAW_BUSY = Reason("draw_busy", 503, "抽奖人数较多，结果正在确认", "请不要离开，页面会自动重试，结果不会改变")
IN_LINE = Reason("in_line", 429, "人多，请排一会儿队，您在第 {position} 位", "位置已为您保留，轮到时自动进入")
WRONG_MODE = Reason("wrong_mode", 409, "本期采用{mode}", "请按首页说明参加")
REGISTRATION_OVER = Reason("registration_over", 409, "本轮报名已于{until}截止", "请留意摇号结果和下一轮时间")
LIST_CHANGED = Reason("list_changed", 503, "报名名单与已公布的哈希不符，摇号暂停", "请留意公告，名单核对后再摇号")

# Rounds and the plan
PREVIOUS_NOT_BOOKED = Reason("previous_not_booked", 409, "第{number}轮尚未入账完毕", "请待上一轮到期入账后再备奖")
SHARE_MISSING = Reason("share_missing", 409, "种子份额尚未交齐：{who}", "请催交份额，或由两人办理延期")
SHARE_LATE = Reason("share_late", 409, "承诺须在开始前一天提交", "请改为下一轮提交")
SEED_BROKEN = Reason(
    "seed_broken", 503, "“{who}”封存的份额打不开或与承诺不符，备奖与抽奖暂停", "请留意公告，份额核对后继续"
)
SHARE_WRONG = Reason("share_wrong", 400, "份额与已公布的承诺值不符", "请核对后重新交付")
ROUND_DEALT = Reason("round_dealt", 409, "第{number}轮已备奖，内容已锁定", "请改动尚未备奖的轮次")
ROUND_TIMES = Reason(
    "round_times", 409, "轮次时间须晚于原定和现在，且不与其他轮次重叠、不改变次序", "请改时间后重新提出"
)
ENTROPY_LATE = Reason("entropy_late", 409, "公开随机数的来源须在开始前一天登记", "请改为下一轮登记")
ENTROPY_NAMED = Reason("entropy_named", 409, "公开随机数的来源已登记并公布：{source}", "来源不能再改，请登记数值")
ENTROPY_EARLY = Reason("entropy_early", 409, "须先登记来源，并在承诺截止之后登记数值", "请在开始前一天之内登记")
RELEASE_OVER_POOL = Reason("release_over_pool", 409, "{batch}投放 {count} 张超过奖池所余 {left} 张", "请减少投放数量")
PLAN_FINDINGS = Reason("plan_findings", 409, "方案中有 {count} 个问题尚未认可：{codes}", "请逐项核对并写明认可理由")
PLAN_FATAL = Reason("plan_fatal", 409, "方案有 {count} 个问题无法认可：{first}", "请更正方案后重新导入")
PLAN_EXISTS = Reason("plan_exists", 409, "该期活动已经导入", "请在后台修改，或更换期次后导入")

# Four eyes and books
SAME_PERSON = Reason("same_person", 403, "经办人不能审批自己提出的事项", "请由另一部门的另一人审批")
SAME_DEPARTMENT = Reason("same_department", 403, "须由另一部门审批", "请由其他部门有审批权的人员办理")
ALREADY_DECIDED = Reason("already_decided", 409, "该事项已有决定：{state}", "请刷新页面查看")
PAYLOAD_CHANGED = Reason("payload_changed", 409, "内容与提出时不一致，原事项作废", "请重新提出")
BALANCE_SHORT = Reason("balance_short", 409, "余额不足", "请核对金额后重试")
BOOKS_CLOSED = Reason("books_closed", 409, "该期活动已结账，不能再有变动", "请联系县工信局与财政局")
NOT_DIVISIBLE = Reason("not_divisible", 400, "金额除不尽，不能整张调整", "可改为：{offers}")
REALLOC_TOO_EARLY = Reason("realloc_too_early", 409, "须在第 {after} 轮结束后调整", "请届时再办理")
NOT_RECALLABLE = Reason("not_recallable", 409, "只有“已发送商家”且未录入的券可以撤回", "请核对该券的使用情况")
COUPON_GONE = Reason("coupon_gone", 404, "没有这张消费券", "请到“我的消费券”查看")
WRONG_STATE = Reason("wrong_state", 409, "该券已变为“{state}”", "请刷新页面查看最新情况")
CLOSING_EARLY = Reason("closing_early", 409, "活动尚未全部结束或仍有待录入的券", "请待最后一轮的录入时限过后再结账")
OVER_BUDGET = Reason("over_budget", 409, "拨入合计 {total} 元超过资金总额 {budget} 元", "请核对金额后重新提出")
NOT_FUNDED = Reason("not_funded", 409, "尚未拨入资金或没有轮次，不能上线", "请先办理“拨入资金”并核对轮次")
ALREADY_LAUNCHED = Reason("already_launched", 409, "该期活动已经上线", "请刷新页面查看")
NOTHING_LEFT = Reason("nothing_left", 409, "没有可转出的余额", "请核对该期活动的余额")
NOT_SETTLED = Reason("not_settled", 409, "商家结算尚未付清", "请待结算付款登记完毕后再结账")
STILL_LEFT = Reason("still_left", 409, "尚有余额 {left} 元未返还或转出", "请先办理“余额返还财政”或“余额转作下一轮”")

# Pauses
ALREADY_PAUSED = Reason("already_paused", 409, "{what}已处于暂停", "请刷新页面查看")
NOT_PAUSED = Reason("not_paused", 409, "{what}没有暂停", "请刷新页面查看")
ROUND_IS_OVER = Reason("round_is_over", 409, "第{number}轮已结束", "结束的轮次无需暂停")

# Village stations
NOT_STATION_STAFF = Reason("not_station_staff", 409, "只有村级服务站的在用账号可以登记为服务站人员", "请核对账号的部门")
ASSIST_CONSENT = Reason("assist_consent", 400, "须向本人说明并征得同意", "请说明用途后勾选“本人在场并同意”")
ASSIST_PROOF = Reason("assist_proof", 400, "须核验本人", "请发送短信验证码；以前绑定过的可当面核验证件")
ASSIST_NAME = Reason("assist_name", 409, "姓名与该手机号登记的不一致", "请核对证件，或用短信验证码办理")
ASSIST_ALREADY = Reason(
    "assist_already", 409, "该手机号本轮{category}已于{when}{where}抽过", "每个品类每轮只能抽取一次"
)
NOT_PRINTABLE = Reason("not_printable", 409, "只有未使用、未到期的券可以打印或确认", "请核对该券的使用情况")
REPRINT_REASON = Reason("reprint_reason", 400, "重新打印须写明理由", "旧的纸质券随即作废")

# Rules that triggers hold (coupons/models and its migrations), where no verb says it better.
speak_for(
    {
        "change_begins_proposed": "审批事项须从提出开始",
        "change_is_exact": "提出的内容和已作的决定不能更改",
        "books_closed": "该期活动已结账，不能再有变动",
        "round_is_dealt": "该轮已备奖，内容已锁定",
        "round_no_overlap": "轮次时间不得重叠",
        "round_source_once": "公开随机数的来源一经登记不能更改",
        "share_is_committed": "已承诺的份额不能更改",
        "deck_is_sealed": "已备好的奖票不能更改",
        "coupon_way_of_life": "消费券不能这样变更或删除",
        "registration_before_the_list": "报名名单已经签名，不能再报名",
        "assist_is_kept": "代抽记录不能更改或删除",
    }
)
