"""Posters with a QR that 融媒体中心 prints: what each says and where its code leads."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from coupons.models import Batch, Campaign, Category, Round
from huigou import clock
from huigou.money import short_yuan


@dataclass(frozen=True)
class Kind:
    """A kind of poster; ``lead`` is its sentence unless another is typed."""

    code: str
    title: str
    act: str
    lead: str
    address: str  # name of the page


POSTERS = (
    Kind("draw", "扫码抽券（活动宣传）", "微信扫码，上午 9:00 开抽", "政府发消费券，人人都能抽", "m-home"),
    Kind("shop", "本店可用（商家张贴）", "扫码看看还有哪些店能用", "本店可用消费券", "m-merchants"),
    Kind(
        "public", "抽奖公开（公示宣传）", "扫码查看每一轮的抽奖记录", "抽奖次序事先密封，事后公开，人人可验证", "public"
    ),
    Kind("complain", "意见投诉（监督宣传）", "扫码反映问题", "乱涨价、拒收券，请告诉我们", "m-problem"),
)


@dataclass(frozen=True)
class Poster:
    """A poster as it is printed."""

    title: str
    lead: str
    act: str
    path: str
    facts: list[str]
    how: str


def poster_of(code: str, campaign: Campaign, category: Category | None = None, words: str = "") -> Poster:
    """Return one poster of a campaign, for all categories or for one."""
    kind = next(each for each in POSTERS if each.code == code)
    path = reverse(kind.address)
    if category is not None and code == "draw":
        path = reverse("m-draw", args=[category.code])
    elif category is not None and code == "shop":
        path += f"?category={category.code}"
    lead = words.strip() or (f"本店可用{category.name}消费券" if category and code == "shop" else kind.lead)
    return Poster(campaign.name, lead, kind.act, path, _faces(campaign, category), _how(code, campaign))


def _faces(campaign: Campaign, category: Category | None) -> list[str]:
    rows = Batch.objects.filter(category__campaign=campaign, category__is_active=True).select_related("category")
    if category is not None:
        faces = rows.filter(category=category).order_by("face_fen").values_list("face_fen", flat=True)
        return [f"{category.name} {short_yuan(face)} 元" for face in faces]
    names = dict.fromkeys(row.category.name for row in rows.order_by("category__position"))
    return [f"{name}消费券" for name in names]


def _how(code: str, campaign: Campaign) -> str:
    if code == "draw":
        rounds = Round.objects.filter(campaign=campaign).order_by("number")
        first, last = rounds.first(), rounds.last()
        span = f"{clock.spoken(first.opens_at)}至{clock.spoken(last.closes_at, end=True)}" if first and last else ""
        return f"{span}，共 {rounds.count()} 轮，每个品类每轮最多一张，消费满面额 {campaign.multiplier} 倍可用"
    if code == "shop":
        return f"消费满面额 {campaign.multiplier} 倍可用，每笔限用一张，可与店内优惠同享"
    if code == "public":
        return "每轮的奖票、中奖张数和抽奖次序都在网上，不需要登录"
    return "由市场监督管理部门受理，处理结果在手机上可查"
