"""The back office's pages of figures, exports and the trail."""

from django.contrib import admin

from coupons.models import Freeze
from merchants.admin import firm_page
from reports.admin import firm_settlement
from reports.admin.books import FreezeAdmin
from reports.admin.desks import AuditEntryAdmin, ExportJobAdmin, ShopFiguresAdmin
from reports.admin.ending import ClosingAdmin
from reports.admin.moving import ReallocationAdmin
from reports.admin.settling import SettlementAdmin, SettlementLineAdmin
from reports.models import (
    AuditEntry,
    Closing,
    ExportJob,
    Reallocation,
    Settlement,
    SettlementLine,
    ShopFigures,
)

admin.site.register(ShopFigures, ShopFiguresAdmin)
admin.site.register(ExportJob, ExportJobAdmin)
admin.site.register(AuditEntry, AuditEntryAdmin)
admin.site.register(Freeze, FreezeAdmin)
admin.site.register(Reallocation, ReallocationAdmin)
admin.site.register(Settlement, SettlementAdmin)
admin.site.register(SettlementLine, SettlementLineAdmin)
admin.site.register(Closing, ClosingAdmin)

firm_page.MORE.append(firm_settlement.section)
