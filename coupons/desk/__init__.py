"""The lists of the back office that ``coupons`` alone can answer."""

from coupons.desk.batches import LAPSED_CELL, Batches, is_lapsed
from coupons.desk.buyers import Consumers, Exclusions, Notices, Reveals
from coupons.desk.campaign import CampaignListing, blocks, consumers_of, days, people
from coupons.desk.plan import Campaigns, Categories, Changes, Rounds, joint_words, round_words

__all__ = [
    "LAPSED_CELL",
    "Batches",
    "CampaignListing",
    "Campaigns",
    "Categories",
    "Changes",
    "Consumers",
    "Exclusions",
    "Notices",
    "Reveals",
    "Rounds",
    "blocks",
    "consumers_of",
    "days",
    "is_lapsed",
    "joint_words",
    "people",
    "round_words",
]
