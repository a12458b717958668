"""A boundary read from GeoJSON (RFC 7946), refused in Chinese with the place of the fault."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from huigou.errors import Reason
from huigou.geo.boundary import Boundary, Polygon, Ring, in_ring, signed_km2
from huigou.geo.datum import Datum, Point, in_china_box

BAD_BOUNDARY = Reason("bad_boundary", 400, "边界数据不正确：{problem}", "请按提示修改 GeoJSON 后重新保存")

MAX_VERTICES = 10_000  # a county's official boundary has a few thousand
MAX_TEXT_CHARS = 2_000_000
MIN_KM2, MAX_KM2 = 0.01, 500_000.0  # a village square; the largest county-level division has 200,000 km²
DATUM_NAMES = {
    "wgs84": Datum.WGS84,
    "wgs-84": Datum.WGS84,
    "epsg:4326": Datum.WGS84,
    "gcj02": Datum.GCJ02,
    "gcj-02": Datum.GCJ02,
}

Segment = tuple[int, int, Point, Point]  # number of the ring, number of the segment in it, its ends


def parse(source: str | Mapping[str, Any], datum: Datum | str | None = None) -> Boundary:
    """Read a Polygon or MultiPolygon: bare, in a Feature or in a FeatureCollection of one.

    ``datum`` overrides the file's property "datum"; one of the two must be there, since a boundary in the wrong datum
    is off by half a kilometre without anybody seeing it. Raises Refusal (BAD_BOUNDARY).
    """
    found = _document(source) if isinstance(source, str) else source
    if isinstance(found, Mapping) and found.get("type") == "FeatureCollection":
        features = found.get("features")
        if not isinstance(features, list) or len(features) != 1:
            raise BAD_BOUNDARY(problem="FeatureCollection 里应当只有一个 Feature")
        found = features[0]
    if not isinstance(found, Mapping):
        raise BAD_BOUNDARY(problem="最外层应为一个 JSON 对象")
    is_feature = found.get("type") == "Feature"
    geometry, properties = (found.get("geometry"), found.get("properties")) if is_feature else (found, {})
    if not isinstance(geometry, Mapping):
        raise BAD_BOUNDARY(problem="Feature 缺少 geometry")
    properties = properties if isinstance(properties, Mapping) else {}
    polygons = _polygons(geometry)
    name = properties.get("name", "")
    boundary = Boundary(polygons, _datum(datum or properties.get("datum")), name if isinstance(name, str) else "")
    _check_place(boundary)
    return boundary


def _document(text: str) -> Any:
    if len(text) > MAX_TEXT_CHARS:
        raise BAD_BOUNDARY(problem=f"文件过大，超过 {MAX_TEXT_CHARS // 1_000_000} MB")
    problem = ""
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        problem = f"第 {error.lineno} 行第 {error.colno} 列不是合法的 JSON"
    except RecursionError:
        problem = "JSON 嵌套过深"
    raise BAD_BOUNDARY(problem=problem)


def _datum(value: object) -> Datum:
    if value is None or value == "":
        raise BAD_BOUNDARY(problem="未注明坐标系，请在 properties 里写 datum：wgs84 或 gcj02")
    known = DATUM_NAMES.get(str(value).strip().lower())
    if known is None:
        raise BAD_BOUNDARY(problem=f"不认识的坐标系“{str(value)[:20]}”，应为 wgs84 或 gcj02")
    return known


def _polygons(geometry: Mapping[str, Any]) -> tuple[Polygon, ...]:
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        raise BAD_BOUNDARY(problem=f"图形应为 Polygon 或 MultiPolygon，现为“{str(kind)[:20]}”")
    if not isinstance(coordinates, list) or not coordinates:
        raise BAD_BOUNDARY(problem="图形没有坐标")
    parts = [coordinates] if kind == "Polygon" else coordinates
    if _count(parts) > MAX_VERTICES:
        raise BAD_BOUNDARY(problem=f"顶点超过 {MAX_VERTICES} 个，请先简化")
    return tuple(_polygon(part, f"第 {number} 块" if len(parts) > 1 else "") for number, part in enumerate(parts, 1))


def _count(node: Any) -> int:
    """Return the number of positions in nested lists four deep at most."""
    if not isinstance(node, list):
        return 0
    return sum(len(ring) for part in node if isinstance(part, list) for ring in part if isinstance(ring, list))


def _polygon(rings: Any, where: str) -> Polygon:
    if not isinstance(rings, list) or not rings:
        raise BAD_BOUNDARY(problem=f"{where}没有外环")
    names = [f"{where}外环"] + [f"{where}第 {number} 个洞" for number in range(1, len(rings))]
    polygon = tuple(_ring(ring, name) for ring, name in zip(rings, names, strict=True))
    _check_crossings(polygon, names)
    for hole, name in zip(polygon[1:], names[1:], strict=True):
        if not any(in_ring(point, polygon[0]) for point in hole):
            raise BAD_BOUNDARY(problem=f"{name}不在外环之内")
    return polygon


def _ring(positions: Any, name: str) -> Ring:
    if not isinstance(positions, list):
        raise BAD_BOUNDARY(problem=f"{name}应为坐标数组")
    points = tuple(_point(position, f"{name}第 {number} 点") for number, position in enumerate(positions, 1))
    if len(points) < 4:
        raise BAD_BOUNDARY(problem=f"{name}只有 {len(points)} 个点，至少要 4 个（首尾相同）")
    if points[0] != points[-1]:
        raise BAD_BOUNDARY(problem=f"{name}没有闭合，最后一点应与第一点相同")
    # Repeated points are harmless and common in exported files.
    kept = (points[0], *(b for a, b in pairwise(points) if a != b))
    if len(kept) < 4 or abs(signed_km2(kept)) == 0:
        raise BAD_BOUNDARY(problem=f"{name}没有面积")
    return kept


def _point(position: Any, name: str) -> Point:
    if not isinstance(position, list) or len(position) < 2:
        raise BAD_BOUNDARY(problem=f"{name}应为 [经度, 纬度]")
    lng, lat = position[:2]
    for value in (lng, lat):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise BAD_BOUNDARY(problem=f"{name}不是数字")
    if abs(lng) > 360 or abs(lat) > 360:
        raise BAD_BOUNDARY(problem=f"{name}不是经纬度，像是投影坐标（米），请先转换为度")
    if abs(lat) > 90 and abs(lng) <= 90:
        raise BAD_BOUNDARY(problem=f"{name}经纬度像是写反了，应先经度后纬度")
    if abs(lng) > 180 or abs(lat) > 90:
        raise BAD_BOUNDARY(problem=f"{name}超出经纬度范围")
    return Point(float(lng), float(lat))


def _check_place(boundary: Boundary) -> None:
    """Refuse what lies outside China or is of a size that no county has: swapped or scaled coordinates."""
    west, south, east, north = boundary.box
    if not (in_china_box(west, south) and in_china_box(east, north)):
        swapped = in_china_box(south, west) and in_china_box(north, east)
        hint = "，经纬度像是写反了，应先经度后纬度" if swapped else ""
        raise BAD_BOUNDARY(problem=f"区域不在中国境内{hint}")
    area = boundary.area_km2()
    if not MIN_KM2 <= area <= MAX_KM2:
        raise BAD_BOUNDARY(problem=f"面积约 {area:.3g} 平方公里，不像是一个县的范围")


def _check_crossings(polygon: Polygon, names: list[str]) -> None:
    """Refuse a ring that crosses or touches itself, and rings that cross each other.

    A sweep along the longitude: only segments whose longitudes overlap are compared.
    """
    segments = sorted(
        ((number, at, a, b) for number, ring in enumerate(polygon) for at, (a, b) in enumerate(pairwise(ring))),
        key=lambda segment: min(segment[2].lng, segment[3].lng),
    )
    active: list[Segment] = []
    for new in segments:
        west = min(new[2].lng, new[3].lng)
        active = [old for old in active if max(old[2].lng, old[3].lng) >= west]
        for old in active:
            if _conflict(old, new, len(polygon[new[0]]) - 1):
                what = "自相交" if old[0] == new[0] else f"与{names[min(old[0], new[0])]}相交"
                spot = _meeting(*old[2:], *new[2:])
                name = names[max(old[0], new[0])]
                raise BAD_BOUNDARY(problem=f"{name}{what}（{spot.lng:.5f}, {spot.lat:.5f} 附近）")
        active.append(new)


def _conflict(one: Segment, two: Segment, ring_size: int) -> bool:
    (ring1, at1, a, b), (ring2, at2, c, d) = one, two
    if max(a.lat, b.lat) < min(c.lat, d.lat) or max(c.lat, d.lat) < min(a.lat, b.lat):
        return False
    t1, t2, t3, t4 = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if ring1 != ring2:
        return t1 * t2 < 0 and t3 * t4 < 0
    if abs(at1 - at2) in (1, ring_size - 1):
        # Neighbours share a corner; they conflict only when one folds back onto the other.
        shared = b if b in (c, d) else a
        other1, other2 = (a if shared == b else b), (d if shared == c else c)
        forward = (other1.lng - shared.lng) * (other2.lng - shared.lng) + (other1.lat - shared.lat) * (
            other2.lat - shared.lat
        )
        return _turn(shared, other1, other2) == 0 and forward > 0
    return t1 * t2 <= 0 and t3 * t4 <= 0


def _meeting(a: Point, b: Point, c: Point, d: Point) -> Point:
    """Return where two segments that meet do so; an end of the second when they lie in one line."""
    t1, t2 = _turn(a, b, c), _turn(a, b, d)
    if t1 == t2:
        return c
    along = t1 / (t1 - t2)
    return Point(c.lng + along * (d.lng - c.lng), c.lat + along * (d.lat - c.lat))


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b.lng - a.lng) * (c.lat - a.lat) - (b.lat - a.lat) * (c.lng - a.lng)
