"""People: personal data in one table, and those who point to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from coupons.models.steps import consumer_triggers
from huigou.fields import SealedTextField, mask_name, mask_phone
from huigou.tables import append_only


class Person(models.Model):
    """Name and phone of one verified phone number, encrypted; the only table that holds personal data."""

    name = SealedTextField("姓名", null=True, blank=True)
    phone = SealedTextField("手机号", null=True, blank=True)
    phone_key = models.BinaryField("手机号散列", max_length=32)
    name_key = models.BinaryField("姓名散列", max_length=32, null=True, blank=True)
    phone_last4 = models.CharField("尾号", max_length=4, blank=True)
    created_at = models.DateTimeField("登记时间")
    shredded_at = models.DateTimeField("销毁时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "个人信息"
        constraints = [
            models.UniqueConstraint(
                fields=["phone_key"], name="person_phone_once", violation_error_message="该手机号已登记"
            ),
            models.CheckConstraint(
                condition=Q(shredded_at=None) | Q(name=None, phone=None, name_key=None, phone_last4=""),
                name="person_shredded_is_empty",
                violation_error_message="已销毁的个人信息不得留有内容",
            ),
        ]
        indexes = [
            models.Index(fields=["name_key"], name="person_name_key"),
            models.Index(fields=["phone_last4"], name="person_last4"),
        ]

    def __str__(self) -> str:
        return f"{self.masked_name} {self.masked_phone}"

    @property
    def masked_phone(self) -> str:
        return mask_phone(self.phone_last4, (self.phone or "***")[:3]) if self.phone_last4 else "已销毁"

    @property
    def masked_name(self) -> str:
        return mask_name(self.name or "") or "已销毁"


class ConsumerQuerySet(models.QuerySet["Consumer"]):
    def bound(self) -> ConsumerQuerySet:
        return self.filter(unbound_at=None)


class Consumer(models.Model):
    """A person bound as a consumer (买家). Unbinding ends the row; a later binding makes a new one."""

    class Place(models.TextChoices):
        UNASKED = "unasked", "未核对"
        INSIDE = "inside", "县域内"
        OUTSIDE = "outside", "县域外"
        DECLARED = "declared", "本人声明"
        VOUCHED = "vouched", "服务站证明"

    person = models.ForeignKey(Person, models.PROTECT, verbose_name="个人信息", related_name="consumers")
    # The person's key once more: the draw reads it without a join, and it never changes.
    phone_key = models.BinaryField("手机号散列", max_length=32)
    openid = models.CharField("微信标识", max_length=64, blank=True)
    wechat_name = models.CharField("微信名", max_length=200, blank=True)
    place = models.CharField("位置核对", max_length=10, choices=Place.choices, default=Place.UNASKED)
    place_at = models.DateTimeField("核对时间", null=True, blank=True)
    vouched_by = models.ForeignKey("StationClerk", models.PROTECT, null=True, blank=True, verbose_name="证明人")
    consented_at = models.DateTimeField("同意时间")
    consent_version = models.CharField("同意书版本", max_length=20)
    device_key = models.BinaryField("设备散列", max_length=32, null=True, blank=True)
    session_version = models.PositiveIntegerField("会话版本", default=1)
    bound_at = models.DateTimeField("绑定时间")
    unbound_at = models.DateTimeField("解绑时间", null=True, blank=True)

    objects = ConsumerQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "买家"
        constraints = [
            models.UniqueConstraint(
                fields=["person"],
                condition=Q(unbound_at=None),
                name="consumer_bound_once",
                violation_error_message="该手机号已绑定",
            ),
            models.UniqueConstraint(
                fields=["openid"],
                condition=Q(unbound_at=None) & ~Q(openid=""),
                name="consumer_openid_once",
                violation_error_message="该微信已绑定其他手机号",
            ),
            models.CheckConstraint(
                condition=~Q(place="vouched") | Q(vouched_by__isnull=False),
                name="consumer_vouch_signed",
                violation_error_message="服务站证明须有证明人",
            ),
        ]
        indexes = [
            # Binding asks how many phones one device bound today.
            models.Index(fields=["device_key", "bound_at"], condition=~Q(device_key=None), name="consumer_device"),
        ]
        triggers = consumer_triggers()

    def __str__(self) -> str:
        return f"买家 {self.pk}"


class SmsCode(models.Model):
    """A code sent by SMS: hashed, bound to phone and purpose, with its tries counted."""

    phone_key = models.BinaryField("手机号散列", max_length=32)
    purpose = models.CharField("用途", max_length=20)
    code_hash = models.BinaryField("验证码散列", max_length=32)
    address_key = models.BinaryField("地址散列", max_length=32, null=True)
    device_key = models.BinaryField("设备散列", max_length=32, null=True)
    sent_at = models.DateTimeField("发送时间")
    expires_at = models.DateTimeField("失效时间")
    tries = models.PositiveSmallIntegerField("已试次数", default=0)
    used_at = models.DateTimeField("使用时间", null=True)

    class Meta:
        verbose_name = verbose_name_plural = "短信验证码"
        constraints = [
            models.CheckConstraint(
                condition=Q(tries__lte=5), name="smscode_tries", violation_error_message="验证码错误次数过多"
            ),
        ]
        indexes = [
            models.Index(fields=["phone_key", "sent_at"], name="smscode_phone"),
            models.Index(fields=["address_key", "sent_at"], name="smscode_address"),
            models.Index(fields=["device_key", "sent_at"], name="smscode_device"),
            models.Index(fields=["sent_at"], name="smscode_sent"),
        ]

    def __str__(self) -> str:
        return f"验证码 {self.pk}"


class Exclusion(models.Model):
    """A keyed hash of a phone whose owner may not draw, or is shown to 纪委: staff, operator, shops' people."""

    class Source(models.TextChoices):
        STAFF = "staff", "工作人员"
        OPERATOR = "operator", "运营商"
        MERCHANT = "merchant", "商家及店员"
        OTHER = "other", "其他"

    phone_key = models.BinaryField("手机号散列", max_length=32)
    source = models.CharField("来源", max_length=10, choices=Source.choices)
    note = models.CharField("说明", max_length=200, blank=True)
    added_at = models.DateTimeField("加入时间")
    removed_at = models.DateTimeField("移出时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "排除名单"
        constraints = [
            models.UniqueConstraint(
                fields=["phone_key", "source"],
                condition=Q(removed_at=None),
                name="exclusion_once",
                violation_error_message="该号码已在排除名单",
            ),
        ]

    def __str__(self) -> str:
        return self.get_source_display()


class Station(models.Model):
    """A village service station, which vouches for people and draws for those without a phone at hand."""

    name = models.CharField("服务站", max_length=50, unique=True)
    address = models.CharField("地址", max_length=200, blank=True)
    is_active = models.BooleanField("启用", default=True)

    class Meta:
        verbose_name = verbose_name_plural = "村级服务站"

    def __str__(self) -> str:
        return self.name


class StationClerk(models.Model):
    """A staff account that works at a station."""

    staff = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="工作人员")
    station = models.ForeignKey(Station, models.PROTECT, verbose_name="服务站")
    is_active = models.BooleanField("在岗", default=True)  # what somebody vouched for keeps pointing here

    class Meta:
        verbose_name = verbose_name_plural = "服务站人员"

    def __str__(self) -> str:
        return f"{self.station} {self.staff}"


class Reveal(models.Model):
    """That a member of staff looked at somebody's full name or number, when, and why."""

    person = models.ForeignKey(Person, models.PROTECT, verbose_name="个人信息")
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="查看人")
    reason = models.CharField("理由", max_length=200)
    at = models.DateTimeField("时间")

    class Meta:
        verbose_name = verbose_name_plural = "个人信息查看记录"
        constraints = [
            models.CheckConstraint(
                condition=~Q(reason=""), name="reveal_reason_given", violation_error_message="查看全号须写明理由"
            ),
        ]
        triggers = append_only("reveal")

    def __str__(self) -> str:
        return f"查看 {self.pk}"
