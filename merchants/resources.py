"""Shops from a workbook: one row a firm, each row's mistakes said in Chinese, all rows or none."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from import_export import fields, resources, widgets

from coupons.models import Campaign, Category
from huigou import clock
from merchants.listing import open_first_outlet
from merchants.models import Merchant

HEADINGS = {
    "name": "企业名称",
    "categories": "品类",
    "stat_status": "统计状态",
    "address": "企业地址",
    "phone": "联系电话",
    "offer": "企业让利",
}


class CategoriesWidget(widgets.ManyToManyWidget):
    """Categories by their name or one of their aliases, several with 、 between them."""

    def __init__(self, campaign: Campaign) -> None:
        super().__init__(Category, field="name", separator="、")
        self.known: dict[str, Category] = {}
        for category in Category.objects.filter(campaign=campaign):
            for name in (category.name, category.code, *category.aliases):
                self.known[name] = category

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> list[Category]:
        names = [name.strip() for name in str(value or "").replace("，", "、").replace(",", "、").split("、")]
        names = [name for name in names if name]
        if not names:
            raise ValueError("请填写品类")
        for name in names:
            if name not in self.known:
                offered = "、".join(dict.fromkeys(category.name for category in self.known.values()))
                raise ValueError(f"没有“{name[:20]}”这个品类，可填：{offered}")
        return [self.known[name] for name in names]


class StatusWidget(widgets.Widget):
    """The statistical status by its Chinese name; empty means 待核."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = str(value or "").strip()
        known = {label: code for code, label in Merchant.StatStatus.choices}
        if text and text not in known:
            raise ValueError(f"没有“{text[:20]}”这个统计状态，可填：{'、'.join(known)}")
        return known.get(text, Merchant.StatStatus.UNKNOWN)


class MerchantResource(resources.ModelResource):
    """Firms of one campaign, found again by name; a new one begins as 申请中 with one place of its own."""

    name = fields.Field("name", HEADINGS["name"])
    address = fields.Field("address", HEADINGS["address"])
    phone = fields.Field("phone", HEADINGS["phone"])
    offer = fields.Field("offer", HEADINGS["offer"])

    class Meta:
        model = Merchant
        fields = tuple(HEADINGS)
        import_id_fields = ("name",)
        use_transactions = True
        skip_unchanged = True
        report_skipped = True
        clean_model_instances = False
        store_instance = True

    def __init__(self, campaign: Campaign) -> None:
        super().__init__()
        self.campaign = campaign
        self.fields["categories"] = fields.Field("categories", HEADINGS["categories"], CategoriesWidget(campaign))
        self.fields["stat_status"] = fields.Field("stat_status", HEADINGS["stat_status"], StatusWidget())
        self.names: set[str] = set()

    def get_queryset(self) -> Any:
        return Merchant.objects.filter(campaign=self.campaign)

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        self.names.clear()

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """Leave the sequence alone: the parent would set it, which the web's role may not, and need not."""

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        for heading in HEADINGS.values():
            row[heading] = str(row.get(heading) or "").strip()
        name = row[HEADINGS["name"]]
        if not name:
            raise ValidationError("请填写企业名称")
        for heading, limit in (("企业名称", 100), ("企业地址", 200), ("联系电话", 30), ("企业让利", 200)):
            if len(row[heading]) > limit:
                raise ValidationError(f"{heading}过长，请控制在 {limit} 个字以内")
        if name in self.names:
            raise ValidationError(f"“{name[:30]}”在表中出现了不止一次")
        self.names.add(name)

    def before_save_instance(self, instance: Merchant, row: Any, **kwargs: Any) -> None:
        if instance.pk is None:
            instance.campaign = self.campaign
            instance.joined_at = clock.now()
            instance.state = Merchant.State.APPLIED

    def after_save_instance(self, instance: Merchant, row: Any, **kwargs: Any) -> None:
        open_first_outlet(instance)
