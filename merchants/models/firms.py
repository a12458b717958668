"""Firms, their places, their clerks, and what a firm must hand in before it takes part."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from coupons.models import Campaign, Category, Person
from huigou import geo
from huigou.fields import SealedTextField
from huigou.tables import append_only


class MerchantQuerySet(models.QuerySet["Merchant"]):
    def taking_part(self) -> MerchantQuerySet:
        """Firms where a coupon can be spent today, all but a pause that the clock decides."""
        return self.filter(state=Merchant.State.ACTIVE)


class Merchant(models.Model):
    """A firm on the campaign's list (附件2)."""

    class State(models.TextChoices):
        APPLIED = "applied", "申请中"
        ACTIVE = "active", "参加中"
        SUSPENDED = "suspended", "暂停"
        BLACKLISTED = "blacklisted", "失信名单"
        LEFT = "left", "已退出"

    class StatStatus(models.TextChoices):
        LISTED = "listed", "限上在库"
        JOINING = "joining", "个转企（拟入库）"
        FARM = "farm", "扶贫农产品"
        UNKNOWN = "unknown", "待核"

    campaign = models.ForeignKey(Campaign, models.PROTECT, verbose_name="活动", related_name="merchants")
    name = models.CharField("企业名称", max_length=100)
    categories = models.ManyToManyField(Category, verbose_name="品类", related_name="merchants")
    address = models.CharField("企业地址", max_length=200, blank=True)
    phone = models.CharField("联系电话", max_length=30, blank=True)  # the shop's own, printed on the public list
    contact = models.ForeignKey(
        Person, models.PROTECT, null=True, blank=True, verbose_name="联系人", related_name="contact_of"
    )
    stat_status = models.CharField("统计状态", max_length=10, choices=StatStatus.choices, default=StatStatus.UNKNOWN)
    state = models.CharField("状态", max_length=12, choices=State.choices, default=State.APPLIED)
    state_reason = models.CharField("状态说明", max_length=300, blank=True)
    offer = models.CharField("企业让利", max_length=200, blank=True)
    is_collective = models.BooleanField("集体名录（须列明站点）", default=False)
    seq = models.PositiveIntegerField("序号", default=0)
    joined_at = models.DateTimeField("加入时间")

    objects = MerchantQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "商家"
        ordering = ["seq", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "name"], name="merchant_once", violation_error_message="该企业已在名单"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["suspended", "blacklisted"]) | ~Q(state_reason=""),
                name="merchant_reason_given",
                violation_error_message="暂停或列入失信名单须写明理由",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Outlet(models.Model):
    """A place of a firm (店面). Clerks and redemptions belong to an outlet."""

    merchant = models.ForeignKey(Merchant, models.PROTECT, verbose_name="商家", related_name="outlets")
    name = models.CharField("店面", max_length=100)
    address = models.CharField("地址", max_length=200, blank=True)
    phone = models.CharField("电话", max_length=30, blank=True)
    hours = models.CharField("营业时间", max_length=100, blank=True)
    latitude = models.DecimalField("纬度", max_digits=9, decimal_places=6, null=True, blank=True)
    longitude = models.DecimalField("经度", max_digits=9, decimal_places=6, null=True, blank=True)
    datum = models.CharField(
        "坐标系",
        max_length=10,
        default="GCJ-02",  # what the maps are in that people look a place up on
        choices=[("GCJ-02", "GCJ-02（高德、腾讯、微信地图上查到的）"), ("WGS-84", "WGS-84（GPS、天地图）")],
        help_text="经纬度用哪种坐标系。选错会偏约半公里；百度地图的坐标两种都不是，请换一种地图查",
    )
    is_active = models.BooleanField("营业", default=True)

    class Meta:
        verbose_name = verbose_name_plural = "店面"
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "name"], name="outlet_once", violation_error_message="该店面已存在"
            ),
            models.CheckConstraint(
                condition=Q(latitude__isnull=True, longitude__isnull=True)
                | Q(
                    latitude__isnull=False, longitude__isnull=False, latitude__range=(3, 54), longitude__range=(73, 136)
                ),
                name="outlet_in_china",
                violation_error_message="经纬度须一起填写，经度在 73–136、纬度在 3–54 之间，请看是否写反",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def position(self) -> geo.Point | None:
        """Return where it lies in WGS-84, which phones reckon in, None where nobody said."""
        if self.latitude is None or self.longitude is None:
            return None
        datum = geo.Datum.GCJ02 if self.datum == "GCJ-02" else geo.Datum.WGS84
        return geo.converted(float(self.longitude), float(self.latitude), datum, geo.Datum.WGS84)


class CommitmentLetter(models.Model):
    """The signed letter of commitment (信用承诺书), without which no one-time code is issued (plan clause 6.4)."""

    merchant = models.ForeignKey(Merchant, models.PROTECT, verbose_name="商家", related_name="letters")
    file = models.FileField("承诺书", upload_to="letters/%Y/")
    sha256 = models.CharField("文件散列", max_length=64)
    version = models.CharField("版本", max_length=20, default="第一版")
    signed_on = models.DateField("签订日期")
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="登记人")
    recorded_at = models.DateTimeField("登记时间")

    class Meta:
        verbose_name = verbose_name_plural = "信用承诺书"
        triggers = append_only("letter")

    def __str__(self) -> str:
        return f"{self.merchant} {self.version}"


class BindingCode(models.Model):
    """The one-time code by which a clerk binds (唯一验证码): hashed, and sealed for printing until it is used."""

    outlet = models.ForeignKey(Outlet, models.PROTECT, verbose_name="店面", related_name="codes")
    code_hash = models.BinaryField("散列", max_length=32, unique=True)
    code = SealedTextField("验证码", purpose="binding", null=True)
    is_owner = models.BooleanField("店主", default=False)
    issued_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name="发放人")
    issued_at = models.DateTimeField("发放时间")
    expires_at = models.DateTimeField("失效时间")
    used_at = models.DateTimeField("使用时间", null=True, blank=True)
    revoked_at = models.DateTimeField("作废时间", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "商家绑定验证码"

    def __str__(self) -> str:
        return f"{self.outlet} 验证码 {self.pk}"


class ClerkQuerySet(models.QuerySet["Clerk"]):
    def bound(self) -> ClerkQuerySet:
        return self.filter(unbound_at=None)


class Clerk(models.Model):
    """A person bound to an outlet as its clerk (员工). Unbinding ends the row."""

    person = models.ForeignKey(Person, models.PROTECT, verbose_name="个人信息", related_name="clerks")
    outlet = models.ForeignKey(Outlet, models.PROTECT, verbose_name="店面", related_name="clerks")
    code = models.OneToOneField(BindingCode, models.PROTECT, verbose_name="验证码", related_name="clerk")
    openid = models.CharField("微信标识", max_length=64, blank=True)
    wechat_name = models.CharField("员工微信号", max_length=200, blank=True)
    is_owner = models.BooleanField("店主", default=False)
    session_version = models.PositiveIntegerField("会话版本", default=1)
    bound_at = models.DateTimeField("绑定时间")
    unbound_at = models.DateTimeField("解绑时间", null=True, blank=True)

    objects = ClerkQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = "员工"
        constraints = [
            models.UniqueConstraint(
                fields=["person", "outlet"],
                condition=Q(unbound_at=None),
                name="clerk_bound_once",
                violation_error_message="该手机号已绑定此店面",
            ),
        ]

    def __str__(self) -> str:
        return f"员工 {self.pk}"
