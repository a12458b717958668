"""The back office's pages of figures, exports and the trail."""

from django.contrib import admin

from reports.admin.desks import AuditEntryAdmin, ExportJobAdmin, ShopFiguresAdmin
from reports.models import AuditEntry, ExportJob, ShopFigures

admin.site.register(ShopFigures, ShopFiguresAdmin)
admin.site.register(ExportJob, ExportJobAdmin)
admin.site.register(AuditEntry, AuditEntryAdmin)
