"""Stands in for tests/django_urls.py, which WhiteNoise's source release lacks: no URL is known."""

urlpatterns: list[object] = []
