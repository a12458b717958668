"""The web's entry point: Django, with the draw's path answered ahead of it in the same process."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huigou.settings")
os.environ.setdefault("HUIGOU_SERVING", "true")

from django.core.wsgi import get_wsgi_application

django_application = get_wsgi_application()

from coupons.rush import wrap  # noqa: E402 (needs the app registry)

application = wrap(django_application)
