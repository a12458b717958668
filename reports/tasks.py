"""Celery's thin side of reports: fetch, call, return."""

from __future__ import annotations

import logging

from celery import shared_task

from coupons.models import Campaign
from reports import reconcile, tallies

log = logging.getLogger(__name__)


@shared_task(name="reports.check_books")
def check_books() -> dict[str, int]:
    """Check the whole of every open campaign's books; red freezes. Returns {campaign: findings}."""
    return _check_all(reconcile.check)


@shared_task(name="reports.check_new")
def check_new() -> dict[str, int]:
    """Check all sums and what is new, every minute; red freezes."""
    return _check_all(reconcile.check_new)


def _check_all(check) -> dict[str, int]:  # type: ignore[no-untyped-def]
    found = {}
    for campaign in Campaign.objects.open_books().filter(launched_at__isnull=False):
        report = check(campaign)
        if reconcile.freeze_if_red(campaign, report.findings) is not None and check is not reconcile.check:
            # Money stands still already. The rows that were not new say more about the same fault: two people who
            # release it are to name all of it, or the nightly check would freeze once more.
            report = reconcile.check(campaign)
            reconcile.freeze_if_red(campaign, report.findings)
        found[str(campaign.pk)] = len(report.findings)
        if not report.is_green:
            log.error("campaign %s: %d findings in the books", campaign.pk, len(report.findings))
    return found


@shared_task(name="reports.keep_sums")
def keep_sums() -> int:
    """Fold new entries into the kept sums of the audit trail; late or doubled, the list stays exact."""
    return tallies.fold()
