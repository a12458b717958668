"""A closed campaign's redemptions refuse every write; the log of attempts goes on."""

from django.db import migrations

from coupons.models.closed import open_again, stay_closed

OF_COUPON = (
    "SELECT r.campaign_id FROM changed c JOIN coupons_coupon k ON k.draw_id = c.coupon_id"
    " JOIN coupons_round r ON r.id = k.round_id"
)


class Migration(migrations.Migration):
    dependencies = [("merchants", "0001_initial"), ("coupons", "0005_closed_books")]
    operations = [
        migrations.RunSQL(
            stay_closed("merchants_redemption", OF_COUPON, lock=False), open_again("merchants_redemption")
        ),
    ]
