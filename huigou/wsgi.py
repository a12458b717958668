"""The web's entry point."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huigou.settings")
os.environ.setdefault("HUIGOU_SERVING", "true")

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()
