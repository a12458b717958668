"""The tables of ``merchants``, split by what they are about."""

from merchants.models.conduct import Complaint, Inspection, InspectionPhoto, Sanction
from merchants.models.firms import BindingCode, Clerk, CommitmentLetter, Merchant, Outlet
from merchants.models.spending import Attempt, Redemption
from merchants.models.tallies import UseTally

__all__ = [
    "Attempt",
    "BindingCode",
    "Clerk",
    "CommitmentLetter",
    "Complaint",
    "Inspection",
    "InspectionPhoto",
    "Merchant",
    "Outlet",
    "Redemption",
    "Sanction",
    "UseTally",
]
