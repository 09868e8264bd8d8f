"""Stands in for tests/django_settings.py, which WhiteNoise's source release lacks.

The names are Django's and WhiteNoise's.
"""

from pathlib import Path
from typing import Any

ALLOWED_HOSTS = ["*"]
SECRET_KEY = "no secret: it signs nothing"

# tests/utils.py serves every application below this prefix.
FORCE_SCRIPT_NAME = "/subdir"
STATIC_URL = f"{FORCE_SCRIPT_NAME}/static/"
STATIC_ROOT = str(Path(__file__).parent / "test_files" / "collected")

INSTALLED_APPS = ["whitenoise.runserver_nostatic", "django.contrib.staticfiles"]
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware"]
ROOT_URLCONF = "tests.django_urls"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
USE_TZ = True
