"""Where a point lies: datums, boundaries as GeoJSON, distances, and a picture of a boundary without a map.

Degrees throughout, longitude first as in GeoJSON (RFC 7946); metres for distances.
"""

from huigou.geo.boundary import Boundary, Box
from huigou.geo.datum import Datum, Point, converted, haversine_m, to_gcj02, to_wgs84
from huigou.geo.geojson import BAD_BOUNDARY, parse
from huigou.geo.picture import svg, svg_path

__all__ = [
    "BAD_BOUNDARY",
    "Boundary",
    "Box",
    "Datum",
    "Point",
    "converted",
    "haversine_m",
    "parse",
    "svg",
    "svg_path",
    "to_gcj02",
    "to_wgs84",
]
