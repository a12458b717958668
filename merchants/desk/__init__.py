"""The lists of the back office that need shops: 优惠券领取, 优惠券使用, 商家管理 and what belongs to them."""

from merchants.desk.claims import USE_CODES, Coupons, in_use_state, use_words
from merchants.desk.conduct import Complaints, Inspections
from merchants.desk.firms import Clerks, Merchants, Outlets
from merchants.desk.uses import Uses, kind_words, places_named, use_cells, use_params

__all__ = [
    "USE_CODES",
    "Clerks",
    "Complaints",
    "Coupons",
    "Inspections",
    "Merchants",
    "Outlets",
    "Uses",
    "in_use_state",
    "kind_words",
    "places_named",
    "use_cells",
    "use_params",
    "use_words",
]
