"""Staff accounts and the clock's one row."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Trim, Upper


class Department(models.TextChoices):
    """The bodies that the plan's clause 7 names, and the operator (plan clauses 3 and 7)."""

    INDUSTRY = "industry", "工信局"
    FINANCE = "finance", "财政局"
    AUDIT = "audit", "审计局"
    DISCIPLINE = "discipline", "纪委监委"
    MARKET = "market", "市监局"
    POLICE = "police", "公安局"
    MEDIA = "media", "融媒体中心"
    LEADERS = "leaders", "领导小组"
    OPERATOR = "operator", "运营商"
    STATION = "station", "村级服务站"


class Staff(AbstractUser):
    """A person of a department with an account of the back office. Citizens never are Staff."""

    department = models.CharField("部门", max_length=16, choices=Department.choices)
    # One natural person, one account: what four-eyes compares. A staff number or a hash of an id-card number.
    person_key = models.CharField("自然人标识", max_length=64, unique=True)

    class Meta:
        verbose_name = verbose_name_plural = "工作人员"
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(person_key=""),
                name="staff_person_key_given",
                violation_error_message="工作人员须登记自然人标识（工号）",
            ),
            # A second account under the same number in other letters or with a blank is the same person's.
            models.UniqueConstraint(
                Upper(Trim("person_key")),
                name="staff_person_once",
                violation_error_message="该自然人标识已有账号，一人一号",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_department_display()} {self.first_name or self.username}"


class ClockShift(models.Model):
    """How far the platform's clock is shifted: one row, for rehearsals and tests, writable by the owner role only."""

    offset_by = models.DurationField("偏移")
    frozen_at = models.DateTimeField("定格于", null=True)

    class Meta:
        verbose_name = verbose_name_plural = "时钟"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(pk=1), name="clockshift_one_row", violation_error_message="时钟只有一行"
            ),
        ]

    def __str__(self) -> str:
        return "时钟"
