"""Ways through a campaign that several tests take."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from coupons import closing, lifecycle
from coupons.models import Campaign
from huigou.models import Department
from merchants import redemption
from reports import settlement
from reports.models import AuditOpinion, Settlement
from tests.factories import County, a_staff, agreed

Clock = Callable[[dt.datetime], dt.datetime]


def to_the_end(county: County, at: Clock) -> None:
    """Go past every round and its window for entries, booking all on the way."""
    for round_ in county.rounds:
        at(round_.opens_at)
        lifecycle.sweep()
        at(round_.closes_at)
        lifecycle.sweep()
    at(county.rounds[-1].entry_until)
    redemption.forfeit_overdue()
    lifecycle.sweep()


def audited(campaign: Campaign) -> Settlement:
    """Collect and freeze the settlement, let 审计局 accept every shop, and close the audit."""
    auditor = a_staff(Department.AUDIT)
    made = settlement.freeze(settlement.collect(campaign))
    for line in made.lines.all():
        settlement.give_opinion(line, AuditOpinion.Opinion.ACCEPT, "抽查票据相符", auditor=auditor)
    return settlement.finish_audit(made, auditor=auditor)


def paid(made: Settlement, at: Clock) -> Settlement:
    """Approve the settlement on its day and record every payment."""
    at(settlement.due_at(made.campaign))
    bureau, finance = a_staff(Department.INDUSTRY), a_staff(Department.FINANCE)
    agreed(settlement.propose_settle(made, maker=bureau, reason="按审计意见结算"))
    made.refresh_from_db()
    numbers = {line.pk: f"财付{line.pk:06d}" for line in made.lines.filter(counted_fen__gt=0)}
    if numbers:
        agreed(settlement.propose_pay(made, numbers, maker=finance, reason="国库集中支付"), a_staff(Department.LEADERS))
    made.refresh_from_db()
    return made


def closed(campaign: Campaign, *, carry: bool = False) -> Campaign:
    """Give away what is left and close the books."""
    bureau = a_staff(Department.INDUSTRY)
    propose = closing.propose_carry if carry else closing.propose_return
    agreed(propose(campaign, maker=bureau, reason="活动结束"))
    agreed(closing.propose_close(campaign, maker=bureau, reason="结账"))
    campaign.refresh_from_db()
    return campaign
