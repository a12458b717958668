"""The back office's pages of coupons."""

from django.contrib import admin

from coupons.admin.assist import AssistAdmin
from coupons.admin.batches import BatchAdmin
from coupons.admin.changes import ChangeRequestAdmin
from coupons.admin.consumers import ConsumerAdmin, ExclusionAdmin, RevealAdmin
from coupons.admin.notices import NoticeAdmin
from coupons.admin.plan import CampaignAdmin, CategoryAdmin, RoundAdmin
from coupons.admin.stations import StationAdmin
from coupons.models import (
    Assist,
    Batch,
    Campaign,
    Category,
    ChangeRequest,
    Consumer,
    Exclusion,
    Notice,
    Reveal,
    Round,
    Station,
)

admin.site.register(Batch, BatchAdmin)
admin.site.register(ChangeRequest, ChangeRequestAdmin)
admin.site.register(Consumer, ConsumerAdmin)
admin.site.register(Exclusion, ExclusionAdmin)
admin.site.register(Reveal, RevealAdmin)
admin.site.register(Notice, NoticeAdmin)
admin.site.register(Station, StationAdmin)
admin.site.register(Assist, AssistAdmin)
admin.site.register(Campaign, CampaignAdmin)
admin.site.register(Category, CategoryAdmin)
admin.site.register(Round, RoundAdmin)
