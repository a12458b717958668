"""A boundary as a small SVG, so that whoever pastes one into the admin sees its shape without any map service."""

from __future__ import annotations

import math
from collections.abc import Callable

from django.utils.html import format_html
from django.utils.safestring import SafeString

from huigou.geo.boundary import Boundary
from huigou.geo.datum import Point

MARGIN_PX = 6


def svg_path(boundary: Boundary, width: int = 320) -> tuple[str, int, int]:
    """Return SVG path data (fill it with evenodd), and the picture's width and height in px."""
    place, height = _placing(boundary, width)
    rings = (ring for polygon in boundary.polygons for ring in polygon)
    corners = (("L".join("{:.1f} {:.1f}".format(*place(point)) for point in ring[:-1])) for ring in rings)
    return "".join(f"M{corner}Z" for corner in corners), width, height


def svg(boundary: Boundary, mark: Point | None = None, width: int = 320) -> SafeString:
    """Return an inline picture of the boundary, with a dot at ``mark`` (in the boundary's datum).

    Presentation attributes only, so that it passes a Content-Security-Policy without inline styles.
    """
    path, width, height = svg_path(boundary, width)
    dot: SafeString | str = ""
    if mark is not None:
        x, y = _placing(boundary, width)[0](mark)
        dot = format_html('<circle cx="{}" cy="{}" r="4" fill="#c8102e"/>', f"{x:.1f}", f"{y:.1f}")
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img"'
        ' aria-label="{label}"><path d="{path}" fill="currentColor" fill-opacity="0.12" fill-rule="evenodd"'
        ' stroke="currentColor" stroke-width="1.5" stroke-linejoin="round"/>{dot}</svg>',
        w=width,
        h=height,
        label=f"{boundary.name or '活动范围'}轮廓，约 {boundary.area_km2():.0f} 平方公里",
        path=path,
        dot=dot,
    )


def _placing(boundary: Boundary, width: int) -> tuple[Callable[[Point], tuple[float, float]], int]:
    """Return the function from degrees to px and the height: north up, a kilometre equally long both ways."""
    west, south, east, north = boundary.box
    shrink = math.cos(math.radians((south + north) / 2))
    scale = (width - 2 * MARGIN_PX) / ((east - west) * shrink)
    height = round((north - south) * scale) + 2 * MARGIN_PX

    def place(point: Point) -> tuple[float, float]:
        return MARGIN_PX + (point.lng - west) * shrink * scale, MARGIN_PX + (north - point.lat) * scale

    return place, height
