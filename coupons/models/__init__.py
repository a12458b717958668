"""The tables of ``coupons``, split by what they are about."""

from coupons.models.books import Balance, ChangeRequest, Event, Freeze, Transfer
from coupons.models.draws import Coupon, Deck, Draw, Head, RegistrantList, Registration, SeedShare
from coupons.models.messages import Notice, OutboxMessage, Subscription
from coupons.models.people import Consumer, Exclusion, Person, Reveal, SmsCode, Station, StationClerk
from coupons.models.plan import Allotment, Batch, Campaign, Category, PlanFinding, Round
from coupons.models.stations import Assist, PaperConfirmation, PaperPrint
from coupons.models.tallies import ConsumerStep, ConsumerTally, CouponTally, TallyMark

__all__ = [
    "Allotment",
    "Assist",
    "Balance",
    "Batch",
    "Campaign",
    "Category",
    "ChangeRequest",
    "Consumer",
    "ConsumerStep",
    "ConsumerTally",
    "Coupon",
    "CouponTally",
    "Deck",
    "Draw",
    "Event",
    "Exclusion",
    "Freeze",
    "Head",
    "Notice",
    "OutboxMessage",
    "PaperConfirmation",
    "PaperPrint",
    "Person",
    "PlanFinding",
    "RegistrantList",
    "Registration",
    "Reveal",
    "Round",
    "SeedShare",
    "SmsCode",
    "Station",
    "StationClerk",
    "Subscription",
    "TallyMark",
    "Transfer",
]
