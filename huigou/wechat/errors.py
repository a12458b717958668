"""What WeChat says no to, in our words."""

from __future__ import annotations

from huigou.errors import Reason, Refusal

_BY_PHONE = "也可以用手机号和短信验证码办理"
NOT_CONFIGURED = Reason("wechat_off", 404, "本平台未开通微信登录", "请用手机号和短信验证码办理")
BAD_CODE = Reason("wechat_bad_code", 400, "微信授权已失效", "请从公众号菜单重新进入；" + _BY_PHONE)
SNAPSHOT = Reason("wechat_snapshot", 403, "当前是微信快照页，不能办理", "请点页面右下角“使用完整服务”后再试")
BUSY = Reason("wechat_busy", 503, "微信服务繁忙", "请稍候再试；" + _BY_PHONE)
UNREACHABLE = Reason("wechat_unreachable", 503, "暂时连不上微信", "请稍候再试；" + _BY_PHONE)
TOKEN_EXPIRED = Reason("wechat_token_expired", 503, "微信接口凭据失效", "请稍候再试；" + _BY_PHONE)
MISCONFIGURED = Reason("wechat_misconfigured", 503, "微信接口配置有误", "请联系管理员；" + _BY_PHONE)
UNSUBSCRIBED = Reason("wechat_unsubscribed", 409, "对方未订阅此类消息", "请改用短信或在页面上提示")
BAD_MESSAGE = Reason("wechat_bad_message", 502, "微信消息的模板或内容不被接受", "请管理员核对消息模板")
OTHER = Reason("wechat_refused", 502, "微信没有受理", "请稍候再试；" + _BY_PHONE)
TOKEN_DEAD = {40001, 40014, 42001}
REASONS: dict[int, Reason] = {
    -1: BUSY,
    45009: BUSY,  # the day's quota of this call is used up
    45011: BUSY,  # too many calls in this minute
    40029: BAD_CODE,
    40163: BAD_CODE,  # the code was used before
    42003: BAD_CODE,  # the code is older than five minutes
    40003: BAD_MESSAGE,
    40037: BAD_MESSAGE,
    41030: BAD_MESSAGE,
    47003: BAD_MESSAGE,
    43101: UNSUBSCRIBED,
    40013: MISCONFIGURED,
    40125: MISCONFIGURED,
    40164: MISCONFIGURED,  # this server's address is not on the account's white list
    48001: MISCONFIGURED,
    **dict.fromkeys(TOKEN_DEAD, TOKEN_EXPIRED),
}


class WechatError(Refusal):
    """A call to WeChat that did not succeed. Holds neither secret nor token nor openid.

    ``errcode`` is WeChat's (None when no answer came), ``detail`` its words, scrubbed, ``maybe_done`` true when no
    answer came but WeChat may have acted, so that a message is not sent twice without thought.
    """

    def __init__(
        self, reason: Reason, errcode: int | None = None, detail: str = "", *, maybe_done: bool = False
    ) -> None:
        super().__init__(reason)
        self.errcode = errcode
        self.detail = detail
        self.maybe_done = maybe_done

    @property
    def retryable(self) -> bool:
        """Say whether the same call may succeed later without anybody's doing."""
        return self.reason in (BUSY, UNREACHABLE, TOKEN_EXPIRED)


def reason_named(code: str) -> Reason:
    known = (BUSY, UNREACHABLE, TOKEN_EXPIRED, MISCONFIGURED, OTHER)
    return next((reason for reason in known if reason.code == code), OTHER)
