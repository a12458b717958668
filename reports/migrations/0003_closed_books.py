"""A closed campaign's settlement refuses every write, and one that is frozen no longer lets a use be reversed."""

from django.db import migrations

from coupons.models.closed import open_again, stay_closed

OF_LINE = (
    "SELECT s.campaign_id FROM changed c JOIN reports_settlementline l ON l.id = c.line_id"
    " JOIN reports_settlement s ON s.id = l.settlement_id"
)
TABLES = {
    "reports_settlement": "SELECT campaign_id FROM changed",
    "reports_settlementline": "SELECT s.campaign_id FROM changed c JOIN reports_settlement s ON s.id = c.settlement_id",
    "reports_settlementuse": OF_LINE,
    "reports_auditopinion": OF_LINE,
}
NO_LATE_REVERSAL = """
CREATE FUNCTION merchants_redemption_is_settled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM reports_settlement s JOIN merchants_merchant m ON m.campaign_id = s.campaign_id
               WHERE m.id = NEW.merchant_id AND s.state <> 'collected') THEN
        RAISE EXCEPTION 'the settlement is frozen' USING CONSTRAINT = 'settlement_is_frozen';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER merchants_redemption_is_settled BEFORE UPDATE ON merchants_redemption
    FOR EACH ROW WHEN (OLD.state = 'used' AND NEW.state = 'reversed')
    EXECUTE FUNCTION merchants_redemption_is_settled();
"""
UNDO = """
DROP TRIGGER merchants_redemption_is_settled ON merchants_redemption;
DROP FUNCTION merchants_redemption_is_settled();
"""


class Migration(migrations.Migration):
    dependencies = [("reports", "0002_seal"), ("merchants", "0002_closed_books")]
    operations = [
        *(migrations.RunSQL(stay_closed(table, path), open_again(table)) for table, path in TABLES.items()),
        migrations.RunSQL(NO_LATE_REVERSAL, UNDO),
    ]
