"""Invented people: names, numbers of the range 1990 that nobody holds, WeChat names as they come."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from coupons import consumers
from coupons.models import Campaign, Consumer, SmsCode
from huigou import clock, geo
from huigou.models import Staff
from merchants import binding
from merchants.models import Clerk, Outlet

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许邓韩冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任沈"
    "姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严武戴莫孔向汤"
)
GIVEN = (
    "明华", "丽", "秀英", "建国", "桂兰", "海波", "雪梅", "志强", "春燕", "立新", "晓东", "玉珍", "国庆",
    "小红", "文博", "佳怡", "德福", "淑芬", "永胜", "雅静", "长河", "美玲", "振宇", "凤霞", "子涵", "宝山",
    "冬梅", "家旺", "思远", "桂荣", "小宝", "欣然",
)  # fmt: skip
# The old system's list held any character: quotes, question marks, pictures, nothing.
WECHAT_NAMES = (
    "", "平安是福", "A小杨水果批发", "🌻向阳花", "老孟", "“小丸子”", "???", "豆豆妈妈👶", "风雨同舟",
    "I'm fine", "", "静待花开🌸", "乾安老王", "。。。", "知足常乐", "=大宝=", "Lucky", "🐟", "阿姨家的猫", "",
    "大布苏的风", "5号院李哥", "<晴天>", "好运来🧧",
)  # fmt: skip
IN_TOWN = (124.02, 45.00, 0.05)  # degrees: about where the county's town lies, and how far people live from it
DEMO_CODE = "246810"
CONSUMERS_FROM, CLERKS_FROM = 1_100_000, 2_200_000  # seven digits after 1990: apart from what a visitor is told to type


@dataclass(frozen=True)
class Invented:
    """A name and a number of nobody."""

    name: str
    phone: str
    wechat_name: str


def invent(rng: random.Random, number: int, start: int) -> Invented:
    """Return the ``number``-th person of a range."""
    name = rng.choice(SURNAMES) + rng.choice(GIVEN)
    return Invented(name, f"1990{start + number * 37:07d}", rng.choice(WECHAT_NAMES))


def bind_consumer(someone: Invented, campaign: Campaign, station_clerk: Staff, rng: random.Random) -> Consumer:
    """Bind through the verb, and settle the place: most allow it, some declare, a few are vouched for."""
    number = someone.phone[-7:]
    code = _code_for(someone.phone, "bind")
    made = consumers.bind(
        consumers.Binding(
            someone.name, someone.phone, code, consent=True, openid=f"demo-{number}", wechat_name=someone.wechat_name
        )
    )
    way = rng.random()
    if way < 0.85:
        lng, lat, around = IN_TOWN
        longitude, latitude = lng + rng.uniform(-around, around), lat + rng.uniform(-around, around)
        consumers.set_place(made, campaign, longitude=longitude, latitude=latitude, datum=geo.Datum.WGS84)
    elif way < 0.95:
        consumers.declare_place(made)
    else:
        return consumers.vouch_place(someone.phone, station_clerk)
    return made


def bind_clerk(someone: Invented, outlet: Outlet, bureau: Staff, *, is_owner: bool) -> Clerk:
    """Bind a clerk by a one-time code of the bureau and a code by SMS, as at the counter."""
    once = binding.issue_code(outlet, bureau, is_owner=is_owner)
    code = _code_for(someone.phone, "clerk")
    openid, named = f"demo-{someone.phone[-7:]}", someone.wechat_name or someone.name
    entered = binding.ClerkBinding(
        once, someone.name, someone.phone, code, consent=True, openid=openid, wechat_name=named
    )
    return binding.bind(entered)[0]


def _code_for(phone: str, purpose: str) -> str:
    """Put an SMS code in its place: nobody is sent anything."""
    key, now = consumers.phone_key(phone), clock.now()
    SmsCode.objects.create(
        phone_key=key,
        purpose=purpose,
        code_hash=consumers.code_hash(key, purpose, DEMO_CODE),
        sent_at=now,
        expires_at=now + consumers.CODE_LIFE,
    )
    return DEMO_CODE


def unlike(rng: random.Random, ways: Sequence[tuple[float, str]]) -> str:
    """Return one of several ways, by their shares, which add up to at most 1; '' for none."""
    point = rng.random()
    for share, way in ways:
        if point < share:
            return way
        point -= share
    return ""
