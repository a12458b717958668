"""A small county for tests: a campaign funded and launched through the real approvals, its people and shops.

Functions with plain defaults; fixtures for the standing people are in tests/people.py. Everything is invented.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password

from coupons import approval, drawing, funding, seeds
from coupons.codes import Presented
from coupons.models import Batch, Campaign, Category, ChangeRequest, Consumer, Coupon, Deck, Person, Round
from huigou import clock
from huigou.errors import Refusal
from huigou.fields import keyed_hash, normal_name
from huigou.models import Department, Staff
from merchants import redemption
from merchants.models import BindingCode, Clerk, Merchant, Outlet, Redemption

_number = itertools.count(1)
FIRST_OPENING = dt.datetime(2022, 6, 25, 9, tzinfo=clock.SHANGHAI)  # plan, clause 2
CHECKER = {  # who approves what 工信局 asks for, unless the test is about that
    "pay": Department.LEADERS,
    "disallow": Department.LEADERS,
}


@functools.cache
def hashed(password: str) -> str:
    """Hash a password once a run: hashing is slow by design, a sixth of a second each."""
    return make_password(password)


def a_staff(department: str, name: str = "") -> Staff:
    """Return the standing member of a department, or a named one of it."""
    username = f"{department}{name}"
    found = Staff.objects.filter(username=username).first()
    return found or Staff.objects.create(
        username=username,
        password=hashed("invented-pass-1"),
        department=department,
        person_key=username,
        first_name=name,
        is_staff=True,
    )


def agreed(change: ChangeRequest, checker: Staff | None = None) -> ChangeRequest:
    """Approve a change by somebody of another department."""
    default = Department.LEADERS if change.maker.department != Department.LEADERS else Department.FINANCE
    return approval.approve(change.pk, checker or a_staff(CHECKER.get(change.verb, default)))


@dataclass
class County:
    """A campaign and what tests reach for in it."""

    campaign: Campaign
    categories: dict[str, Category]
    batches: dict[tuple[str, int], Batch]  # (category code, face in yuan)
    rounds: list[Round]


CATEGORIES = {
    "dining": {"name": "餐饮", "kind_label": "消费人数", "kind_type": "number", "kind_unit": "人"},
    "fuel": {"name": "加油站", "kind_label": "加油品类", "kind_type": "choice", "kind_choices": ["92号", "95号"]},
    "lodging": {"name": "住宿", "kind_label": "入住夜数", "kind_type": "number", "kind_unit": "夜"},
    "farm": {"name": "农产品", "kind_label": "货品"},
    "book": {"name": "书店", "kind_label": "货品"},
}


def a_county(
    stock: Mapping[tuple[str, int], int] | None = None,
    *,
    rounds: int = 2,
    opens_at: dt.datetime | None = None,
    launched: bool = True,
    edition: str = "",
    **settings: object,
) -> County:
    """Return a campaign, by default funded and live with two rounds of five days and no check of place.

    ``stock`` is {(category code, face in yuan): coupons}; ``opens_at`` round 1's opening, by default the plan's.
    """
    stock = stock or {("dining", 100): 20}
    opens_at = opens_at or FIRST_OPENING
    budget_fen = sum(face * 100 * count for (_, face), count in stock.items())
    given = {"budget_fen": budget_fen, "place_policy": Campaign.PlacePolicy.OFF, **settings}
    campaign = Campaign.objects.create(
        name="惠购乾城", county="乾安县", edition=edition or f"测试第{next(_number)}期", **given
    )
    categories = {
        code: Category.objects.create(campaign=campaign, code=code, position=place, **CATEGORIES[code])
        for place, code in enumerate(dict.fromkeys(code for code, _ in stock))
    }
    now = clock.now()
    batches = {
        (code, face): Batch.objects.create(
            category=categories[code], face_fen=face * 100, name=f"{face}面额", planned=count, created_at=now
        )
        for (code, face), count in stock.items()
    }
    made = County(campaign, categories, batches, [a_round(campaign, n, opens_at, now) for n in range(1, rounds + 1)])
    if launched:
        bureau = a_staff(Department.INDUSTRY)
        agreed(funding.propose_fund(campaign, maker=bureau, reason="按方案拨入"))
        agreed(funding.propose_launch(campaign, maker=bureau, reason="方案核对完毕"))
        campaign.refresh_from_db()
    return made


def a_round(campaign: Campaign, number: int, first: dt.datetime, now: dt.datetime) -> Round:
    """Return round ``number``: five days from 9:00 to the fifth day's 24:00, entries until a day later."""
    opens_at = first + dt.timedelta(days=5 * (number - 1))
    closes_at = opens_at + dt.timedelta(days=4, hours=15)
    made = Round.objects.create(
        campaign=campaign,
        number=number,
        opens_at=opens_at,
        closes_at=closes_at,
        entry_until=closes_at + dt.timedelta(hours=campaign.entry_hours),
    )
    seeds.make_system_share(made, now)
    return made


def a_person(name: str = "王小明", phone: str = "") -> Person:
    """Return a person with an invented phone of 1990000xxxx."""
    phone = phone or f"1990000{next(_number):04d}"[:11]
    return Person.objects.create(
        name=name,
        phone=phone,
        phone_key=keyed_hash("phone", phone),
        name_key=keyed_hash("name", normal_name(name)),
        phone_last4=phone[-4:],
        created_at=clock.now(),
    )


def a_consumer(name: str = "王小明", phone: str = "", **more: object) -> Consumer:
    """Return a bound consumer."""
    person, now = a_person(name, phone), clock.now()
    return Consumer.objects.create(
        person=person, phone_key=person.phone_key, consented_at=now, consent_version="1", bound_at=now, **more
    )


def some_consumers(count: int) -> list[Consumer]:
    """Return many bound consumers at once; their phones are hashes of nobody's number."""
    now, base = clock.now(), next(_number)
    keys = [keyed_hash("phone", f"many-{base}-{i}") for i in range(count)]
    people = Person.objects.bulk_create(
        [Person(name="众", phone_key=key, phone_last4="0000", created_at=now) for key in keys], batch_size=2000
    )
    return Consumer.objects.bulk_create(
        [
            Consumer(person=p, phone_key=p.phone_key, consented_at=now, consent_version="1", bound_at=now)
            for p in people
        ],
        batch_size=2000,
    )


def a_merchant(county: County, categories: Sequence[str] = (), name: str = "", **more: object) -> Merchant:
    """Return a shop that takes part with one outlet, by default in all of the campaign's categories."""
    merchant = Merchant.objects.create(
        campaign=county.campaign,
        name=name or f"测试商家{next(_number)}",
        joined_at=clock.now(),
        **{"state": Merchant.State.ACTIVE, **more},
    )
    merchant.categories.set([county.categories[code] for code in categories or county.categories])
    Outlet.objects.create(merchant=merchant, name=merchant.name)
    return merchant


def a_clerk(outlet: Outlet | Merchant, name: str = "李店员", phone: str = "", *, is_owner: bool = False) -> Clerk:
    """Return a clerk bound to an outlet, or to a merchant's first one."""
    place = outlet if isinstance(outlet, Outlet) else outlet.outlets.order_by("pk").first()
    now = clock.now()
    code = BindingCode.objects.create(
        outlet=place,
        code_hash=keyed_hash("binding", f"test-{next(_number)}"),
        is_owner=is_owner,
        issued_by=a_staff(Department.INDUSTRY),
        issued_at=now,
        expires_at=now + dt.timedelta(days=7),
        used_at=now,
    )
    return Clerk.objects.create(person=a_person(name, phone), outlet=place, code=code, is_owner=is_owner, bound_at=now)


# ---- deeds, through the real verbs


def deck_of(county: County, category: str = "", number: int = 1) -> Deck:
    """Return the dealt deck of a category in a round."""
    category = category or next(iter(county.categories))
    return Deck.objects.get(round=county.rounds[number - 1], category__code=category)


def drawn(county: County, consumer: Consumer, category: str = "", number: int = 1) -> Coupon:
    """Let a consumer draw a coupon; the round is dealt and open. The test must be transactional."""
    ask = drawing.Ask(deck_of(county, category, number).pk, consumer.pk, turn=1)
    return Coupon.objects.get(pk=drawing.draw(ask).draw_id)


def drawn_by_many(county: County, consumers: Sequence[Consumer], category: str = "", number: int = 1) -> list[Coupon]:
    """Let many draw at once; raises the first refusal."""
    deck = deck_of(county, category, number)
    futures = [drawing.draw_async(drawing.Ask(deck.pk, consumer.pk, turn=1)) for consumer in consumers]
    answers = [future.result() for future in futures]
    for answer in answers:
        if isinstance(answer, Refusal):
            raise answer
    return list(Coupon.objects.filter(pk__in=[a.draw_id for a in answers if a.face_fen]).order_by("pk"))


def scanned(coupon: Coupon, clerk: Clerk) -> Redemption:
    """Let a clerk scan a coupon."""
    return redemption.scan(clerk, Presented(coupon.pk, is_paper=False))


def used(coupon: Coupon, clerk: Clerk, amount_fen: int | None = None) -> Redemption:
    """Let a clerk scan a coupon and enter a bill, by default just at the threshold."""
    scan = scanned(coupon, clerk)
    category = scan.category
    kind = category.kind_choices[0] if category.kind_choices else "2"
    payment = Redemption.Payment.CARD if category.cashless else ""
    entry = redemption.Entry(amount_fen or coupon.threshold_fen, kind, payment=payment)
    return redemption.complete(clerk, scan.pk, entry)
