"""An area on the ground: one or more polygons with holes, in one datum. A point is brought into that datum first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from huigou.geo.datum import EARTH_RADIUS_M, Datum, Point, converted

Ring = tuple[Point, ...]  # closed: the last point repeats the first
Polygon = tuple[Ring, ...]  # the outer ring, then the holes


class Box(NamedTuple):
    """The smallest box around a boundary, in degrees."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True)
class Boundary:
    """A county's area. Made by ``geo.parse``, which checks it."""

    polygons: tuple[Polygon, ...]
    datum: Datum
    name: str = ""

    @property
    def box(self) -> Box:
        """Return the bounding box in the boundary's own datum."""
        points = [point for polygon in self.polygons for point in polygon[0]]
        lngs, lats = [point.lng for point in points], [point.lat for point in points]
        return Box(min(lngs), min(lats), max(lngs), max(lats))

    def covers(self, lng: float, lat: float, datum: Datum) -> bool:
        """Say whether a place lies inside; an edge counts as inside, that of a hole too."""
        point = converted(lng, lat, datum, self.datum)
        return any(_in_polygon(point, polygon) for polygon in self.polygons)

    def distance_m(self, lng: float, lat: float, datum: Datum) -> float:
        """Return how far outside a place lies, in metres, 0 inside: to weigh a phone's stated accuracy against."""
        if self.covers(lng, lat, datum):
            return 0.0
        point = converted(lng, lat, datum, self.datum)
        rings = (ring for polygon in self.polygons for ring in polygon)
        return min(_to_segment_m(point, a, b) for ring in rings for a, b in pairwise(ring))

    def area_km2(self) -> float:
        """Return the area in square kilometres, good to about 1 % for a county."""
        areas = ([abs(signed_km2(ring)) for ring in polygon] for polygon in self.polygons)
        return sum(outer - sum(holes) for outer, *holes in areas)


def in_ring(point: Point, ring: Ring) -> bool | None:
    """Say whether a point lies inside a closed ring (even-odd), None when it lies on it."""
    inside = False
    for a, b in pairwise(ring):
        turn = (b.lng - a.lng) * (point.lat - a.lat) - (b.lat - a.lat) * (point.lng - a.lng)
        within = min(a.lng, b.lng) <= point.lng <= max(a.lng, b.lng)
        if turn == 0 and within and min(a.lat, b.lat) <= point.lat <= max(a.lat, b.lat):
            return None
        # Half-open in latitude, so that a ray through a corner crosses once or twice, never thrice.
        if (a.lat > point.lat) != (b.lat > point.lat) and (turn > 0) == (b.lat > a.lat):
            inside = not inside
    return inside


def signed_km2(ring: Ring) -> float:
    """Return a ring's area in square kilometres on the sphere, positive anticlockwise."""
    total = sum(
        math.radians(b.lng - a.lng) * (2 + math.sin(math.radians(a.lat)) + math.sin(math.radians(b.lat)))
        for a, b in pairwise(ring)
    )
    return -total * EARTH_RADIUS_M**2 / 2 / 1e6


def _in_polygon(point: Point, polygon: Polygon) -> bool:
    outer, *holes = polygon
    place = in_ring(point, outer)
    if place is None:
        return True
    return place and not any(in_ring(point, hole) for hole in holes)


def _to_segment_m(point: Point, a: Point, b: Point) -> float:
    """Return the distance to a segment, on a plane tangent at the point: exact enough for the tens of km it matters."""
    metre = math.radians(1) * EARTH_RADIUS_M
    shrink = math.cos(math.radians(point.lat))
    ax, ay = (a.lng - point.lng) * shrink * metre, (a.lat - point.lat) * metre
    dx, dy = (b.lng - a.lng) * shrink * metre, (b.lat - a.lat) * metre
    length_2 = dx * dx + dy * dy
    along = max(0.0, min(1.0, -(ax * dx + ay * dy) / length_2)) if length_2 else 0.0
    return math.hypot(ax + along * dx, ay + along * dy)
