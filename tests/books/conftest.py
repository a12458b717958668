"""What several tests of the books stand on."""

from __future__ import annotations

import pytest

from coupons import approval
from coupons.models import Freeze
from huigou import clock
from reports import reconcile, settlement
from tests import factories
from tests.books import walk


@pytest.fixture
def settled(county, wang, li, finance, leaders, at, monkeypatch):
    """A used coupon, an expired one, an approved settlement, a payment and a disallowance approved and not yet booked;
    a freeze with a request to release it.
    """
    coupons = factories.drawn_by_many(county, [wang, factories.a_consumer("钱")])
    factories.used(coupons[0], li)
    walk.to_the_end(county, at)
    made = walk.audited(county.campaign)
    at(settlement.due_at(county.campaign))
    factories.agreed(settlement.propose_settle(made, maker=factories.a_staff("industry"), reason="结算"), finance)
    for verb in ("pay", "disallow"):
        maker = finance if verb == "pay" else factories.a_staff("audit")
        monkeypatch.setitem(approval._executors, verb, lambda change: None)
        factories.agreed(approval.propose(verb, county.campaign, {}, summary="试", reason="试", maker=maker), leaders)
    finding = {"code": "x", "message": "x", "fingerprint": "x"}
    freeze = Freeze.objects.create(campaign=county.campaign, findings=[finding], frozen_at=clock.now())
    reconcile.propose_release(freeze, maker=factories.a_staff("audit"), reason="查明")
    coming = factories.a_round(county.campaign, 3, county.rounds[0].opens_at, clock.now())
    coming.entropy_source = "公开的一处"
    coming.save(update_fields=["entropy_source"])
    return county
