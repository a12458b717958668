"""What people are told in WeChat about a use: at which shop, when, how much. Whoever did not use it sees it at once."""

from __future__ import annotations

from coupons import news
from huigou import clock
from huigou.money import short_yuan, yuan
from merchants.models import Redemption


def queue() -> int:
    """Queue a message for each coupon used of late; return how many. Idempotent, late or doubled."""
    now = clock.now()
    used = Redemption.objects.filter(state=Redemption.State.USED, completed_at__gt=now - news.STALE)
    rows = used.select_related("outlet", "category").order_by("completed_at")
    return news.tell(rows, news.Kind.USED, "consumer", use_words, now)


def use_words(use: Redemption) -> dict[str, str]:
    """Return what a message may say of a use, by the names that the templates' settings use."""
    return {
        "what": f"{use.category.name}消费券 {short_yuan(use.face_fen)} 元",
        "where": use.outlet.name,
        "when_time": news.said_time(use.completed_at) if use.completed_at else "",
        "amount": f"{yuan(use.amount_fen)}元" if use.amount_fen else "",
    }
