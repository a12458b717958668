"""The back office's shared pages, and the admin of staff accounts."""

import django.contrib.auth.admin  # noqa: F401 (registers what is taken over here)
import django_otp.plugins.otp_totp.admin  # noqa: F401 (registered there, taken over here)
from django.contrib import admin
from django.contrib.auth.models import Group
from django_otp.plugins.otp_totp.models import TOTPDevice

from huigou.admin.staff import StaffAdmin
from huigou.models import Staff

admin.site.unregister([Group, TOTPDevice])  # rights come from the department; devices are set up by their owners
admin.site.register(Staff, StaffAdmin)
