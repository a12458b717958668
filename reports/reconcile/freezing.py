"""Red books stop the money; two people release it, naming the findings they accept (design: money)."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from coupons import approval
from coupons.models import Campaign, ChangeRequest, Freeze, Round
from huigou import clock
from huigou.errors import BAD_INPUT
from huigou.models import Staff
from merchants.models import Redemption
from reports.errors import FREEZE_GREW, NOT_FROZEN
from reports.reconcile.snapshot import Finding


def open_freeze(campaign_id: int) -> Freeze | None:
    """Return the freeze that stands, if one does."""
    return Freeze.objects.filter(campaign_id=campaign_id, released_at=None).first()


def accepted(campaign_id: int) -> set[str]:
    """Return the fingerprints that two people have accepted: these do not freeze again."""
    released = Freeze.objects.filter(campaign_id=campaign_id, released_at__isnull=False)
    return {found["fingerprint"] for findings in released.values_list("findings", flat=True) for found in findings}


def freeze_if_red(campaign: Campaign, findings: Iterable[Finding]) -> Freeze | None:
    """Freeze the campaign for findings that nobody has accepted; return the freeze that stands because of them.

    What is found while it is frozen is added, so that a release names all of it.
    """
    known = accepted(campaign.pk)
    fresh = [found.as_dict() for found in findings if found.fingerprint not in known]
    if not fresh:
        return None
    with transaction.atomic():
        # Two checks at once make one freeze: the second waits here and adds to the first's.
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        standing = Freeze.objects.filter(campaign=campaign, released_at=None).select_for_update().first()
        if standing is None:
            return Freeze.objects.create(campaign=campaign, findings=fresh, frozen_at=clock.now())
        have = {found["fingerprint"] for found in standing.findings}
        if more := [found for found in fresh if found["fingerprint"] not in have]:
            standing.findings = [*standing.findings, *more]
            standing.save(update_fields=["findings"])
    return standing


def propose_release(freeze: Freeze, *, maker: Staff, reason: str) -> ChangeRequest:
    """Ask for the release of a freeze, naming every finding that it holds now."""
    if freeze.released_at is not None:
        raise NOT_FROZEN()
    if not freeze.findings:
        raise BAD_INPUT(what="核对问题")
    return approval.propose(
        "unfreeze",
        freeze.campaign,
        {"freeze": freeze.pk, "fingerprints": sorted(found["fingerprint"] for found in freeze.findings)},
        summary=f"解除冻结，认可 {len(freeze.findings)} 项核对问题",
        reason=reason,
        maker=maker,
    )


@approval.executes("unfreeze")
def unfreeze(change: ChangeRequest) -> None:
    """Release a freeze; windows for entries that it cut into are longer by its length.

    Raises FREEZE_GREW when more was found since the request was made, NOT_FROZEN when it is released already.
    """
    freeze = Freeze.objects.select_for_update().get(pk=change.payload["freeze"], campaign_id=change.campaign_id)
    if freeze.released_at is not None:
        raise NOT_FROZEN()
    if {found["fingerprint"] for found in freeze.findings} != set(change.payload["fingerprints"]):
        raise FREEZE_GREW()
    now = clock.now()
    length = now - freeze.frozen_at
    Round.objects.filter(campaign_id=change.campaign_id, entry_until__gt=freeze.frozen_at, opens_at__lt=now).update(
        entry_until=F("entry_until") + length
    )
    Redemption.objects.pending().filter(
        merchant__campaign_id=change.campaign_id, entry_until__gt=freeze.frozen_at
    ).update(entry_until=F("entry_until") + length)
    freeze.released_at, freeze.change = now, change
    freeze.save(update_fields=["released_at", "change"])
