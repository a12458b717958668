"""A closed campaign's rows refuse every write. Notices, freezes and the reveal of a seed stay possible."""

from django.db import migrations

from coupons.models.closed import open_again, stay_closed

OF_ROUND = "SELECT r.campaign_id FROM changed c JOIN coupons_round r ON r.id = c.round_id"
TABLES = {
    "coupons_category": "SELECT campaign_id FROM changed",
    "coupons_balance": "SELECT campaign_id FROM changed",
    "coupons_changerequest": "SELECT campaign_id FROM changed",
    "coupons_planfinding": "SELECT campaign_id FROM changed",
    "coupons_batch": "SELECT k.campaign_id FROM changed c JOIN coupons_category k ON k.id = c.category_id",
    "coupons_allotment": OF_ROUND,
    "coupons_seedshare": OF_ROUND,
    "coupons_deck": OF_ROUND,
}
# Written in one transaction with a transfer, whose own trigger takes the lock.
HOT = {
    "coupons_coupon": OF_ROUND,
    "coupons_draw": "SELECT r.campaign_id FROM changed c JOIN coupons_deck d ON d.id = c.deck_id"
    " JOIN coupons_round r ON r.id = d.round_id",
    "coupons_registration": "SELECT r.campaign_id FROM changed c JOIN coupons_deck d ON d.id = c.deck_id"
    " JOIN coupons_round r ON r.id = d.round_id",
    "coupons_event": "SELECT r.campaign_id FROM changed c JOIN coupons_coupon k ON k.draw_id = c.coupon_id"
    " JOIN coupons_round r ON r.id = k.round_id",
}

ROUND_AND_CAMPAIGN = """
CREATE FUNCTION coupons_round_stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A seed may be revealed after the closing; nothing else of a round changes.
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'revealed_at' = to_jsonb(OLD) - 'revealed_at' THEN
        RETURN NEW;
    END IF;
    PERFORM 1 FROM coupons_campaign WHERE id = coalesce(NEW.campaign_id, OLD.campaign_id) FOR KEY SHARE;
    IF EXISTS (SELECT 1 FROM coupons_campaign WHERE closed_at IS NOT NULL
               AND id IN (coalesce(NEW.campaign_id, OLD.campaign_id), coalesce(OLD.campaign_id, NEW.campaign_id))) THEN
        RAISE EXCEPTION 'the books of this campaign are closed' USING CONSTRAINT = 'books_closed';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER coupons_round_stays_closed BEFORE INSERT OR UPDATE OR DELETE ON coupons_round
    FOR EACH ROW EXECUTE FUNCTION coupons_round_stays_closed();

CREATE FUNCTION coupons_campaign_stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the books of this campaign are closed' USING CONSTRAINT = 'books_closed';
END $$;
CREATE TRIGGER coupons_campaign_stays_closed BEFORE UPDATE OR DELETE ON coupons_campaign
    FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION coupons_campaign_stays_closed();
"""
UNDO = """
DROP TRIGGER coupons_round_stays_closed ON coupons_round;
DROP FUNCTION coupons_round_stays_closed();
DROP TRIGGER coupons_campaign_stays_closed ON coupons_campaign;
DROP FUNCTION coupons_campaign_stays_closed();
"""


class Migration(migrations.Migration):
    dependencies = [("coupons", "0004_transfer_xact_realloc_after")]
    operations = [
        *(migrations.RunSQL(stay_closed(table, path), open_again(table)) for table, path in TABLES.items()),
        *(migrations.RunSQL(stay_closed(table, path, lock=False), open_again(table)) for table, path in HOT.items()),
        migrations.RunSQL(ROUND_AND_CAMPAIGN, UNDO),
    ]
