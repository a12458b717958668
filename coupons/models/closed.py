"""The SQL by which the database refuses every write to a closed campaign's tables; used by migrations alone."""

from __future__ import annotations

_FUNCTION = """
CREATE OR REPLACE FUNCTION {table}_stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {lock}
    IF EXISTS (SELECT 1 FROM coupons_campaign WHERE closed_at IS NOT NULL AND id IN ({campaigns})) THEN
        RAISE EXCEPTION 'the books of this campaign are closed' USING CONSTRAINT = 'books_closed';
    END IF;
    RETURN NULL;
END $$;
"""
_TRIGGER = """
CREATE TRIGGER {table}_stays_closed_{event} AFTER {event} ON {table}
    REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {table}_stays_closed();
"""
# The closing locks the campaign's row whole: an earlier writer is waited for, a later one waits here, and then reads
# in its next statement that the campaign is closed.
_LOCK = "PERFORM 1 FROM coupons_campaign WHERE id IN ({campaigns}) FOR KEY SHARE;"


def stay_closed(table: str, campaigns: str, *, lock: bool = True) -> str:
    """Return the SQL that makes a table refuse writes for closed campaigns.

    ``campaigns`` selects campaign ids from the transition table ``changed``. Without ``lock`` the table is always
    written in one transaction with one that has it.
    """
    lock_sql = _LOCK.format(campaigns=campaigns) if lock else ""
    events = (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD"))
    triggers = "".join(_TRIGGER.format(table=table, event=event, rows=rows) for event, rows in events)
    return _FUNCTION.format(table=table, campaigns=campaigns, lock=lock_sql) + triggers


def open_again(table: str) -> str:
    """Return the SQL that takes ``stay_closed`` back."""
    drops = "".join(
        f"DROP TRIGGER {table}_stays_closed_{event} ON {table};" for event in ("insert", "update", "delete")
    )
    return f"{drops} DROP FUNCTION {table}_stays_closed();"
