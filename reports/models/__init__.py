"""The tables of ``reports``, split by what they are about."""

from reports.models.paying import AuditOpinion, Settlement, SettlementLine, SettlementUse
from reports.models.sealing import Seal
from reports.models.standins import Closing, Reallocation, ShopFigures
from reports.models.trail import AuditEntry, ExportJob, TrailStep, TrailTally

__all__ = [
    "AuditEntry",
    "AuditOpinion",
    "Closing",
    "ExportJob",
    "Reallocation",
    "Seal",
    "Settlement",
    "SettlementLine",
    "SettlementUse",
    "ShopFigures",
    "TrailStep",
    "TrailTally",
]
