"""The audit trail of staff's deeds, and the record of every export."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models

from huigou.tables import append_only
from reports.models import wording

# An entry's day is its block: a page is found by the days' counts and reads within one or a few of them.
DAY = models.Func(
    models.F("at"), template="(%(expressions)s AT TIME ZONE 'Asia/Shanghai')::date", output_field=models.DateField()
)
_STEP = """
    INSERT INTO reports_trailstep (day, staff_id, department, deed, about, address, n)
    SELECT day, staff_id, department, deed, "table", address, count(*) FROM new_rows GROUP BY 1, 2, 3, 4, 5, 6;
    RETURN NULL;
"""


class AuditEntry(models.Model):
    """What a member of staff did: who, when, from where, before, after. Append-only, without personal values."""

    staff = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, verbose_name="工作人员")
    department = models.CharField("部门", max_length=16, blank=True)
    at = models.DateTimeField("时间")
    address = models.GenericIPAddressField("来源地址", null=True)
    deed = models.CharField("动作", max_length=30)
    table = models.CharField("对象", max_length=50)
    row = models.CharField("编号", max_length=50, blank=True)
    before = models.JSONField("之前", default=dict)
    after = models.JSONField("之后", default=dict)
    note = models.CharField("说明", max_length=300, blank=True)
    day = models.GeneratedField(expression=DAY, output_field=models.DateField(), db_persist=True, verbose_name="日期")
    words = models.GeneratedField(
        expression=wording.words(), output_field=models.TextField(), db_persist=True, verbose_name="文字"
    )

    class Meta:
        verbose_name = verbose_name_plural = "工作人员操作记录"
        ordering = ["-at", "-pk"]
        indexes = [
            # Holds whatever the list is filtered by: of a day without its words, only the index is read.
            models.Index(
                fields=["day", "at", "id"],
                include=["staff", "department", "deed", "table", "address"],
                name="audit_day",
            ),
            models.Index(fields=["row", "id"], name="audit_row"),
        ]
        triggers = [
            *append_only("auditentry"),
            pgtrigger.Trigger(
                name="entry_is_counted",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="new_rows"),
                func=_STEP,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deed} {self.table} {self.row}"


class TrailCell(models.Model):
    """What a cell of the trail's tally and a step towards it are made of."""

    day = models.DateField("日期")
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, verbose_name="工作人员", related_name="+", db_index=False
    )
    department = models.CharField("部门", max_length=16, blank=True)
    deed = models.CharField("动作", max_length=30)
    about = models.CharField("对象", max_length=50)
    address = models.GenericIPAddressField("来源地址", null=True)
    n = models.BigIntegerField("条数")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.day} {self.deed} {self.about} {self.n}"


class TrailTally(TrailCell):
    """How many entries of one day share staff, department, deed, what it is about, and address."""

    class Meta:
        verbose_name = verbose_name_plural = "操作记录统计"
        constraints = [
            models.UniqueConstraint(
                fields=["day", "staff", "department", "deed", "about", "address"],
                name="trail_tally_once",
                nulls_distinct=False,
                violation_error_message="该统计行已存在",
            ),
        ]


class TrailStep(TrailCell):
    """New entries that are not folded in yet, written by the entries' trigger."""

    class Meta:
        verbose_name = verbose_name_plural = "操作记录统计变动"


class ExportJob(models.Model):
    """One export: its filter, its progress, its file, its hash, and who took it."""

    class State(models.TextChoices):
        WAITING = "waiting", "排队中"
        RUNNING = "running", "生成中"
        READY = "ready", "可下载"
        FAILED = "failed", "失败"

    kind = models.CharField("内容", max_length=30)
    filters = models.JSONField("筛选条件", default=dict)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, verbose_name="导出人")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.WAITING)
    asked_at = models.DateTimeField("申请时间")
    started_at = models.DateTimeField("开始时间", null=True)
    finished_at = models.DateTimeField("完成时间", null=True)
    rows_done = models.PositiveBigIntegerField("已写行数", default=0)
    rows_total = models.PositiveBigIntegerField("总行数", default=0)
    rows_sha256 = models.CharField("行散列", max_length=64, blank=True)
    file = models.FileField("文件", upload_to="exports/", blank=True)
    error = models.CharField("错误", max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField("次数", default=0)

    class Meta:
        verbose_name = verbose_name_plural = "导出记录"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
