"""The audit trail of staff's deeds, and the record of every export."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from huigou.tables import append_only


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

    class Meta:
        verbose_name = verbose_name_plural = "工作人员操作记录"
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["staff", "at"], name="audit_staff"),
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["address", "id"], name="audit_address"),
            models.Index(fields=["row", "id"], name="audit_row"),
        ]
        triggers = append_only("auditentry")

    def __str__(self) -> str:
        return f"{self.deed} {self.table} {self.row}"


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
