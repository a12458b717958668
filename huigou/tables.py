"""What several tables share: the triggers that make a table append-only in the database."""

from __future__ import annotations

import pgtrigger


def append_only(name: str) -> list[pgtrigger.Trigger]:
    """Return the triggers that refuse UPDATE, DELETE and TRUNCATE on a table.

    A test's flush truncates as owner under ``huigou.allow_truncate``; the web's role lacks the privilege altogether.
    """
    return [
        pgtrigger.Protect(name=f"{name}_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        pgtrigger.Trigger(
            name=f"{name}_no_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func="""
                IF current_setting('huigou.allow_truncate', true) IS DISTINCT FROM 'on' THEN
                    RAISE EXCEPTION 'pgtrigger: Cannot truncate rows from % table', TG_TABLE_NAME;
                END IF;
                RETURN NULL;
            """,
        ),
    ]


# Model._meta.label_lower of the tables on which the web's role may only insert and select.
APPEND_ONLY = (
    "coupons.transfer",
    "coupons.event",
    "coupons.draw",
    "coupons.head",
    "coupons.registration",
    "coupons.registrantlist",
    "coupons.reveal",
    "coupons.paperprint",
    "coupons.planfinding",
    "merchants.attempt",
    "merchants.sanction",
    "merchants.inspection",
    "merchants.inspectionphoto",
    "merchants.commitmentletter",
    "reports.auditentry",
    "reports.auditopinion",
)
