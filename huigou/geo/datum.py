"""WGS-84, which phones give, and GCJ-02, which maps sold in China are in, 100 to 700 m apart.

The official transformation is not public; this is the published reconstruction that map software uses.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG

# Krasovsky 1940, as GCJ-02 uses it.
_AXIS_M = 6_378_245.0
_ECCENTRICITY_2 = 0.006693421622965943


class Datum(StrEnum):
    """The coordinate system that a longitude and a latitude are given in."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"


class Point(NamedTuple):
    """A place in degrees."""

    lng: float
    lat: float


def in_china_box(lng: float, lat: float) -> bool:
    """Say whether GCJ-02 differs from WGS-84 there."""
    return 72.004 <= lng <= 137.8347 and 0.8293 <= lat <= 55.8271


def to_gcj02(lng: float, lat: float) -> Point:
    """Convert WGS-84 to GCJ-02."""
    if not in_china_box(lng, lat):
        return Point(lng, lat)
    east_m, north_m = _offset_m(lng - 105.0, lat - 35.0)
    phi = math.radians(lat)
    w = 1 - _ECCENTRICITY_2 * math.sin(phi) ** 2
    meridian_m = _AXIS_M * (1 - _ECCENTRICITY_2) / (w * math.sqrt(w))
    parallel_m = _AXIS_M / math.sqrt(w) * math.cos(phi)
    return Point(lng + math.degrees(east_m / parallel_m), lat + math.degrees(north_m / meridian_m))


def to_wgs84(lng: float, lat: float) -> Point:
    """Convert GCJ-02 to WGS-84, by iterating the forward conversion to better than 1e-9 degrees (0.1 mm)."""
    guess = Point(lng, lat)
    for _ in range(20):
        there = to_gcj02(*guess)
        miss = Point(lng - there.lng, lat - there.lat)
        guess = Point(guess.lng + miss.lng, guess.lat + miss.lat)
        if abs(miss.lng) < 1e-10 and abs(miss.lat) < 1e-10:
            break
    return guess


def converted(lng: float, lat: float, source: Datum, target: Datum) -> Point:
    """Convert a place from one datum to another."""
    if source == target:
        return Point(lng, lat)
    return to_gcj02(lng, lat) if target == Datum.GCJ02 else to_wgs84(lng, lat)


def haversine_m(lng1: float, lat1: float, lng2: float, lat2: float) -> float:
    """Return the distance between two places of one datum, in metres along the sphere."""
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half_lat, half_lng = (phi2 - phi1) / 2, math.radians(lng2 - lng1) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin(half_lng) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(chord)))


def _offset_m(x: float, y: float) -> tuple[float, float]:
    """Return GCJ-02's offset east and north in metres, for a place given in degrees from 105°E 35°N."""

    def waves(*terms: tuple[float, float, float]) -> float:
        return sum(height * math.sin(turns * along * math.pi) for height, turns, along in terms) * 2.0 / 3.0

    ripple = waves((20.0, 6.0, x), (20.0, 2.0, x))
    root = math.sqrt(abs(x))
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += ripple + waves((20.0, 1, x), (40.0, 1 / 3, x), (150.0, 1 / 12, x), (300.0, 1 / 30, x))
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += ripple + waves((20.0, 1, y), (40.0, 1 / 3, y), (160.0, 1 / 12, y), (320.0, 1 / 30, y))
    return east, north
