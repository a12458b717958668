"""Places, datums and boundaries."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huigou import geo
from huigou.errors import Refusal
from huigou.geo import Datum, Point

COUNTY = Path(__file__).resolve().parents[2] / "coupons" / "demo_plan" / "county.geojson"
TOWN = Point(124.04, 45.00)  # the county seat, roughly, in WGS-84


def square(west: float, south: float, side: float) -> list[list[float]]:
    east, north = west + side, south + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def polygon(*rings: list[list[float]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


FIELD = square(124.0, 45.0, 0.4)
POND = square(124.1, 45.1, 0.1)


@pytest.mark.parametrize(
    ("wgs", "gcj"),
    [
        ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
        ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
    ],
)
def test_the_conversion_agrees_with_published_pairs(wgs: tuple[float, float], gcj: tuple[float, float]) -> None:
    """The pairs are those of the test suite of googollee/eviltransform."""
    assert geo.haversine_m(*geo.to_gcj02(*wgs), *gcj) < 0.001
    assert geo.haversine_m(*geo.to_wgs84(*gcj), *wgs) < 0.001


@given(st.floats(75, 135), st.floats(5, 53))
def test_there_and_back_is_the_same_place(lng: float, lat: float) -> None:
    assert geo.haversine_m(*geo.to_wgs84(*geo.to_gcj02(lng, lat)), lng, lat) < 0.001


def test_in_the_county_the_two_datums_are_half_a_kilometre_apart() -> None:
    assert 500 < geo.haversine_m(*TOWN, *geo.to_gcj02(*TOWN)) < 750


def test_abroad_the_datums_are_one() -> None:
    assert geo.to_gcj02(2.35, 48.85) == Point(2.35, 48.85)


def test_distances_are_those_of_the_sphere() -> None:
    degree_m = 2 * math.pi * 6_371_008.8 / 360
    assert geo.haversine_m(124, 45, 124, 46) == pytest.approx(degree_m)
    assert geo.haversine_m(0, 0, 180, 0) == pytest.approx(180 * degree_m)
    assert geo.haversine_m(124, 45, 124, 45) == 0


@pytest.mark.parametrize(
    ("lng", "lat", "inside"),
    [
        (124.05, 45.05, True),
        (124.15, 45.15, False),  # in the pond
        (124.10, 45.15, True),  # on its shore
        (124.00, 45.20, True),  # on the outer edge
        (124.00, 45.00, True),  # a corner
        (123.9999, 45.0, False),  # in line with the lower edge
        (124.5, 45.4, False),  # in line with the upper one
        (124.2, 44.9999, False),
    ],
)
def test_inside_is_inside_the_outer_ring_and_outside_the_holes(lng: float, lat: float, *, inside: bool) -> None:
    boundary = geo.parse(polygon(FIELD, POND), "wgs84")
    assert boundary.covers(lng, lat, Datum.WGS84) is inside


def test_each_part_of_several_counts() -> None:
    parts = {"type": "MultiPolygon", "coordinates": [[FIELD, POND], [square(125.0, 45.0, 0.1)]]}
    boundary = geo.parse(parts, "wgs84")
    asked = [(124.05, 45.05), (125.05, 45.05), (124.7, 45.05), (124.15, 45.15)]
    assert [boundary.covers(*place, Datum.WGS84) for place in asked] == [True, True, False, False]
    assert boundary.box == (124.0, 45.0, 125.1, 45.4)


@given(st.floats(0, 2 * math.pi), st.floats(0, 0.3))
def test_a_round_area_covers_what_is_nearer_than_its_edge(angle: float, away: float) -> None:
    rim = [[124 + 0.2 * math.cos(i * math.pi / 180), 45 + 0.2 * math.sin(i * math.pi / 180)] for i in range(360)]
    boundary = geo.parse(polygon([*rim, rim[0]]), "wgs84")
    place = (124 + away * math.cos(angle), 45 + away * math.sin(angle))
    if away < 0.19:
        assert boundary.covers(*place, Datum.WGS84) is True
    if away > 0.21:
        assert boundary.covers(*place, Datum.WGS84) is False


def test_a_place_is_compared_in_the_boundarys_datum() -> None:
    """A phone 300 m inside the western edge; read in the wrong datum it would be outside."""
    edge = geo.to_gcj02(124.0, 45.2)
    boundary = geo.parse(polygon(square(edge.lng, 45.0, 0.4)), "gcj02")
    phone = (124.0038, 45.2)
    assert boundary.covers(*phone, Datum.WGS84) is True
    assert boundary.covers(*phone, Datum.GCJ02) is False


def test_the_distance_to_the_edge_weighs_a_phones_accuracy() -> None:
    boundary = geo.parse(polygon(FIELD), "wgs84")
    assert boundary.distance_m(124.2, 45.2, Datum.WGS84) == 0
    expected = geo.haversine_m(124.2, 44.99, 124.2, 45.0)
    assert boundary.distance_m(124.2, 44.99, Datum.WGS84) == pytest.approx(expected, rel=1e-3)
    corner = geo.haversine_m(123.99, 44.99, 124.0, 45.0)
    assert boundary.distance_m(123.99, 44.99, Datum.WGS84) == pytest.approx(corner, rel=1e-3)


def test_the_area_leaves_out_the_holes() -> None:
    field, pond = (geo.parse(polygon(ring), "wgs84").area_km2() for ring in (FIELD, POND))
    strip_km2 = 6371.0088**2 * math.radians(0.4) * (math.sin(math.radians(45.4)) - math.sin(math.radians(45)))
    assert field == pytest.approx(strip_km2, rel=1e-3)
    assert geo.parse(polygon(FIELD, POND), "wgs84").area_km2() == pytest.approx(field - pond)


BOW_TIE = [[124.0, 45.0], [124.4, 45.4], [124.4, 45.0], [124.0, 45.2], [124.0, 45.0]]
SPIKE = [[124.0, 45.0], [124.4, 45.0], [124.4, 45.4], [124.4, 45.2], [124.0, 45.4], [124.0, 45.0]]
TOUCH = [[124.0, 45.0], [124.4, 45.0], [124.2, 45.2], [124.4, 45.4], [124.0, 45.4], [124.2, 45.2], [124.0, 45.0]]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{", "第 1 行第 2 列不是合法的 JSON"),
        ("[" * 100_000, "JSON 嵌套过深"),
        ("[]", "最外层应为一个 JSON 对象"),
        (" " * 2_000_001, "文件过大，超过 2 MB"),
        ({"type": "FeatureCollection", "features": []}, "FeatureCollection 里应当只有一个 Feature"),
        ({"type": "Feature", "geometry": None}, "Feature 缺少 geometry"),
        ({"type": "Point", "coordinates": [124, 45]}, "图形应为 Polygon 或 MultiPolygon，现为“Point”"),
        (polygon(), "图形没有坐标"),
        ({"type": "MultiPolygon", "coordinates": [[]]}, "没有外环"),
        (polygon(FIELD[:3]), "外环只有 3 个点，至少要 4 个（首尾相同）"),
        (polygon([*FIELD[:4], [124.0, 45.0001]]), "外环没有闭合，最后一点应与第一点相同"),
        (polygon([[124.0, 45.0]] * 5), "外环没有面积"),
        (polygon([[124.0, 45.0], [124.4], *FIELD[2:]]), "外环第 2 点应为 [经度, 纬度]"),
        (polygon([[124.0, 45.0], ["124.4", 45.0], *FIELD[2:]]), "外环第 2 点不是数字"),
        (polygon([[124.0, 45.0], [math.nan, 45.0], *FIELD[2:]]), "外环第 2 点不是数字"),
        (polygon([[True, 45.0], *FIELD[1:]]), "外环第 1 点不是数字"),
        (polygon([[4256e4, 4990e3], *FIELD[1:]]), "外环第 1 点不是经纬度，像是投影坐标（米），请先转换为度"),
        (polygon([[45.0, 124.0], *FIELD[1:]]), "外环第 1 点经纬度像是写反了，应先经度后纬度"),
        (polygon([[lat, lng - 50] for lng, lat in FIELD]), "区域不在中国境内，经纬度像是写反了，应先经度后纬度"),
        (polygon(square(2.0, 48.0, 0.4)), "区域不在中国境内"),
        (polygon(square(124.0, 45.0, 0.0001)), "面积约 8.74e-05 平方公里，不像是一个县的范围"),
        (polygon(square(100.0, 25.0, 20)), "面积约 4.03e+06 平方公里，不像是一个县的范围"),
        (polygon(BOW_TIE), "外环自相交（124.13333, 45.13333 附近）"),
        (polygon(SPIKE), "外环自相交（124.40000, 45.20000 附近）"),
        (polygon(TOUCH), "外环自相交（124.20000, 45.20000 附近）"),
        (polygon(FIELD, square(124.3, 45.1, 0.2)), "第 1 个洞与外环相交（124.40000, 45.10000 附近）"),
        (polygon(FIELD, square(125.0, 45.1, 0.1)), "第 1 个洞不在外环之内"),
        (polygon([[124 + i / 1e6, 45.0] for i in range(10_001)]), "顶点超过 10000 个，请先简化"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else "source",
)
def test_a_boundary_that_cannot_be_is_refused_with_the_place_of_the_fault(source: Any, problem: str) -> None:
    with pytest.raises(Refusal) as caught:
        geo.parse(source, "wgs84")
    assert caught.value.message == f"边界数据不正确：{problem}"


@pytest.mark.parametrize(
    ("datum", "problem"),
    [
        (None, "未注明坐标系，请在 properties 里写 datum：wgs84 或 gcj02"),
        ("bd09", "不认识的坐标系“bd09”，应为 wgs84 或 gcj02"),
    ],
)
def test_a_boundary_must_name_its_datum(datum: str | None, problem: str) -> None:
    with pytest.raises(Refusal) as caught:
        geo.parse({"type": "Feature", "properties": {"datum": datum}, "geometry": polygon(FIELD)})
    assert caught.value.message == f"边界数据不正确：{problem}"


def test_harmless_oddities_of_exported_files_are_taken() -> None:
    """A byte order mark, heights, repeated points, whole numbers, a collection of one."""
    ring = [[124, 45, 120.5], [124, 45], [125, 45], [125, 46], [124, 46], [124, 45, 1]]
    feature = {"type": "Feature", "properties": {"datum": "GCJ-02", "name": 5}, "geometry": polygon(ring)}
    text = "\ufeff" + json.dumps({"type": "FeatureCollection", "features": [feature]})
    boundary = geo.parse(text)
    assert (boundary.datum, boundary.name, len(boundary.polygons[0][0])) == (Datum.GCJ02, "", 5)


def test_the_demo_county_is_coarse_and_says_so() -> None:
    text = COUNTY.read_text(encoding="utf-8")
    boundary = geo.parse(text)
    assert "不是行政区划界线" in json.loads(text)["properties"]["note"]
    assert (boundary.name, boundary.datum, boundary.box) == (
        "乾安县（示意）",
        Datum.WGS84,
        (123.35, 44.62, 124.37, 45.30),
    )
    assert boundary.covers(*TOWN, Datum.WGS84) is True
    assert boundary.covers(*geo.to_gcj02(*TOWN), Datum.GCJ02) is True
    assert boundary.covers(125.32, 43.88, Datum.WGS84) is False  # Changchun
    assert 3_000 < boundary.area_km2() < 5_000


def test_the_picture_keeps_the_shape_and_passes_a_strict_policy() -> None:
    boundary = geo.parse(COUNTY.read_text(encoding="utf-8"))
    root = ET.fromstring(geo.svg(boundary, mark=TOWN))  # noqa: S314 (our own text)
    width, height = (int(root.attrib[name]) for name in ("width", "height"))
    ground = geo.haversine_m(123.35, 44.96, 124.37, 44.96) / geo.haversine_m(124, 44.62, 124, 45.30)
    assert (width - 12) / (height - 12) == pytest.approx(ground, rel=0.01)
    assert root.attrib["aria-label"] == "乾安县（示意）轮廓，约 4371 平方公里"
    assert {name for node in root.iter() for name in node.attrib} & {"style", "class", "onclick"} == set()
    assert len(root) == 2


def test_a_name_cannot_smuggle_markup_into_the_picture() -> None:
    feature = {"type": "Feature", "properties": {"datum": "wgs84", "name": '"><script>'}, "geometry": polygon(FIELD)}
    assert "<script>" not in geo.svg(geo.parse(feature))


def test_the_path_starts_a_new_figure_for_each_ring() -> None:
    path, width, height = geo.svg_path(geo.parse(polygon(FIELD, POND), "wgs84"), width=100)
    assert (width, height) == (100, 137)
    assert path == "M6.0 130.9L94.0 130.9L94.0 6.0L6.0 6.0ZM28.0 99.7L50.0 99.7L50.0 68.4L28.0 68.4Z"
