"""The back office's pages that need shops."""

from django.contrib import admin

from coupons.models import Coupon
from merchants.admin.claims import CouponAdmin, RedemptionAdmin
from merchants.admin.clerks import ClerkAdmin, OutletAdmin
from merchants.admin.conduct import AttemptAdmin, ComplaintAdmin, InspectionAdmin
from merchants.admin.firms import MerchantAdmin
from merchants.models import Attempt, Clerk, Complaint, Inspection, Merchant, Outlet, Redemption

admin.site.register(Coupon, CouponAdmin)
admin.site.register(Redemption, RedemptionAdmin)
admin.site.register(Merchant, MerchantAdmin)
admin.site.register(Outlet, OutletAdmin)
admin.site.register(Clerk, ClerkAdmin)
admin.site.register(Complaint, ComplaintAdmin)
admin.site.register(Inspection, InspectionAdmin)
admin.site.register(Attempt, AttemptAdmin)
