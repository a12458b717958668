"""Who takes part: the county's plan, its staff, its shops with a clerk each, and N consumers."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable
from pathlib import Path

import coupons
from coupons import approval, consumers, funding
from coupons.models import Campaign, ChangeRequest, Person, SmsCode
from coupons.plan.linting import lint
from coupons.plan.reading import read_plan
from huigou import clock
from huigou.fields import keyed_hash, normal_name
from huigou.models import Department, Staff
from merchants.listing import load_plan
from merchants.models import BindingCode, Clerk, Merchant, Outlet

PLAN = Path(coupons.__file__).parent / "demo_plan"
CODE = "246810"
REASON = "演练：以各格数字为准"
BEFORE_OPENING = dt.timedelta(days=3)


def staff() -> dict[str, Staff]:
    """Return one member of each department."""
    made = {}
    for department in Department:
        made[department.value] = Staff.objects.create(
            username=f"rehearsal-{department.value}",
            department=department.value,
            person_key=f"rehearsal-{department.value}",
            first_name="演练",
        )
        made[department.value].set_unusable_password()
    return made


def agree(change: ChangeRequest, checker: Staff) -> None:
    """Approve a change."""
    approval.approve(change.pk, checker, "演练")


def load(rounds: int, people: dict[str, Staff], move_clock: Callable[[dt.datetime], None]) -> Campaign:
    """Load the county's plan with its first ``rounds`` rounds, fund it and let it go live, days before it opens."""
    draft = read_plan(PLAN)
    draft = dataclasses.replace(draft, rounds=draft.rounds[:rounds])
    move_clock(draft.rounds[0].opens_at - BEFORE_OPENING)
    accepted = {finding.code: REASON for finding in lint(draft)}
    bureau, finance = people[Department.INDUSTRY], people[Department.FINANCE]
    campaign = load_plan(draft, accepted, accepted_by=str(bureau)).campaign
    Campaign.objects.filter(pk=campaign.pk).update(place_policy=Campaign.PlacePolicy.OFF)
    agree(funding.propose_fund(campaign, maker=bureau, reason="按方案拨入"), finance)
    agree(funding.propose_launch(campaign, maker=bureau, reason="方案已核对"), finance)
    campaign.refresh_from_db()
    return campaign


def clerks(campaign: Campaign, issued_by: Staff) -> dict[str, list[int]]:
    """Bind a clerk at every shop's place; return {category code: clerk ids} in the order of the annex."""
    now = clock.now()
    found: dict[str, list[int]] = {}
    shops = Merchant.objects.taking_part().filter(campaign=campaign).order_by("seq", "pk")
    for number, merchant in enumerate(shops.prefetch_related("categories")):
        outlet = Outlet.objects.filter(merchant=merchant).order_by("pk").first()
        if outlet is None:
            continue
        code = BindingCode.objects.create(
            outlet=outlet,
            code_hash=keyed_hash("binding", f"rehearsal-{number}"),
            issued_by=issued_by,
            issued_at=now,
            expires_at=now + dt.timedelta(days=7),
            used_at=now,
        )
        person = _person(f"rehearsal-clerk-{number}", "演练店员", now)
        person.save()
        clerk = Clerk.objects.create(person=person, outlet=outlet, code=code, bound_at=now)
        for category in merchant.categories.all():
            found.setdefault(category.code, []).append(clerk.pk)
    return found


def bind(numbers: Iterable[int]) -> list[int]:
    """Bind consumers through the verb, with an SMS code each; return their ids in the order of the numbers.

    The codes are put in their place directly: a rehearsal sends no SMS.
    """
    now = clock.now()
    phones = [f"1990{number:07d}" for number in numbers]
    keys = [consumers.phone_key(phone) for phone in phones]
    SmsCode.objects.bulk_create(
        SmsCode(
            phone_key=key,
            purpose="bind",
            code_hash=consumers.code_hash(key, "bind", CODE),
            sent_at=now,
            expires_at=now + consumers.CODE_LIFE,
        )
        for key in keys
    )
    return [consumers.bind(consumers.Binding("演练甲", phone, CODE, consent=True)).pk for phone in phones]


def _person(phone: str, name: str, now: dt.datetime) -> Person:
    return Person(
        name=name,
        phone_key=keyed_hash("phone", phone),
        name_key=keyed_hash("name", normal_name(name)),
        phone_last4="0000",
        created_at=now,
    )
