"""What 首页 asks for again every few seconds."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse

from huigou import clock
from reports import dashboard


def figures_json(request: HttpRequest) -> JsonResponse:
    """Return the dashboard's state."""
    if not request.user.has_perm("reports.view_shopfigures"):
        raise PermissionDenied
    return JsonResponse(dashboard.state(clock.now(), request.user), headers={"Cache-Control": "no-store"})
