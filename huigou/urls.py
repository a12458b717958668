"""All addresses."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from huigou import second_step, views
from huigou.api_description import Docs

urlpatterns = [
    path("", RedirectView.as_view(url="/m/", permanent=False)),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("metrics", views.metrics, name="metrics"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", Docs.as_view(url_name="schema"), name="api-docs"),
    path("admin/second-step/", second_step.view, name="admin-second-step"),
    path("admin/", admin.site.urls),
    path("", include("coupons.urls")),
    path("", include("merchants.urls")),
    path("", include("reports.urls")),
    re_path("^api/", views.no_such_api),
]
handler400 = "huigou.views.bad_request"
handler500 = "huigou.views.server_error"
