"""The tables of ``coupons``, split by what they are about."""

from coupons.models.books import Balance, ChangeRequest, Event, Freeze, Transfer
from coupons.models.draws import Coupon, Deck, Draw, Head, RegistrantList, Registration, SeedShare
from coupons.models.messages import Notice, OutboxMessage
from coupons.models.people import Consumer, Exclusion, Person, Reveal, SmsCode, Station, StationClerk
from coupons.models.plan import Allotment, Batch, Campaign, Category, PlanFinding, Round

__all__ = [
    "Allotment",
    "Balance",
    "Batch",
    "Campaign",
    "Category",
    "ChangeRequest",
    "Consumer",
    "Coupon",
    "Deck",
    "Draw",
    "Event",
    "Exclusion",
    "Freeze",
    "Head",
    "Notice",
    "OutboxMessage",
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
    "Transfer",
]
