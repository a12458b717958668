"""All addresses."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from django_prometheus.exports import ExportToDjangoView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from huigou import second_step, views

urlpatterns = [
    path("", RedirectView.as_view(url="/m/", permanent=False)),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("metrics", ExportToDjangoView, name="metrics"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="api-docs"),
    path("admin/second-step/", second_step.view, name="admin-second-step"),
    path("admin/", admin.site.urls),
    path("", include("coupons.urls")),
    path("", include("merchants.urls")),
    path("", include("reports.urls")),
]
