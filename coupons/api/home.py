"""What the home page's script refreshes."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from coupons import consumers
from coupons.api.base import OwnPagesView, epoch_ms
from coupons.api.serializers import HomeAnswer, RefusalSerializer
from coupons.errors import NO_ROUND
from coupons.models import Campaign
from coupons.views.home import home_data
from huigou import clock


class HomeState(OwnPagesView):
    """首页"""

    @extend_schema(operation_id="home", responses={200: HomeAnswer, 409: RefusalSerializer}, summary="各品类余量")
    def get(self, request: Request) -> Response:
        campaign = Campaign.objects.current()
        if campaign is None:
            raise NO_ROUND()
        now = clock.now()
        return Response({"now": epoch_ms(now), **home_data(campaign, consumers.current(request), now)})
