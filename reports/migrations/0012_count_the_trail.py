"""The trail's entries are counted by day and by what they are filtered by; their words have a column of their own."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

from reports.models import wording

class Migration(migrations.Migration):

    dependencies = [
        ('reports', '0011_settlement_bounds'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='TrailStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='日期')),
                ('department', models.CharField(blank=True, max_length=16, verbose_name='部门')),
                ('deed', models.CharField(max_length=30, verbose_name='动作')),
                ('about', models.CharField(max_length=50, verbose_name='对象')),
                ('address', models.GenericIPAddressField(null=True, verbose_name='来源地址')),
                ('n', models.BigIntegerField(verbose_name='条数')),
            ],
            options={
                'verbose_name': '操作记录统计变动',
                'verbose_name_plural': '操作记录统计变动',
            },
        ),
        migrations.CreateModel(
            name='TrailTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='日期')),
                ('department', models.CharField(blank=True, max_length=16, verbose_name='部门')),
                ('deed', models.CharField(max_length=30, verbose_name='动作')),
                ('about', models.CharField(max_length=50, verbose_name='对象')),
                ('address', models.GenericIPAddressField(null=True, verbose_name='来源地址')),
                ('n', models.BigIntegerField(verbose_name='条数')),
            ],
            options={
                'verbose_name': '操作记录统计',
                'verbose_name_plural': '操作记录统计',
            },
        ),
        migrations.AlterModelOptions(
            name='auditentry',
            options={'ordering': ['-at', '-pk'], 'verbose_name': '工作人员操作记录', 'verbose_name_plural': '工作人员操作记录'},
        ),
        migrations.RemoveIndex(
            model_name='auditentry',
            name='audit_staff',
        ),
        migrations.RemoveIndex(
            model_name='auditentry',
            name='audit_at',
        ),
        migrations.RemoveIndex(
            model_name='auditentry',
            name='audit_address',
        ),
        migrations.AddField(
            model_name='auditentry',
            name='day',
            field=models.GeneratedField(db_persist=True, expression=models.Func(models.F('at'), output_field=models.DateField(), template="(%(expressions)s AT TIME ZONE 'Asia/Shanghai')::date"), output_field=models.DateField(), verbose_name='日期'),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='words',
            field=models.GeneratedField(db_persist=True, expression=models.Func(models.F('before'), models.F('after'), models.F('note'), function='reports_audit_words', output_field=models.TextField()), output_field=models.TextField(), verbose_name='文字'),
        ),
        migrations.AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['day', 'at', 'id'], include=('staff', 'department', 'deed', 'table', 'address'), name='audit_day'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditentry',
            trigger=pgtrigger.compiler.Trigger(name='entry_is_counted', sql=pgtrigger.compiler.UpsertTriggerSql(func='\n    INSERT INTO reports_trailstep (day, staff_id, department, deed, about, address, n)\n    SELECT day, staff_id, department, deed, "table", address, count(*) FROM new_rows GROUP BY 1, 2, 3, 4, 5, 6;\n    RETURN NULL;\n', hash='009e30d17dd07421e8abd1c60625bb5938ab3b2b', level='STATEMENT', operation='INSERT', pgid='pgtrigger_entry_is_counted_c17d8', referencing='REFERENCING NEW TABLE AS new_rows ', table='reports_auditentry', when='AFTER')),
        ),
        migrations.AddField(
            model_name='trailstep',
            name='staff',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='工作人员'),
        ),
        migrations.AddField(
            model_name='trailtally',
            name='staff',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='工作人员'),
        ),
        migrations.AddConstraint(
            model_name='trailtally',
            constraint=models.UniqueConstraint(fields=('day', 'staff', 'department', 'deed', 'about', 'address'), name='trail_tally_once', nulls_distinct=False, violation_error_message='该统计行已存在'),
        ),
        migrations.RunSQL("DROP INDEX audit_pairs", wording.INDEX),
        migrations.RunSQL(wording.BY_COLUMN, "DROP INDEX audit_pairs"),
        # What is there already; the trigger's lock keeps everybody else waiting until this is committed.
        migrations.RunSQL(
            """
            INSERT INTO reports_trailstep (day, staff_id, department, deed, about, address, n)
            SELECT day, staff_id, department, deed, "table", address, count(*)
              FROM reports_auditentry GROUP BY 1, 2, 3, 4, 5, 6
            """,
            migrations.RunSQL.noop,
        ),
    ]
