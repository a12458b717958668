"""The web's entry point: the draw and the home page answered ahead of Django, in the same process."""

import gc
import sys

from huigou.wsgi import application as django

from coupons.rush import ahead  # isort: skip (needs the app registry)
from huigou.serving import Site

# Some threads compute while one answers the rush: with Python's own 5 ms it would wait longer for its turn than for the
# database.
sys.setswitchinterval(0.0005)
application = Site(django, ahead)
# What has been loaded stays for the process's life: looking through it for rubbish again and again took some 8 % of a
# rush's time. What comes later is a cycle only where Django answers, some forty objects a request.
gc.collect()
gc.freeze()
gc.set_threshold(5_000, 10, 10)
