"""Addresses of merchants."""

urlpatterns: list = []
