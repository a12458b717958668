"""位置核对 in the plan desk: the county's boundary as GeoJSON, seen as a picture before it counts, without any map."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from coupons import consumers
from coupons.models import Campaign
from huigou import geo
from huigou.admin.deed import Deed
from huigou.admin.desk import Section
from huigou.errors import Refusal

MAX_BYTES = 2_000_000
DATUMS = [("", "以文件里的 datum 为准"), ("wgs84", "WGS-84（GPS、天地图）"), ("gcj02", "GCJ-02（高德、腾讯、微信）")]


class BoundaryForm(forms.Form):
    """A boundary pasted or sent as a file; it is drawn first, and kept once somebody says that it is the county."""

    text = forms.CharField(
        label="GeoJSON",
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="Polygon 或 MultiPolygon，经度在前；也可以上传文件",
    )
    file = forms.FileField(label="文件", required=False)
    datum = forms.ChoiceField(
        label="坐标系", required=False, choices=DATUMS, help_text="弄错坐标系，边界会偏移约半公里"
    )
    seen = forms.BooleanField(label="轮廓与面积核对无误", required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if (sent := data.get("file")) is not None:
            if sent.size > MAX_BYTES:
                raise forms.ValidationError("文件超过 2 MB，请先简化边界")
            try:
                data["text"] = sent.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                raise forms.ValidationError("文件不是 UTF-8 编码的 GeoJSON") from None
            # A browser does not send a file again with the confirmation: what it held goes on as text.
            self.data = self.data.copy()
            self.data["text"] = data["text"]
        if not data.get("text", "").strip():
            raise forms.ValidationError("请粘贴 GeoJSON，或选择文件")
        try:
            boundary = geo.parse(data["text"], data.get("datum") or None)
        except Refusal as refusal:
            raise forms.ValidationError(str(refusal)) from None
        if not data.get("seen"):
            self.add_error("seen", pictured(boundary))
        return data


def pictured(boundary: geo.Boundary) -> SafeString:
    """Return a boundary's outline and figures, to be compared with what somebody knows of the county."""
    return format_html(
        "请看轮廓，无误后勾选再提交：{}，{}，约 {} 平方公里，{} 个顶点，{}<br>{}",
        boundary.name or "未命名",
        {geo.Datum.WGS84: "WGS-84", geo.Datum.GCJ02: "GCJ-02"}[boundary.datum],
        f"{boundary.area_km2():,.0f}",
        sum(len(ring) - 1 for polygon in boundary.polygons for ring in polygon),
        extent(boundary),
        geo.svg(boundary, width=240),
    )


def extent(boundary: geo.Boundary) -> str:
    """Return from where to where a boundary reaches, in degrees."""
    west, south, east, north = boundary.box
    return f"东经 {west:.3f} 至 {east:.3f}，北纬 {south:.3f} 至 {north:.3f}"


class PolicyForm(forms.Form):
    policy = forms.ChoiceField(label="位置核对", choices=Campaign.PlacePolicy.choices)


def _set_boundary(request: HttpRequest, row: Campaign, data: dict[str, Any]) -> str:
    boundary = consumers.set_boundary(row.pk, data["text"], data["datum"])
    return f"边界已更新，约 {boundary.area_km2():,.0f} 平方公里"


def _set_policy(request: HttpRequest, row: Campaign, data: dict[str, Any]) -> str:
    consumers.set_policy(row.pk, data["policy"])
    return "位置核对方式已更新"


def _facts(row: Campaign) -> dict[str, Any]:
    boundary = consumers.boundary_of(row)
    area = f"{boundary.area_km2():,.1f} 平方公里" if boundary else "无"
    return {"位置核对": row.get_place_policy_display(), "边界": f"{area} {row.boundary_datum}"}


DEEDS = (
    Deed(
        "boundary",
        "更新县域边界",
        "coupons.change_place",
        _set_boundary,
        BoundaryForm,
        facts=_facts,
        on_row=False,
        offered=lambda row: row.closed_at is None,
        say=lambda row: "用于判断买家是否在县域内；只记结论，不存坐标。已有的结论不变。",
    ),
    Deed(
        "place",
        "位置核对方式",
        "coupons.change_place",
        _set_policy,
        PolicyForm,
        facts=_facts,
        on_row=False,
        offered=lambda row: row.launched_at is None,
        say=lambda row: "上线后不再更改。“必须在县域内”而不便定位的，由村级服务站证明。",
    ),
)


def section(row: Campaign) -> Section:
    """Return the part of a campaign's page that shows the boundary."""
    boundary = consumers.boundary_of(row)
    if boundary is None:
        return Section("县域边界", facts=[("边界", "未设置：买家只能声明，或由服务站证明")])
    properties = row.boundary.get("properties", {}) if isinstance(row.boundary, dict) else {}
    facts = [
        ("名称", boundary.name),
        ("坐标系", row.boundary_datum),
        ("面积", f"约 {boundary.area_km2():,.0f} 平方公里"),
        ("范围", extent(boundary)),
    ]
    if consumers.is_coarse(row):
        facts.insert(0, ("示意边界", str(properties.get("note") or "粗略示意，正式使用前请更换")))
    return Section("县域边界", facts=facts, template="admin/desk/boundary.html", extra={"picture": geo.svg(boundary)})
