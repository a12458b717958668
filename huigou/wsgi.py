"""Django alone for any WSGI server. The platform itself serves ``huigou.rsgi``, which answers the draw ahead of it."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huigou.settings")
os.environ.setdefault("HUIGOU_SERVING", "true")

from django.core.wsgi import get_wsgi_application

django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402 (what follows needs the app registry)
from granian.utils.proxies import wrap_wsgi_with_proxy_headers  # noqa: E402

from huigou.starting import refuse_shifted_clock  # noqa: E402

refuse_shifted_clock()
application = wrap_wsgi_with_proxy_headers(django_application, settings.TRUSTED_PROXIES)
