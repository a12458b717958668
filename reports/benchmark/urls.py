"""All addresses, and the benchmark's: ROOT_URLCONF of the web process that the benchmark starts."""

from django.urls import path

from huigou.urls import urlpatterns as all_addresses
from reports.benchmark import views

urlpatterns = [
    path("bench/empty", views.empty),
    path("bench/insert", views.one_insert),
    path("bench/textbook", views.textbook_draw),
    *all_addresses,
]
