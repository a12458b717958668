"""What 纪委 looks for in the trail: from which address, and any words of what stood before and after."""

from django.db import migrations, models

from reports.models import wording


class Migration(migrations.Migration):
    dependencies = [("reports", "0009_settlement_is_agreed")]

    operations = [
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=["address", "id"], name="audit_address")
        ),
        migrations.AddIndex(model_name="auditentry", index=models.Index(fields=["row", "id"], name="audit_row")),
        migrations.RunSQL(wording.CREATE, wording.DROP),
        migrations.RunSQL(wording.INDEX, "DROP INDEX audit_pairs"),
    ]
