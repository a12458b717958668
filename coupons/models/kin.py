"""The SQL that keeps a draw with its deck and a coupon with its draw, in place of foreign keys; for migrations alone.

A foreign key looks each row up by itself, at the commit and under the deck's lock: nine of them took a third of a
draw's time. What can never be deleted needs no lock either, so that one look for all rows of a statement is enough:
decks, draws and coupons refuse DELETE by their own triggers, consumers and campaigns by the one here, and all of them
TRUNCATE. A coupon's round and holder are its draw's, whose deck holds them; its batch is held by the round's release,
which is frozen once the round is dealt.

Each also refuses what belongs to a closed campaign, as ``closed`` does for other tables.
"""

from __future__ import annotations

_FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rounds bigint[];
    is_astray boolean;
BEGIN
    SELECT array_agg(DISTINCT {round}), bool_or({astray}) INTO rounds, is_astray FROM changed c {parents};
    IF is_astray THEN
        RAISE EXCEPTION '{words}' USING ERRCODE = 'foreign_key_violation', CONSTRAINT = '{name}';
    END IF;
    IF EXISTS (SELECT 1 FROM coupons_round r JOIN coupons_campaign g ON g.id = r.campaign_id
                WHERE r.id = ANY (rounds) AND g.closed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the books of this campaign are closed' USING CONSTRAINT = 'books_closed';
    END IF;
    RETURN NULL;
END $$;
"""
_TRIGGER = """
DROP TRIGGER {table}_stays_closed_insert ON {table};
CREATE TRIGGER {name} AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {name}();
"""
_UNDO = """
DROP TRIGGER {name} ON {table};
DROP FUNCTION {name}();
CREATE TRIGGER {table}_stays_closed_insert AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {table}_stays_closed();
"""
KIN = (
    {
        "table": "coupons_draw",
        "name": "draw_of_a_deck",
        "words": "a draw is of a deck",
        "parents": "LEFT JOIN coupons_deck d ON d.id = c.deck_id",
        "astray": "d.id IS NULL",
        "round": "d.round_id",
    },
    {
        "table": "coupons_coupon",
        "name": "coupon_is_its_draws",
        "words": "a coupon is what its draw gave, to whom it was given",
        "parents": "LEFT JOIN coupons_draw w ON w.id = c.draw_id LEFT JOIN coupons_deck d ON d.id = w.deck_id"
        " LEFT JOIN coupons_allotment a ON a.round_id = c.round_id AND a.batch_id = c.batch_id",
        "astray": "w.kind IS DISTINCT FROM 'draw' OR w.consumer_id <> c.holder_id OR w.face_fen <> c.face_fen"
        " OR d.round_id <> c.round_id OR a.id IS NULL",
        "round": "c.round_id",
    },
    {
        "table": "coupons_event",
        "name": "event_of_a_coupon",
        "words": "an event is of a coupon",
        "parents": "LEFT JOIN coupons_coupon k ON k.draw_id = c.coupon_id",
        "astray": "k.draw_id IS NULL",
        "round": "k.round_id",
    },
)
DRAW_OF_SOMEBODY = {
    **KIN[0],
    "words": "a draw is of a deck, and of a consumer if of anybody",
    "parents": f"{KIN[0]['parents']} LEFT JOIN coupons_consumer p ON p.id = c.consumer_id",
    "astray": "d.id IS NULL OR (c.consumer_id IS NOT NULL AND p.id IS NULL)",
}
NEVER_EMPTIED = """
CREATE FUNCTION coupons_never_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('huigou.allow_truncate', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'rows of % are never deleted', TG_TABLE_NAME USING CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER deck_never_emptied BEFORE TRUNCATE ON coupons_deck EXECUTE FUNCTION coupons_never_emptied();
CREATE TRIGGER coupon_never_emptied BEFORE TRUNCATE ON coupons_coupon EXECUTE FUNCTION coupons_never_emptied();
CREATE TRIGGER allotment_never_emptied BEFORE TRUNCATE ON coupons_allotment EXECUTE FUNCTION coupons_never_emptied();
"""
MAY_BE_EMPTIED = """
DROP TRIGGER deck_never_emptied ON coupons_deck;
DROP TRIGGER coupon_never_emptied ON coupons_coupon;
DROP TRIGGER allotment_never_emptied ON coupons_allotment;
DROP FUNCTION coupons_never_emptied();
"""
# A consumer is unbound and shredded, a campaign closed: both rows stay.
NEVER_DELETED = """
CREATE FUNCTION coupons_never_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never deleted', TG_TABLE_NAME USING CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER consumer_never_deleted BEFORE DELETE ON coupons_consumer
    FOR EACH ROW EXECUTE FUNCTION coupons_never_deleted();
CREATE TRIGGER campaign_never_deleted BEFORE DELETE ON coupons_campaign
    FOR EACH ROW EXECUTE FUNCTION coupons_never_deleted();
CREATE TRIGGER consumer_never_emptied BEFORE TRUNCATE ON coupons_consumer EXECUTE FUNCTION coupons_never_emptied();
CREATE TRIGGER campaign_never_emptied BEFORE TRUNCATE ON coupons_campaign EXECUTE FUNCTION coupons_never_emptied();
"""
MAY_BE_DELETED = """
DROP TRIGGER consumer_never_deleted ON coupons_consumer;
DROP TRIGGER campaign_never_deleted ON coupons_campaign;
DROP TRIGGER consumer_never_emptied ON coupons_consumer;
DROP TRIGGER campaign_never_emptied ON coupons_campaign;
DROP FUNCTION coupons_never_deleted();
"""


def keep_kin(**kin: str) -> str:
    """Return the SQL of one table's trigger; ``astray`` is true of a row in ``changed`` that belongs to nothing."""
    return _FUNCTION.format(**kin) + _TRIGGER.format(**kin)


def say_anew(**kin: str) -> str:
    """Return the SQL that gives a table's trigger another condition."""
    return _FUNCTION.format(**kin)


def leave_kin(table: str, name: str) -> str:
    """Return the SQL that takes ``keep_kin`` back."""
    return _UNDO.format(table=table, name=name)
