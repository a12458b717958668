"""The one SQL function that says what time it is."""

from django.db import migrations

CREATE = """
CREATE OR REPLACE FUNCTION huigou_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT coalesce((SELECT frozen_at FROM huigou_clockshift),
                    clock_timestamp() + coalesce((SELECT offset_by FROM huigou_clockshift), interval '0'))
$$
"""


class Migration(migrations.Migration):
    dependencies = [("huigou", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION huigou_now()")]
